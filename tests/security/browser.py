"""A real browser, told what to do over its own debugging protocol: for what only browsers decide.

It is Chromium, where there is one on PATH; without a window, with a profile of its own that is thrown away.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

START_S = 30.0
PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-port=0",
)


class Page:
    """The one page of the browser."""

    def __init__(self, line: ClientWebSocketResponse[bool]) -> None:
        self._line = line
        self._numbers = itertools.count(1)

    async def tell(self, method: str, **parameters: Any) -> Any:
        """A command of the debugging protocol; its result."""
        number = next(self._numbers)
        await self._line.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(START_S):
            while True:
                message = await self._line.receive_json()
                if message.get("id") == number:
                    assert "error" not in message, message
                    return message["result"]

    async def visit(self, address: str) -> None:
        """Open an address, and wait until the page is there."""
        await self.tell("Page.navigate", url=address)
        async with asyncio.timeout(START_S):
            while not await self._is_at(address):
                await asyncio.sleep(0.02)

    async def _is_at(self, address: str) -> bool:
        state = await self.tell("Runtime.evaluate", expression="document.readyState + ' ' + location.href")
        return bool(state["result"].get("value") == f"complete {address}")

    async def run(self, script: str) -> Any:
        """What a script of the page gives (also one that waits), as JSON."""
        outcome = await self.tell(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in outcome, outcome["exceptionDetails"]
        return outcome["result"].get("value")

    async def cookies(self) -> list[dict[str, Any]]:
        """Every cookie that the browser keeps."""
        found: list[dict[str, Any]] = (await self.tell("Storage.getCookies"))["cookies"]
        return found


@asynccontextmanager
async def open_browser(folder: Path) -> AsyncIterator[Page]:
    """Start it with an empty profile in this folder; it is gone afterwards, with all its processes."""
    assert PROGRAM is not None
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *SWITCHES,
        f"--user-data-dir={folder}",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with ClientSession() as http:
            port = await _port(folder / "DevToolsActivePort")
            async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [each for each in await answer.json(content_type=None) if each["type"] == "page"]
            async with http.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as line:
                page = Page(line)
                yield page
                with suppress(ConnectionError, TypeError):
                    await page.tell("Browser.close")
        async with asyncio.timeout(START_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _port(file: Path) -> int:
    """Where it listens, which it writes down once it does."""
    async with asyncio.timeout(START_S):
        while not (file.exists() and (lines := file.read_text().splitlines()) and len(lines) > 1):
            await asyncio.sleep(0.02)
    return int(lines[0])
