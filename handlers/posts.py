"""Posts, who likes them, and the feed."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from fittracker.errors import NotFound, PreconditionFailed
from fittracker.social.posts import AUDIENCES, LONGEST_TEXT
from handlers.endpoint import Call, Reply
from handlers.fields import Choice, Id, Moment, Paragraphs
from handlers.paging import PageQuery
from handlers.routes import SIGNED_IN, route


class NewPost(Schema):
    """A text, a workout of one's own, or both; and who may see it."""

    text = Paragraphs(0, LONGEST_TEXT, load_default="")
    workout = Id(load_default=None, allow_none=True)
    visibility = Choice(*AUDIENCES, load_default="followers")


class PostChange(Schema):
    """The fields to change."""

    text = Paragraphs(0, LONGEST_TEXT)
    workout = Id(allow_none=True)
    visibility = Choice(*AUDIENCES)


class SharedWorkout(Schema):
    """What one sees of the workout in a post; the heart rate only where one may see the person's."""

    id = Id(required=True)
    sport = fields.String(allow_none=True, required=True)
    started_at = Moment(required=True)
    duration_s = fields.Float(allow_none=True, required=True)
    distance_m = fields.Float(allow_none=True, required=True)
    kcal = fields.Float(allow_none=True, required=True)
    avg_bpm = fields.Float(allow_none=True)
    max_bpm = fields.Integer(allow_none=True)


class Post(Schema):
    """A post; its room is `post:<id>`. `liked`: whether one likes it oneself."""

    id = Id(attribute="_id", required=True)
    user = Id(required=True)
    name = fields.String(required=True)
    text = fields.String(required=True)
    workout = fields.Nested(SharedWorkout, allow_none=True, required=True)
    visibility = fields.String(required=True)
    likes = fields.Integer(required=True)
    comments = fields.Integer(required=True)
    liked = fields.Boolean(required=True)
    created_at = Moment(required=True)
    edited_at = Moment(allow_none=True, required=True)


class PostPage(Schema):
    """A page of posts, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Post), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class PostQuery(PageQuery):
    """Whose posts, one's own where nobody is named."""

    user = Id(load_default=None)


class LikeState(Schema):
    """Whether one likes it, and how many do."""

    post = Id(required=True)
    liked = fields.Boolean(required=True)
    likes = fields.Integer(required=True)


class Liker(Schema):
    """Somebody who likes it."""

    user = Id(required=True)
    name = fields.String(required=True)
    created_at = Moment(required=True)


class LikerPage(Schema):
    """A page of them, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Liker), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


@route("GET", "/feed", SIGNED_IN, query=PageQuery, answer=PostPage, compress=True)
async def feed(call: Call) -> dict[str, Any]:
    """One's own posts and those of the people one follows."""
    items, cursor = await call.contexts.social.feed.page(call.user, call.query["limit"], call.query["cursor"])
    return {"items": items, "next_cursor": cursor}


@route("GET", "/posts", SIGNED_IN, query=PostQuery, answer=PostPage, compress=True, raises=(NotFound,))
async def posts(call: Call) -> dict[str, Any]:
    """One's own posts, or what one may see of somebody else's."""
    user = call.query["user"] or call.user
    items, cursor = await call.contexts.social.posts.page(
        call.user, user, call.query["limit"], call.query["cursor"]
    )
    return {"items": items, "next_cursor": cursor}


@route("POST", "/posts", SIGNED_IN, status=201, body=NewPost, answer=Post, idempotent=True)
async def create(call: Call) -> Reply:
    """Post something; for followers, where nothing else is said."""
    body = call.body
    made = await call.contexts.social.posts.create(
        call.user, body["text"], body["workout"], body["visibility"]
    )
    return Reply(made, version=made["version"])


@route("GET", "/posts/{id}", SIGNED_IN, answer=Post, raises=(NotFound,))
async def post(call: Call) -> Reply:
    """A post that one may see. Its ETag changes when it is edited, not when it is liked."""
    found = await call.contexts.social.posts.get(call.user, call.path("id"))
    (shown,) = await call.contexts.social.posts.shown(call.user, [found])
    return Reply(shown, version=shown["version"])


@route("PATCH", "/posts/{id}", SIGNED_IN, body=PostChange, answer=Post, raises=(NotFound, PreconditionFailed))
async def change(call: Call) -> Reply:
    """Change a post of one's own; with If-Match only if nobody else has."""
    posts, post = call.contexts.social.posts, call.path("id")
    await posts.get(call.user, post)  # what is not there has no version that could be compared
    changed = await posts.change(call.user, post, call.body, call.if_match)
    return Reply(changed, version=changed["version"])


@route("DELETE", "/posts/{id}", SIGNED_IN, status=204, raises=(NotFound,))
async def delete(call: Call) -> None:
    """Delete a post of one's own, with its likes and comments."""
    await call.contexts.social.posts.delete(call.user, call.path("id"))


@route("POST", "/posts/{id}/like", SIGNED_IN, answer=LikeState, raises=(NotFound,))
async def like(call: Call) -> dict[str, Any]:
    """Like a post; again is the same."""
    return await _like(call, on=True)


@route("DELETE", "/posts/{id}/like", SIGNED_IN, answer=LikeState, raises=(NotFound,))
async def unlike(call: Call) -> dict[str, Any]:
    """Take one's like back; again is the same."""
    return await _like(call, on=False)


async def _like(call: Call, *, on: bool) -> dict[str, Any]:
    post = call.path("id")
    likes = await call.contexts.social.likes.put(call.user, post, on)
    return {"post": post, "liked": on, "likes": likes}


@route("GET", "/posts/{id}/likes", SIGNED_IN, query=PageQuery, answer=LikerPage, raises=(NotFound,))
async def likes(call: Call) -> dict[str, Any]:
    """Who likes a post."""
    items, cursor = await call.contexts.social.likes.page(
        call.user, call.path("id"), call.query["limit"], call.query["cursor"]
    )
    return {"items": items, "next_cursor": cursor}
