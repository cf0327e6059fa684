"""Forged requests: what keeps other sites from using a cookie that a browser sends by itself.

Three fences, each enough alone in the browsers of today: the cookie is SameSite=Strict, the browser says
where a request comes from (Fetch Metadata, or Origin in older ones), and a page has to show the session's
secret in a header, which no other site can read or send.
"""

from __future__ import annotations

import hmac
from typing import Final

from aiohttp import hdrs, web

from fittracker.errors import Forbidden
from handlers.keys import SETTINGS

CSRF_HEADER: Final = "X-CSRF-Token"
_SITE: Final = "Sec-Fetch-Site"
_HARMLESS: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_REFUSED: Final = "This request did not come from our own pages."


def changes_nothing(request: web.Request) -> bool:
    """Whether its method promises to change nothing."""
    return request.method in _HARMLESS


def check_site(request: web.Request) -> None:
    """Forbidden unless the request comes from a page of our own origin.

    To read, an address that somebody typed will do too, and a client that does not say where it comes from.
    """
    sites = request.headers.getall(_SITE, [])
    if changes_nothing(request):
        allowed = not sites or sites in (["same-origin"], ["none"])
    elif sites:
        allowed = sites == ["same-origin"]
    else:
        origin = request.config_dict[SETTINGS].public_origin
        allowed = request.headers.getall(hdrs.ORIGIN, []) == [origin]
    if not allowed:
        raise Forbidden(_REFUSED)


def check_secret(request: web.Request, secret: str) -> None:
    """Forbidden unless the request shows the session's secret; it takes as long whatever is shown."""
    shown = request.headers.getall(CSRF_HEADER, [])
    if len(shown) != 1 or not hmac.compare_digest(shown[0].encode(errors="replace"), secret.encode()):
        raise Forbidden(f"{CSRF_HEADER} must be the csrf_token of GET /auth/console.")
