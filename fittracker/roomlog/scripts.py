"""The scripts that Redis runs, each with the id of the server's life in it.

A server that was started again, or took over from another one, does not know a script of the life before: it
answers NOSCRIPT, nothing is done, and the scripts are made again with its own id. So no number is ever given
out by a server whose memory may be older than what was said.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, ResponseError

FOLDER: Final = Path(__file__).parent
NAMES: Final = ("append", "archived", "begin", "head")
NOBODY: Final = "0" * 12
"""What stands where other messages name their worker: events of the log come from Redis itself."""


@dataclass(frozen=True, slots=True)
class Run:
    """One call of a script."""

    script: str
    keys: Sequence[str]
    args: Sequence[str | bytes | int]


class Scripts:
    """Runs them, many in one round trip."""

    def __init__(self, redis: Redis, folder: Path = FOLDER, names: Sequence[str] = NAMES) -> None:
        self._redis = redis
        self._texts = {name: (folder / f"{name}.lua").read_text() for name in names}
        self._shas: dict[str, str] = {}
        self._loading = asyncio.Lock()

    async def run(self, runs: Sequence[Run]) -> list[Any]:
        """The answers, in order; an exception of Redis stands in the place of its answer."""
        if not self._shas:
            await self._load_once(self._shas)
        shas = self._shas
        answers = await self._send(runs)
        refused = [place for place, each in enumerate(answers) if isinstance(each, NoScriptError)]
        if refused:
            await self._load_once(shas)
            for place, answer in zip(
                refused, await self._send([runs[each] for each in refused]), strict=True
            ):
                answers[place] = answer
        return answers

    async def _send(self, runs: Sequence[Run]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for each in runs:
                pipeline.evalsha(self._shas[each.script], len(each.keys), *each.keys, *each.args)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    async def _load_once(self, known: dict[str, str]) -> None:
        """Load them, unless somebody did since those that are known were looked up."""
        async with self._loading:
            if self._shas is known:
                self._shas = await self._load()

    async def _load(self) -> dict[str, str]:
        """The id and the scripts must be of the same life of the server, so one connection does it all.

        Below redis-py's commands, because those are sent again over a new connection when one breaks: then
        another server would be taught this one's id, and go on with the numbers of an older memory.
        """
        pool = self._redis.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            life = _run_id(await _ask(connection, "INFO", "server"))
            shas = {}
            head = f"local RUN, ORIGIN = '{life}', '{NOBODY}'\n"
            for name, text in self._texts.items():
                await _ask(connection, "SCRIPT", "LOAD", head + text)
                # Redis' own name for a script, no secret.
                named = hashlib.sha1((head + text).encode(), usedforsecurity=False)
                shas[name] = named.hexdigest()
            return shas
        finally:
            await pool.release(connection)


async def _ask(connection: AbstractConnection, *command: str) -> Any:
    """One command; what breaks is raised and not tried again."""
    await connection.send_command(*command)
    return await connection.read_response()


def _run_id(info: bytes) -> str:
    found = re.search(rb"^run_id:([0-9a-f]+)\r?$", info, re.MULTILINE)
    if found is None:
        raise ResponseError("this server does not tell its run_id")
    return found[1].decode()
