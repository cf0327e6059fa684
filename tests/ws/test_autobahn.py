"""Autobahn's fuzzing client against an echo on our classes.

`wstest` runs on Python 2.7 only: AUTOBAHN_WSTEST names it, or it is on PATH; otherwise this is skipped. How
to get it stands in docs/development.md. The classes of cases that matter most are also in test_rfc6455.py,
written anew, and always run.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from tests.ws.echo import echoing

WSTEST: Final = os.environ.get("AUTOBAHN_WSTEST") or shutil.which("wstest")
EXCLUDED: Final = ("9.*", "12.*", "13.*")
"""Messages of many MiB, which say more of the machine; compression, which we do not offer."""
GOOD: Final = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})
KNOWN: Final = frozenset({"7.9.5"})
"""What aiohttp itself is known to fail."""
PATIENCE_S: Final = 90.0


async def run(url: str, folder: Path) -> dict[str, dict[str, Any]]:
    """What it found, by case."""
    server = {"agent": "fittracker", "url": url.replace("http", "ws") + "/ws"}
    spec = {
        "outdir": str(folder / "report"),
        "servers": [{**server, "options": {"version": 18}}],
        "cases": ["*"],
        "exclude-cases": list(EXCLUDED),
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    assert WSTEST is not None
    arguments = ("--mode", "fuzzingclient", "--spec", str(folder / "spec.json"))
    process = await asyncio.create_subprocess_exec(
        WSTEST, *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()[-1_000:]
    found: dict[str, dict[str, Any]] = json.loads((folder / "report" / "index.json").read_text())[
        "fittracker"
    ]
    return found


@pytest.mark.skipif(WSTEST is None, reason="there is no wstest")
async def test_everything_is_ok_but_what_aiohttp_is_known_to_fail(tmp_path: Path) -> None:
    """Some 300 cases: framing, pings, reserved bits, opcodes, fragments, UTF-8, closing."""
    async with echoing() as (url, _):
        found = await run(url, tmp_path)
    assert len(found) > 200
    bad = {
        case: each["behavior"]
        for case, each in found.items()
        if each["behavior"] not in GOOD or each["behaviorClose"] not in GOOD
    }
    assert set(bad) <= KNOWN, bad
