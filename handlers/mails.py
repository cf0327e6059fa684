"""Stopping the mails of a kind, by the link at their foot: nobody has to sign in for it.

Looking changes nothing, because what reads mails for viruses opens every link; the button does it. Mail
programs press it by themselves where the person asks them to (RFC 8058). The pages carry their style in
themselves and load nothing.
"""

from __future__ import annotations

import html
from typing import Final

from aiohttp import web
from marshmallow import Schema

from fittracker.observability import logger
from handlers.endpoint import Call
from handlers.fields import Secret
from handlers.routes import ANYBODY, Upload, route

log = logger(__name__)

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
HTML: Final = "text/html"
FORM: Final = Upload(
    # The last one is how a request without a body looks.
    ("application/x-www-form-urlencoded", "multipart/form-data", "application/octet-stream"),
    10_000,
)


class Link(Schema):
    """What the foot of a mail links to."""

    token = Secret(required=True)


@route("GET", "/mail/unsubscribe", ANYBODY, query=Link, media=HTML)
async def ask(call: Call) -> web.Response:
    """A page with a button that stops the mails of one kind. It changes nothing."""
    _, kind = await call.contexts.unsubscribing.read(call.query["token"])
    return _page(
        f"Stop mails about {_named(kind)}?",
        "You go on getting what concerns the security of your account.",
        "unsubscribe",
        "Stop these mails",
        call.query["token"],
    )


@route("POST", "/mail/unsubscribe", ANYBODY, query=Link, upload=FORM, media=HTML)
async def unsubscribe(call: Call) -> web.Response:
    """Stop the mails of one kind, as the button does and mail programs do. Twice is as good as once."""
    kind = await _set(call, on=False)
    return _page(
        f"You get no more mails about {_named(kind)}.",
        "One that is on its way already may still arrive.",
        "resubscribe",
        "I do want them",
        call.query["token"],
    )


@route("POST", "/mail/resubscribe", ANYBODY, query=Link, upload=FORM, media=HTML)
async def resubscribe(call: Call) -> web.Response:
    """Turn the mails of one kind on again, for who has changed their mind."""
    kind = await _set(call, on=True)
    return _page(
        f"You get mails about {_named(kind)}.",
        "You can stop them whenever you like.",
        "unsubscribe",
        "Stop these mails",
        call.query["token"],
    )


async def _set(call: Call, *, on: bool) -> str:
    user, kind = await call.contexts.unsubscribing.read(call.query["token"])
    await call.contexts.users.set_notification(user, kind, "mail", on)
    log.info("mails_turned_on" if on else "mails_turned_off", user=user, kind=kind)
    return kind


def _named(kind: str) -> str:
    return kind.replace("_", " ")


def _page(heading: str, text: str, action: str, label: str, token: str) -> web.Response:
    body = _PAGE.format(
        heading=html.escape(heading),
        text=html.escape(text),
        action=html.escape(f"{action}?token={token}"),
        label=html.escape(label),
    )
    return web.Response(text=body, content_type=HTML, headers={"Content-Security-Policy": POLICY})


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>FitTracker Pro: mails</title>
<style>:root{{color-scheme:light dark}}
body{{font:18px/1.5 sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}
button{{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:6px;background:#d7263d;color:#fff}}
</style></head>
<body><h1>{heading}</h1><p>{text}</p>
<form method="post" action="{action}"><button>{label}</button></form></body></html>
"""
