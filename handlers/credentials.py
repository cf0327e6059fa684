"""Passwords and e-mail addresses: forgotten, and changed."""

from __future__ import annotations

from marshmallow import Schema

from fittracker.errors import Conflict
from handlers.auth import Email, Token
from handlers.endpoint import Call
from handlers.fields import Secret, Text
from handlers.routes import ANYBODY, SIGNED_IN, route


class Reset(Token):
    """The token out of the mailed link, and the new password."""

    password = Secret(required=True)


class PasswordChange(Schema):
    """The present password, and the one that takes its place."""

    current = Secret(required=True)
    password = Secret(required=True)


class EmailChange(Schema):
    """The present password, and the address that takes the place of the present one."""

    current = Secret(required=True)
    email = Text(3, 254, required=True)


@route("POST", "/auth/password/forgot", ANYBODY, status=202, body=Email, group="auth")
async def forgot(call: Call) -> None:
    """Ask for a link to set a new password. The answer is always the same; an older link dies."""
    await call.contexts.accounts.recovery.forgot(call.body["email"], call.caller)


@route("POST", "/auth/password/reset", ANYBODY, status=204, body=Reset, group="auth")
async def reset(call: Call) -> None:
    """Set a new password with the token out of the mailed link, which works once.

    Nobody is signed in by this: all sessions of the account end, and their sockets close. The last five
    passwords are refused.
    """
    await call.contexts.accounts.recovery.reset(call.body["token"], call.body["password"], call.caller)


@route(
    "POST",
    "/auth/password/change",
    SIGNED_IN,
    status=204,
    body=PasswordChange,
    group="auth",
    raises=(Conflict,),
)
async def change_password(call: Call) -> None:
    """Set a new password, knowing the present one. All other sessions end.

    A wrong `current` is 422 and counts as a try to sign in. The last five passwords are refused.
    """
    await call.contexts.accounts.password_change.change(
        call.user, call.identity.sid, call.body["current"], call.body["password"], call.caller
    )


@route("POST", "/auth/email/change", SIGNED_IN, status=202, body=EmailChange, group="auth")
async def change_email(call: Call) -> None:
    """Ask for another address, knowing the password. It counts once the link mailed there is followed.

    The answer is the same whether the address is free or not.
    """
    await call.contexts.accounts.email_change.start(
        call.user, call.identity.sid, call.body["current"], call.body["email"], call.caller
    )


@route("POST", "/auth/email/confirm", ANYBODY, status=204, body=Token, group="auth")
async def confirm_email(call: Call) -> None:
    """Make a new address count, with the token out of the link mailed there. It works once.

    The old address is told; all sessions end but the one that asked for the change.
    """
    await call.contexts.accounts.email_change.confirm(call.body["token"], call.caller)
