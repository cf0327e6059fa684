"""How a client proves who it is, and how it goes on when a token has ended."""

from __future__ import annotations

from typing import Protocol

import msgspec
from aiohttp import ClientSession
from yarl import URL

from fittracker.client import rest
from fittracker.client.errors import CommandError


class Credentials(Protocol):
    """Where tokens come from."""

    async def token(self, http: ClientSession, url: URL) -> str:
        """A token to present now."""

    async def renew(self, http: ClientSession, url: URL) -> str | None:
        """Another token, because the last one ended or was refused; None where there is no other."""


class Token:
    """A token that the user of the client has: an access token, or a wearable's device token."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, http: ClientSession, url: URL) -> str:
        """The token."""
        return self._token

    async def renew(self, http: ClientSession, url: URL) -> str | None:
        """There is only the one."""
        return None


class _Pair(msgspec.Struct):
    access_token: str
    refresh_token: str


class Password:
    """An e-mail address and a password: signs in when needed, and refreshes after that."""

    def __init__(self, email: str, password: str, totp: str | None = None) -> None:
        self._login = {"email": email, "password": password, **({"totp": totp} if totp else {})}
        self._pair: _Pair | None = None

    async def token(self, http: ClientSession, url: URL) -> str:
        """The access token of this sign-in."""
        if self._pair is None:
            await self._ask(http, url, "login", self._login)
        assert self._pair is not None
        return self._pair.access_token

    async def renew(self, http: ClientSession, url: URL) -> str | None:
        """The next access token: refreshed, or by signing in again where the sign-in has ended."""
        if self._pair is not None:
            try:
                await self._ask(http, url, "refresh", {"refresh_token": self._pair.refresh_token})
            except CommandError as error:
                if error.retry:
                    raise
                self._pair = None
        return await self.token(http, url)

    async def _ask(self, http: ClientSession, url: URL, what: str, body: dict[str, str]) -> None:
        answer = await rest.request(http, "POST", url / "api/v1/auth" / what, json=body)
        self._pair = msgspec.convert(answer, _Pair)
