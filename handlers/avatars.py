"""Avatars: what people look like, or want to."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from marshmallow import Schema

from fittracker.avatars import MOST_BYTES, Picture, Size
from fittracker.errors import NotFound
from fittracker.pictures import MEDIA
from handlers.endpoint import Call
from handlers.fields import Choice
from handlers.routes import SIGNED_IN, Upload, route

PICTURE: Final = Upload(("image/jpeg", "image/png", "image/webp"), MOST_BYTES)
CACHING: Final = "private, max-age=300"


class AvatarSize(Schema):
    """`large`: 512 pixels a side; `small`: 96."""

    size = Choice("large", "small", load_default="large")


@route("PUT", "/users/me/avatar", SIGNED_IN, status=204, upload=PICTURE)
async def put(call: Call) -> None:
    """Show this picture of oneself: JPEG, PNG or WebP, at most 5 MB and 40 million pixels.

    Its middle is kept as two square WebP files, of 512 and 96 pixels; the file itself, and all it says about
    where and by what it was taken, is not.
    """
    await call.contexts.avatars.put(call.user, call.content)


@route("DELETE", "/users/me/avatar", SIGNED_IN, status=204, raises=(NotFound,))
async def remove(call: Call) -> None:
    """Show no picture of oneself any more."""
    await call.contexts.avatars.remove(call.user)


@route(
    "GET",
    "/users/me/avatar",
    SIGNED_IN,
    query=AvatarSize,
    media=MEDIA,
    versioned=True,
    raises=(NotFound,),
)
async def mine(call: Call) -> web.Response:
    """One's own picture."""
    return await _picture(call, call.user)


@route(
    "GET",
    "/users/{id}/avatar",
    SIGNED_IN,
    query=AvatarSize,
    media=MEDIA,
    versioned=True,
    raises=(NotFound,),
)
async def avatar(call: Call) -> web.Response:
    """The picture of somebody whose profile one may see."""
    shown = await call.contexts.people.profile(call.user, call.path("id"))
    return await _picture(call, shown["_id"])


async def _picture(call: Call, user: str) -> web.Response:
    size: Size = call.query["size"]
    found = await call.contexts.avatars.get(user, size)
    headers = {hdrs.ETAG: f'"{found.tag}"', hdrs.CACHE_CONTROL: CACHING}
    if _has(call.request, found):
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.data, content_type=MEDIA, headers=headers)


def _has(request: web.Request, picture: Picture) -> bool:
    """Whether the caller has this very picture already."""
    known = request.if_none_match or ()
    return any(each.value == picture.tag for each in known)
