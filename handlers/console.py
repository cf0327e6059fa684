"""The browser console: signing in by a cookie instead of by tokens."""

from __future__ import annotations

from typing import Any

from aiohttp_session import Session
from marshmallow import Schema, fields

from fittracker.breaker import RedisAway
from fittracker.errors import Forbidden, NotFound, TotpRequired, Unauthenticated, Unavailable
from fittracker.ids import new_secret
from fittracker.mongo import Document
from handlers.auth import Credentials
from handlers.by_cookie import CSRF, SID
from handlers.console_storage import ConsoleStorage
from handlers.endpoint import Call
from handlers.forgery import check_site
from handlers.keys import CONSOLE, CONSOLE_CHANGED, CONSOLE_SESSION
from handlers.routes import ANYBODY, SIGNED_IN, route
from handlers.users import Me


class Console(Schema):
    """Who is signed in, and the secret that every changing request has to show as X-CSRF-Token."""

    csrf_token = fields.String(required=True)
    user = fields.Nested(Me, required=True)


@route(
    "POST",
    "/auth/console/login",
    ANYBODY,
    body=Credentials,
    answer=Console,
    group="auth",
    raises=(Unauthenticated, TotpRequired, Forbidden),
)
async def login(call: Call) -> dict[str, Any]:
    """Sign a browser in: the answer sets a cookie, and gives no tokens.

    As `POST /auth/login`, but only from a page of our own origin. A cookie that was there before is worthless
    afterwards.
    """
    check_site(call.request)
    contexts = call.contexts
    try:
        await contexts.consoles.ready()
    except RedisAway as error:
        raise Unavailable("No console can sign in at the moment.", retry_after_ms=2_000) from error
    sid, person = await _sign_in(call)
    await contexts.sessions.shorten(sid, contexts.settings.console_s)
    await _end_former(call)
    call.request[CONSOLE_CHANGED] = session = await _storage(call).new_session()
    session[SID], session[CSRF] = sid, new_secret()
    return {"csrf_token": session[CSRF], "user": person}


def _storage(call: Call) -> ConsoleStorage:
    return call.request.config_dict[CONSOLE]


async def _sign_in(call: Call) -> tuple[str, Document]:
    """The sign-in that was begun, and whose it is. Its tokens are given to nobody."""
    pair, person = await call.contexts.accounts.sign_in.login(
        call.body["email"], call.body["password"], call.caller, code=call.body.get("totp")
    )
    return pair.sid, person


async def _end_former(call: Call) -> None:
    """Sign out whoever this browser was signed in as: nobody could come back to it."""
    former = (await _storage(call).load_session(call.request)).get(SID)
    if former is None:
        return
    try:
        identity = await call.contexts.authenticator.resume(former, 0)
    except Unauthenticated:
        return  # it had ended by itself
    await call.contexts.sessions.end(identity.user, former, call.caller)


@route("GET", "/auth/console", SIGNED_IN, answer=Console, raises=(NotFound,))
async def console(call: Call) -> dict[str, Any]:
    """Who is signed in by this browser's cookie, and the secret for its requests."""
    return {"csrf_token": _session(call)[CSRF], "user": await call.contexts.users.get(call.user)}


@route("POST", "/auth/console/logout", SIGNED_IN, status=204, raises=(NotFound,))
async def logout(call: Call) -> None:
    """Sign this browser out: its sign-in ends, its sockets close, the cookie is taken back."""
    session = _session(call)
    await call.contexts.sessions.end(call.user, session[SID], call.caller)
    session.invalidate()
    call.request[CONSOLE_CHANGED] = session


def _session(call: Call) -> Session:
    """The session of the cookie; NotFound for who signed in by a token."""
    found: Session | None = call.request.get(CONSOLE_SESSION)
    if found is None:
        raise NotFound("This is not a console: there is no session of a cookie.")
    return found
