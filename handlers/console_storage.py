"""The console's cookie: aiohttp-session, with its entries in Redis.

What differs from the storage that aiohttp-session brings: an entry lies under a hash of its cookie, is
deleted at the end instead of emptied, and Redis is asked through the contexts, which give up in time. The
cookie itself is taken back with the attributes it was given with: browsers ignore anything else about a
`__Host-` name. Its middleware is not used either: it would bring names that aiohttp warns of, and work for
requests that have nothing to do with cookies (see `handlers/by_cookie.py`).
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web
from aiohttp_session import Session
from aiohttp_session.redis_storage import RedisStorage

from fittracker.contexts import Contexts
from fittracker.ids import new_secret

COOKIE: Final = "__Host-fittracker"
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class ConsoleStorage(RedisStorage):
    """Sessions of consoles; a cookie is 256 random bits, new for each sign-in."""

    def __init__(self, contexts: Contexts, *, life_s: int) -> None:
        super().__init__(
            contexts.redis,
            cookie_name=COOKIE,
            max_age=life_s,
            path="/",
            secure=True,
            httponly=True,
            samesite="Strict",
            key_factory=new_secret,
        )
        self._consoles = contexts.consoles

    def load_cookie(self, request: web.Request) -> str | None:
        """The cookie, if it could be one of ours: for anything else nobody asks Redis."""
        found = super().load_cookie(request)
        return found if found is not None and _FORM.fullmatch(found) else None

    async def load_session(self, request: web.Request) -> Session:
        """The session of the cookie; an empty one where there is none, or where it is too old."""
        cookie = self.load_cookie(request)
        entry = await self._consoles.read(cookie) if cookie is not None else None
        if entry is None:
            return await self.new_session()
        return Session(cookie, data=self._decoder(entry), new=False, max_age=self.max_age)

    async def save_session(
        self, request: web.Request, response: web.StreamResponse, session: Session
    ) -> None:
        """Keep a session under a cookie nobody had before, or forget it; what the request came with goes."""
        presented = self.load_cookie(request)
        if session.empty:
            response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        else:
            cookie = self._key_factory()
            await self._consoles.write(cookie, self._encoder(self._get_session_data(session)))
            self.save_cookie(response, cookie, max_age=session.max_age)
        if presented is not None:
            await self._consoles.forget(presented)
