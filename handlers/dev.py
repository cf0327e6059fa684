"""What only a developer's machine answers."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from fittracker.clock import rfc3339
from fittracker.devmail import DevMails
from handlers.keys import CONTEXTS


async def mail(request: web.Request) -> web.Response:
    """The mails that were sent, newest first; `?to=` for those to one address."""
    contexts = request.app[CONTEXTS]
    mails = await DevMails(contexts.database, contexts.clock).newest(request.query.get("to"))
    body = [each | {"at": rfc3339(each["at"])} for each in mails]
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


ROUTES: Final = (web.get("/dev/mail", mail),)
