"""The application in the test's own loop, so that a test can look inside, and turn the wheel of time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.test_utils import TestServer

from config.settings import Settings
from fittracker.app import build_app
from fittracker.auth.founding import Founding
from fittracker.auth.passwords import Passwords
from fittracker.clock import Clock
from handlers.keys import CONTEXTS
from tests.people import People
from ws.connection import Connection
from ws.endpoint import REALTIME
from ws.realtime import Realtime


@dataclass(frozen=True, slots=True)
class House:
    """A running server, and people to knock at its door."""

    app: web.Application
    url: str
    people: People

    @property
    def realtime(self) -> Realtime:
        """The inside of it."""
        return self.app[REALTIME]

    def connection(self, user: str) -> Connection:
        """The server's end of somebody's only socket."""
        (connection,) = self.realtime.hub.of_user(user)
        return connection

    @property
    def newest(self) -> Connection:
        """The server's end of the socket that was opened last."""
        return list(self.realtime.hub.connections.values())[-1]

    def look(self, connection: Connection, seconds: float) -> float | None:
        """Do what the wheel does with a socket so long after it was opened; in how many s it looks again."""
        again = connection.check(connection.opened + seconds)
        return None if again is None else again - connection.opened - seconds


@asynccontextmanager
async def open_house(settings: Settings, clock: Clock | None = None) -> AsyncIterator[House]:
    """Start it with these settings; everything is closed afterwards."""
    app = build_app(settings, clock=clock)
    server = TestServer(app)
    async with (
        server,
        Passwords.open(pepper=settings.password_pepper, cost=4, threads=1) as passwords,
    ):
        contexts = app[CONTEXTS]
        founding = Founding(contexts.database, passwords, contexts.audit, contexts.clock)
        yield House(app, str(server.make_url("")).rstrip("/"), People(contexts, founding))
