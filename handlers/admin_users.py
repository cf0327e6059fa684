"""People's accounts, for administrators."""

from __future__ import annotations

from typing import Any, ClassVar

from marshmallow import Schema, fields

from fittracker.administration import REASONS, ROLES
from fittracker.errors import Conflict, NotFound
from fittracker.paging import LARGEST
from handlers.auth import Session
from handlers.endpoint import Call
from handlers.fields import Choice, Flag, FlagText, Id, Moment, Text, WholeText
from handlers.routes import ADMIN, route


class PeopleSearch(Schema):
    """Which people: all that match every given parameter, registered in the half-open span of time.

    `query` is a whole e-mail address, or what the name begins with.
    """

    class Meta:
        """`from` is a word of Python, so the field has to be declared by its name."""

        include: ClassVar = {"from": Moment(load_default=None, attribute="since")}

    to = Moment(load_default=None, attribute="until")
    query = Text(1, 254, load_default=None)
    role = Choice(*ROLES, load_default=None)
    disabled = FlagText(load_default=None)
    deleting = FlagText(load_default=None)
    verified = FlagText(load_default=None)
    limit = WholeText(1, LARGEST, load_default=50)
    cursor = Text(1, 50, load_default=None)


class Account(Schema):
    """An account. `deletion_due_at`: its owner has asked for its deletion; such a one is disabled as well.

    `last_sign_in_at` is null where that is longer ago than a session lives.
    """

    id = Id(attribute="_id", required=True)
    email = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    created_at = Moment(required=True)
    verified_at = Moment(required=True, allow_none=True)
    disabled_at = Moment(required=True, allow_none=True)
    deletion_due_at = Moment(required=True, allow_none=True)
    last_sign_in_at = Moment(required=True, allow_none=True)


class AccountPage(Schema):
    """A page of them, newest first; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Account), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class AccountChange(Schema):
    """What to change, at least one of `role` and `disabled`, and why."""

    role = Choice(*ROLES, load_default=None)
    disabled = Flag(load_default=None)
    reason = Choice(*REASONS, required=True)


class SignIn(Session):
    """Where somebody is signed in."""

    class Meta:
        """Which of them is the one that asks makes no sense here."""

        exclude: ClassVar = ("current",)


class SignInList(Schema):
    """All of them, last used first."""

    items = fields.List(fields.Nested(SignIn), required=True)


@route("GET", "/admin/users", ADMIN, query=PeopleSearch, answer=AccountPage)
async def users(call: Call) -> dict[str, Any]:
    """Find people, newest first. Looking is written down."""
    search = dict(call.query)
    limit, cursor = search.pop("limit"), search.pop("cursor")
    items, following = await call.contexts.administration.page(search, limit, cursor, call.caller)
    return {"items": items, "next_cursor": following}


@route("GET", "/admin/users/{id}", ADMIN, answer=Account, raises=(NotFound,))
async def user(call: Call) -> dict[str, Any]:
    """One account. Looking is written down."""
    return await call.contexts.administration.get(call.path("id"), call.caller)


@route("PATCH", "/admin/users/{id}", ADMIN, body=AccountChange, answer=Account, raises=(NotFound, Conflict))
async def change_user(call: Call) -> dict[str, Any]:
    """Give somebody another role, disable or enable them, in effect everywhere at once.

    Who is disabled loses every session, device token and socket (4503). Who has another role has to sign in
    again (4010); who is no trainer any more loses the grants, and the coaching sessions they lead end. 409
    for oneself, for an account that waits for its deletion, and for one whose address nobody has proved.
    """
    body = call.body
    return await call.contexts.administration.change(
        call.path("id"), body["role"], body["disabled"], body["reason"], call.caller
    )


@route("GET", "/admin/users/{id}/sessions", ADMIN, answer=SignInList, raises=(NotFound,))
async def user_sessions(call: Call) -> dict[str, Any]:
    """Where somebody is signed in. Looking is written down."""
    return {"items": await call.contexts.administration.sessions(call.path("id"), call.caller)}


@route("DELETE", "/admin/users/{id}/sessions", ADMIN, status=204, raises=(NotFound,))
async def end_user_sessions(call: Call) -> None:
    """Sign somebody out everywhere: tokens are worthless at once, sockets close. Device tokens stay."""
    await call.contexts.administration.end_sessions(call.path("id"), call.caller)


@route("DELETE", "/admin/users/{id}/sessions/{session}", ADMIN, status=204, raises=(NotFound,))
async def end_user_session(call: Call) -> None:
    """Sign somebody out on one device."""
    await call.contexts.administration.end_session(call.path("id"), call.path("session"), call.caller)
