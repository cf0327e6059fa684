"""`python -m bench.logins`: how long the server's loop stands still while many people sign in at once.

The server runs in this process, with the settings of production where it matters (bcrypt at cost 12, two
threads); the people sign in from a thread beside it, which takes a little of the same lock: what is shown is
rather too much than too little.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import click
import uvloop
from aiohttp.test_utils import TestServer

import config.settings
from config.settings import Settings
from fittracker.app import build_app
from fittracker.auth.founding import Founding
from fittracker.auth.passwords import Passwords
from fittracker.contexts import Contexts
from fittracker.embedded import Services
from handlers.keys import CONTEXTS

COST: Final = 12
TICK_S: Final = 0.001
CALM_S: Final = 2.0


@dataclass(slots=True)
class Lag:
    """How much later than asked for the loop came back: the longest, and all of them, seconds."""

    every: list[float]

    @property
    def longest_ms(self) -> float:
        """The worst of all."""
        return max(self.every, default=0.0) * 1000

    @property
    def p99_ms(self) -> float:
        """What one in a hundred exceeds."""
        ordered = sorted(self.every)
        return ordered[int(len(ordered) * 0.99)] * 1000 if ordered else 0.0


@asynccontextmanager
async def watched() -> AsyncIterator[Lag]:
    """Watch the running loop for the time of the block."""
    lag = Lag([])

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_S)
            lag.every.append(max(0.0, time.perf_counter() - began - TICK_S))

    watcher = asyncio.create_task(watch())
    try:
        yield lag
    finally:
        watcher.cancel()


@click.command()
@click.option(
    "--people", default=20, show_default=True, type=click.IntRange(1, 60), help="Who sign in at once."
)
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 20))
def main(people: int, runs: int) -> None:
    """Print the lag of the loop while it is calm, and while so many sign in."""
    with (
        tempfile.TemporaryDirectory(prefix="fittracker-bench-") as folder,
        Services.start(Path(folder)) as on,
    ):
        settings = config.settings.load(
            mode="test", mongo_url=on.mongo_url, redis_url=on.redis_url, bcrypt_cost=COST
        )
        uvloop.run(_measure(settings, people, runs))


async def _measure(settings: Settings, people: int, runs: int) -> None:
    app = build_app(settings)
    async with TestServer(app) as server:
        accounts = await _found(app[CONTEXTS], settings, people)
        url = str(server.make_url("/api/v1/auth/login"))
        async with watched() as calm:
            await asyncio.sleep(CALM_S)
        click.echo(f"calm: longest {calm.longest_ms:.1f} ms, p99 {calm.p99_ms:.1f} ms")
        for _ in range(runs):
            took: list[float] = []
            async with watched() as lag:
                await asyncio.to_thread(_rush, url, accounts, took)
            click.echo(
                f"{people} sign in at once: longest {lag.longest_ms:.1f} ms, p99 {lag.p99_ms:.1f} ms; "
                f"the last is in after {took[0]:.2f} s"
            )


async def _found(contexts: Contexts, settings: Settings, people: int) -> list[tuple[str, str]]:
    accounts = [(f"p{n}@example.org", secrets.token_urlsafe(15)) for n in range(people)]
    async with Passwords.open(pepper=settings.password_pepper, cost=COST, threads=2) as passwords:
        founding = Founding(contexts.database, passwords, contexts.audit, contexts.clock)
        for email, password in accounts:
            await founding.found(email, password, "Somebody", "user")
    return accounts


def _rush(url: str, accounts: Sequence[tuple[str, str]], took: list[float]) -> None:
    """All of them sign in, from a loop of this thread; raises unless every one is let in."""

    async def sign_in(client: aiohttp.ClientSession, email: str, password: str) -> int:
        async with client.post(url, json={"email": email, "password": password}) as response:
            await response.read()
            return response.status

    async def all_of_them() -> None:
        async with aiohttp.ClientSession() as client:
            began = time.perf_counter()
            statuses = await asyncio.gather(*(sign_in(client, *account) for account in accounts))
            took.append(time.perf_counter() - began)
        if set(statuses) != {200}:
            raise click.ClickException(f"not everybody was let in: {sorted(statuses)}")

    asyncio.run(all_of_them())


if __name__ == "__main__":
    main()
