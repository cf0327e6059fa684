"""Conversations: begun, listed and read; talking itself is done over the socket."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import Schema, fields, validate
from msgspec import Struct, structs, to_builtins

from fittracker.chat.conversations import MOST_MEMBERS
from fittracker.errors import Conflict, Forbidden, NotFound, TooLarge
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


class Reaction(Schema):
    """An emoji on a message: how many gave it, the first ten of them, and whether oneself did."""

    emoji = fields.String(required=True)
    count = fields.Integer(required=True)
    users = fields.List(Id(), required=True)
    mine = fields.Boolean(required=True)


class Message(Schema):
    """A message as it is now. Of a deleted one `text` is null, and `user` where its author is gone."""

    id = Id(required=True)
    seq = fields.Integer(required=True)
    epoch = fields.String(required=True)
    at = fields.String(required=True)
    user = Id(required=True, allow_none=True)
    name = fields.String(required=True)
    text = fields.String(required=True, allow_none=True)
    reply_to = Id(required=True, allow_none=True)
    mentions = fields.List(Id(), required=True)
    edits = fields.Integer(required=True)
    edited_at = fields.String(required=True, allow_none=True)
    deleted = fields.Boolean(required=True)
    reactions = fields.List(fields.Nested(Reaction), required=True)


class Conversation(Schema):
    """A conversation; its room is `chat:<id>`. `title` and `owner` are null where it is of two people."""

    id = Id(attribute="_id", required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True, allow_none=True)
    owner = Id(required=True, allow_none=True)
    members = fields.List(Id(), required=True)
    created_at = Moment(required=True)
    last_at = Moment(required=True)


class Member(Schema):
    """Somebody who is in it."""

    user = Id(required=True)
    name = fields.String(required=True)


class ConversationInList(Conversation):
    """`people`: the first ten members by name, or all of them where it is one conversation alone.

    One has read it up to `read`; `unread` of others' messages are newer, 100 standing for more as well.
    """

    people = fields.List(fields.Nested(Member), required=True)
    read = fields.Integer(required=True)
    unread = fields.Integer(required=True)
    last = fields.Nested(Message, required=True, allow_none=True)


class Reader(Schema):
    """How far somebody has read."""

    user = Id(required=True)
    seq = fields.Integer(required=True)


class ConversationInFull(ConversationInList):
    """`readers`: how far each member has read; only oneself above a hundred members, and behind a block."""

    readers = fields.List(fields.Nested(Reader), required=True)


class ConversationQuery(Schema):
    """How many, and from where."""

    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 60, load_default=None)


class ConversationPage(Schema):
    """A page of them, the last used first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(ConversationInList), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class MessageQuery(Schema):
    """How many, and below which number: the `seq` of the oldest one that was read."""

    limit = WholeText(1, LARGEST, load_default=50)
    before = WholeText(1, HIGHEST, load_default=None)


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


# Not compressed: what one conversation says would tell, by the length, what another one does (BREACH).
@route("GET", "/conversations", SIGNED_IN, query=ConversationQuery, answer=ConversationPage)
async def conversations(call: Call) -> dict[str, Any]:
    """The conversations that one belongs to, with what is new in them."""
    found = await call.contexts.chat.overview.page(call.user, call.query["limit"], call.query["cursor"])
    return {"items": [_listed(each) for each in found[0]], "next_cursor": found[1]}


@route("GET", "/conversations/{id}", SIGNED_IN, answer=ConversationInFull, raises=(NotFound,), compress=True)
async def conversation(call: Call) -> dict[str, Any]:
    """One of them, and how far everybody has read."""
    return _listed(await call.contexts.chat.overview.one(call.user, call.path("id")))


@route(
    "PUT",
    "/conversations/{id}/members/{user}",
    SIGNED_IN,
    answer=Conversation,
    raises=(NotFound, Forbidden, Conflict, TooLarge),
)
async def add_member(call: Call) -> dict[str, Any]:
    """Add somebody to one's group. They can read what was said there before."""
    membership = call.contexts.chat.membership
    return await membership.add(call.user, call.path("id"), call.path("user"))


@route(
    "DELETE",
    "/conversations/{id}/members/{user}",
    SIGNED_IN,
    status=204,
    raises=(NotFound, Forbidden, Conflict),
)
async def remove_member(call: Call) -> None:
    """Leave a group, or remove somebody from one's own. An owner who leaves hands it to the oldest member."""
    await call.contexts.chat.membership.remove(call.user, call.path("id"), call.path("user"))


@route(
    "GET",
    "/conversations/{id}/messages",
    SIGNED_IN,
    query=MessageQuery,
    answer=MessagePage,
    raises=(NotFound,),
    compress=True,
)
async def messages(call: Call) -> dict[str, Any]:
    """What was said in a conversation, the same in the same order as over the socket."""
    room = f"chat:{call.path('id')}"
    page = await call.contexts.chat.history(
        call.user, room, before=call.query["before"], limit=call.query["limit"]
    )
    return {"messages": [_plain(each) for each in page.messages], "more": page.more}


def _listed(found: dict[str, Any]) -> dict[str, Any]:
    last = found["last"]
    return {**found, "last": None if last is None else _plain(last)}


def _plain(message: Struct) -> dict[str, Any]:
    plain: dict[str, Any] = to_builtins({**structs.asdict(message)})
    return plain
