"""Blocks: with whom one wants to have nothing to do."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from fittracker.errors import NotFound
from fittracker.paging import LARGEST
from handlers.endpoint import Call
from handlers.fields import Id, Moment, Text, WholeText
from handlers.routes import SIGNED_IN, route


class NewBlock(Schema):
    """Whom to block."""

    user = Id(required=True)


class Block(Schema):
    """Somebody whom one has blocked; `name` is empty where they are gone."""

    user = Id(attribute="other", required=True)
    name = fields.String(required=True)
    created_at = Moment(required=True)


class BlockQuery(Schema):
    """How many, and from where."""

    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 60, load_default=None)


class BlockPage(Schema):
    """A page of them, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Block), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


@route("GET", "/users/me/blocks", SIGNED_IN, query=BlockQuery, answer=BlockPage)
async def blocks(call: Call) -> dict[str, Any]:
    """Whom one has blocked."""
    items, cursor = await call.contexts.blocks.page(call.user, call.query["limit"], call.query["cursor"])
    return {"items": items, "next_cursor": cursor}


@route("POST", "/users/me/blocks", SIGNED_IN, status=201, body=NewBlock, answer=Block, raises=(NotFound,))
async def block(call: Call) -> dict[str, Any]:
    """Block somebody: neither finds, sees or coaches the other any more. Again is the same."""
    return await call.contexts.blocks.add(call.user, call.body["user"], call.caller)


@route("DELETE", "/users/me/blocks/{id}", SIGNED_IN, status=204, raises=(NotFound,))
async def unblock(call: Call) -> None:
    """Take a block back, by the id of the person. Grants that ended with it do not come back."""
    await call.contexts.blocks.remove(call.user, call.path("id"), call.caller)
