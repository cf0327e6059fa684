"""Comments on posts."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from fittracker.errors import Gone, NotFound
from fittracker.social.posts import LONGEST_TEXT
from handlers.endpoint import Call
from handlers.fields import Id, Moment, Paragraphs, Text
from handlers.paging import PageQuery
from handlers.routes import SIGNED_IN, route


class NewComment(Schema):
    """What to say. The same `client_id` again is the same comment, over the socket as well."""

    text = Paragraphs(1, LONGEST_TEXT, required=True)
    client_id = Text(1, 64, load_default=None, allow_none=True)


class Comment(Schema):
    """A comment."""

    id = Id(attribute="_id", required=True)
    post = Id(required=True)
    user = Id(required=True)
    name = fields.String(required=True)
    text = fields.String(required=True)
    created_at = Moment(required=True)


class CommentPage(Schema):
    """A page of comments, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Comment), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


@route("GET", "/posts/{id}/comments", SIGNED_IN, query=PageQuery, answer=CommentPage, raises=(NotFound,))
async def comments(call: Call) -> dict[str, Any]:
    """What is said about a post, without those with whom one has a block."""
    items, cursor = await call.contexts.social.comments.page(
        call.user, call.path("id"), call.query["limit"], call.query["cursor"]
    )
    return {"items": items, "next_cursor": cursor}


@route(
    "POST",
    "/posts/{id}/comments",
    SIGNED_IN,
    status=201,
    body=NewComment,
    answer=Comment,
    idempotent=True,
    raises=(NotFound, Gone),
)
async def add(call: Call) -> dict[str, Any]:
    """Say something about a post that one may see."""
    return await call.contexts.social.comments.add(
        call.user, call.path("id"), call.body["text"], call.body["client_id"]
    )


@route("DELETE", "/comments/{id}", SIGNED_IN, status=204, raises=(NotFound,))
async def delete(call: Call) -> None:
    """Delete a comment of one's own, or one on a post of one's own."""
    await call.contexts.social.comments.delete(call.user, call.path("id"))
