"""Following: whom one follows, by whom one is followed, and who asks to."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from fittracker.errors import NotFound, TooLarge
from fittracker.follow_lists import Side
from handlers.endpoint import Call
from handlers.fields import Id, Moment
from handlers.paging import PageQuery
from handlers.routes import SIGNED_IN, route


class Follow(Schema):
    """How one stands to a person: `following`, or `requested` where they are asked first."""

    user = Id(required=True)
    state = fields.String(required=True)


class FollowStanding(Follow):
    """The same, also `none`; and how that person stands to oneself."""

    other = fields.String(required=True)


class FollowRow(Schema):
    """Somebody in such a list, and since when."""

    user = Id(required=True)
    name = fields.String(required=True)
    since = Moment(required=True)


class FollowPage(Schema):
    """A page, newest first; `next_cursor` is null on the last one. `count`: how many there are in all.

    Left out are people whose profile one may not see, so a page may hold fewer than were asked for.
    """

    items = fields.List(fields.Nested(FollowRow), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    count = fields.Integer(required=True)


class FollowRequest(Schema):
    """Somebody asks to follow one."""

    id = Id(attribute="_id", required=True)
    user = Id(required=True)
    name = fields.String(required=True)
    created_at = Moment(required=True)


class FollowRequestPage(Schema):
    """A page of them, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(FollowRequest), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


@route("POST", "/users/{id}/follow", SIGNED_IN, answer=Follow, raises=(NotFound, TooLarge))
async def follow(call: Call) -> dict[str, Any]:
    """Follow somebody. Who does not show themselves to everybody is asked first. Again is the same."""
    user = call.path("id")
    return {"user": user, "state": await call.contexts.follows.follow(call.user, user)}


@route("GET", "/users/{id}/follow", SIGNED_IN, answer=FollowStanding, raises=(NotFound,))
async def standing(call: Call) -> dict[str, Any]:
    """Whether one follows somebody, or has asked to, and whether they follow oneself."""
    user = call.path("id")
    mine, theirs = await call.contexts.follows.standing(call.user, user)
    return {"user": user, "state": mine, "other": theirs}


@route("DELETE", "/users/{id}/follow", SIGNED_IN, status=204, raises=(NotFound,))
async def unfollow(call: Call) -> None:
    """Follow somebody no more, or take the question back."""
    await call.contexts.follows.unfollow(call.user, call.path("id"))


@route("GET", "/users/{id}/followers", SIGNED_IN, query=PageQuery, answer=FollowPage, raises=(NotFound,))
async def followers(call: Call) -> dict[str, Any]:
    """Who follows a person whose profile one may see."""
    return await _page(call, "followers")


@route("GET", "/users/{id}/following", SIGNED_IN, query=PageQuery, answer=FollowPage, raises=(NotFound,))
async def following(call: Call) -> dict[str, Any]:
    """Whom such a person follows."""
    return await _page(call, "following")


async def _page(call: Call, side: Side) -> dict[str, Any]:
    user, query, follows = call.path("id"), call.query, call.contexts.follows
    await call.contexts.people.profile(call.user, user)
    items, cursor = await follows.lists.page(call.user, user, side, query["limit"], query["cursor"])
    count = (await follows.counts(user))[side == "following"]
    return {"items": items, "next_cursor": cursor, "count": count}


@route("DELETE", "/users/me/followers/{id}", SIGNED_IN, status=204, raises=(NotFound,))
async def remove(call: Call) -> None:
    """Let somebody follow one no more, by the id of the person; they are not told."""
    await call.contexts.follows.remove(call.user, call.path("id"))


@route("GET", "/follow-requests", SIGNED_IN, query=PageQuery, answer=FollowRequestPage)
async def requests(call: Call) -> dict[str, Any]:
    """Who asks to follow one."""
    items, cursor = await call.contexts.follows.lists.requests(
        call.user, call.query["limit"], call.query["cursor"]
    )
    return {"items": items, "next_cursor": cursor}


@route("POST", "/follow-requests/{id}/accept", SIGNED_IN, status=204, raises=(NotFound,))
async def accept(call: Call) -> None:
    """Let them. Again is the same."""
    await call.contexts.follows.accept(call.user, call.path("id"))


@route("POST", "/follow-requests/{id}/decline", SIGNED_IN, status=204, raises=(NotFound,))
async def decline(call: Call) -> None:
    """Do not let them; they are not told."""
    await call.contexts.follows.decline(call.user, call.path("id"))
