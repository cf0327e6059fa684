"""Conversations: begun, listed and read; talking itself is done over the socket."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import Schema, fields, validate
from msgspec import structs

from fittracker.chat.conversations import MOST_MEMBERS
from fittracker.errors import NotFound
from fittracker.paging import LARGEST
from handlers.endpoint import Call
from handlers.fields import Choice, Id, Moment, Text, WholeText
from handlers.routes import SIGNED_IN, route

HIGHEST: Final = 2**53 - 1


class NewConversation(Schema):
    """With one other person, or a group with a title."""

    kind = Choice("direct", "group", required=True)
    members = fields.List(Id(), required=True, validate=validate.Length(max=MOST_MEMBERS))
    title = Text(1, 120, load_default=None, allow_none=True)


class Conversation(Schema):
    """A conversation; its room is `chat:<id>`. `title` and `owner` are null where it is of two people."""

    id = Id(attribute="_id", required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True, allow_none=True)
    owner = Id(required=True, allow_none=True)
    members = fields.List(Id(), required=True)
    created_at = Moment(required=True)
    last_at = Moment(required=True)


class ConversationQuery(Schema):
    """How many, and from where."""

    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 60, load_default=None)


class ConversationPage(Schema):
    """A page of them, the last used first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Conversation), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class MessageQuery(Schema):
    """How many, and below which number: the `seq` of the oldest one that was read."""

    limit = WholeText(1, LARGEST, load_default=50)
    before = WholeText(1, HIGHEST, load_default=None)


class Message(Schema):
    """A message as it is now."""

    id = Id(required=True)
    seq = fields.Integer(required=True)
    epoch = fields.String(required=True)
    at = fields.String(required=True)
    user = Id(required=True, allow_none=True)
    name = fields.String(required=True)
    text = fields.String(required=True, allow_none=True)
    reply_to = Id(required=True, allow_none=True)


class MessagePage(Schema):
    """Messages, oldest first, as `chat.history` gives them; `more`: there are older ones."""

    messages = fields.List(fields.Nested(Message), required=True)
    more = fields.Boolean(required=True)


@route(
    "POST",
    "/conversations",
    SIGNED_IN,
    status=201,
    body=NewConversation,
    answer=Conversation,
    idempotent=True,
    raises=(NotFound,),
)
async def begin(call: Call) -> dict[str, Any]:
    """Begin a conversation. With one person there is only one: again gives the same."""
    body = call.body
    return await call.contexts.conversations.begin(call.user, body["kind"], body["members"], body["title"])


@route("GET", "/conversations", SIGNED_IN, query=ConversationQuery, answer=ConversationPage)
async def conversations(call: Call) -> dict[str, Any]:
    """The conversations that one belongs to."""
    found = await call.contexts.conversations.page(call.user, call.query["limit"], call.query["cursor"])
    return {"items": found[0], "next_cursor": found[1]}


@route("GET", "/conversations/{id}", SIGNED_IN, answer=Conversation, raises=(NotFound,))
async def conversation(call: Call) -> dict[str, Any]:
    """One of them."""
    return await call.contexts.conversations.get(call.user, call.path("id"))


@route(
    "GET",
    "/conversations/{id}/messages",
    SIGNED_IN,
    query=MessageQuery,
    answer=MessagePage,
    raises=(NotFound,),
)
async def messages(call: Call) -> dict[str, Any]:
    """What was said in a conversation, the same in the same order as over the socket."""
    room = f"chat:{call.path('id')}"
    page = await call.contexts.chat.history(
        call.user, room, before=call.query["before"], limit=call.query["limit"]
    )
    return {"messages": [structs.asdict(each) for each in page.messages], "more": page.more}
