"""Who calls, by the cookie of a console: only without a token, and only from a page of our own."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from fittracker.auth.identity import Identity
from fittracker.errors import Unauthenticated
from handlers.console_storage import COOKIE
from handlers.forgery import changes_nothing, check_secret, check_site
from handlers.keys import CONSOLE, CONSOLE_CHANGED, CONSOLE_SESSION, CONTEXTS

SID: Final = "sid"
"""The sign-in that the cookie stands for."""
CSRF: Final = "csrf"
"""The secret that a page of ours has to show."""


def brings_cookie(request: web.Request) -> bool:
    """Whether it is the cookie that speaks: where there is a token as well, the token counts alone."""
    headers = request.headers
    return hdrs.AUTHORIZATION not in headers and hdrs.COOKIE in headers and COOKIE in request.cookies


async def recognise(request: web.Request) -> Identity:
    """The person behind the cookie.

    Forbidden where another site may be behind the request, Unauthenticated where the session or its sign-in
    is over. What is known is believed for as long as an access token would be, and asked again each time.
    """
    check_site(request)
    session = await request.config_dict[CONSOLE].load_session(request)
    if SID not in session:
        raise Unauthenticated("Sign in to the console.")
    if not changes_nothing(request):
        check_secret(request, session[CSRF])
    request[CONSOLE_SESSION] = session
    contexts = request.config_dict[CONTEXTS]
    end = session.created + contexts.settings.console_s
    soon = contexts.clock.now() + contexts.settings.access_token_s
    return await contexts.authenticator.resume(session[SID], min(end, soon))


@web.middleware
async def keep_console(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep, or end, the session that was changed by a good answer; all other requests pass by."""
    response = await handler(request)
    session = request.get(CONSOLE_CHANGED)
    if session is not None:
        await request.config_dict[CONSOLE].save_session(request, response, session)
    return response
