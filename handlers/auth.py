"""Registering, signing in and out, and the tokens of devices and sockets."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from fittracker.auth.device_tokens import SCOPES
from fittracker.auth.registration import ROLES
from fittracker.auth.second_factor import LONGEST as LONGEST_CODE
from fittracker.auth.sessions import Pair
from fittracker.errors import Conflict, NotFound, TotpRequired, Unauthenticated
from handlers.endpoint import Call
from handlers.fields import Choice, Id, Moment, Secret, Text
from handlers.routes import ANYBODY, SIGNED_IN, route
from handlers.users import Heart, Me


class Registration(Heart):
    """A new account. The password has 10 to 128 characters and must not be easy to guess."""

    email = Text(3, 254, required=True)
    password = Secret(required=True)
    name = Text(1, 80, required=True)
    role = Choice(*ROLES, load_default="user")


class Email(Schema):
    """Somebody's address."""

    email = Text(3, 254, required=True)


class Token(Schema):
    """The token out of a mailed link."""

    token = Secret(required=True)


class Credentials(Schema):
    """What one signs in with; `totp` where a second factor is on: a code of the app, or a recovery code."""

    email = Text(1, 254, required=True)
    password = Secret(required=True)
    totp = Secret(LONGEST_CODE)


class RefreshToken(Schema):
    """A refresh token that was not used yet."""

    refresh_token = Secret(required=True)


class Tokens(Schema):
    """`access_token` for requests, for `expires_in` seconds; `refresh_token` for the next pair, once."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.Constant("Bearer")
    expires_in = fields.Integer(required=True)


class SignedIn(Tokens):
    """The tokens, and who it is."""

    user = fields.Nested(Me, required=True)


class Session(Schema):
    """Where somebody is signed in."""

    id = Id(attribute="_id", required=True)
    device = fields.String(required=True)
    address = fields.String(required=True)
    created_at = Moment(required=True)
    last_used_at = Moment(required=True)
    expires_at = Moment(required=True)
    current = fields.Boolean(required=True)


class SessionList(Schema):
    """All of them, last used first."""

    items = fields.List(fields.Nested(Session), required=True)


class NewDeviceToken(Schema):
    """A name to know it by, and what it may do."""

    name = Text(1, 80, required=True)
    scopes = fields.List(Choice(*sorted(SCOPES)), required=True)


class DeviceToken(Schema):
    """A device token, without the token."""

    id = Id(attribute="_id", required=True)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    created_at = Moment(required=True)


class CreatedDeviceToken(DeviceToken):
    """A device token, with the token: it is shown this once."""

    token = fields.String(required=True)


class DeviceTokenList(Schema):
    """All of them, newest first."""

    items = fields.List(fields.Nested(DeviceToken), required=True)


class Ticket(Schema):
    """Good for one `GET /ws?ticket=`, for so many seconds."""

    ticket = fields.String(required=True)
    expires_in = fields.Integer(required=True)


@route("POST", "/auth/register", ANYBODY, status=202, body=Registration, group="auth")
async def register(call: Call) -> None:
    """Make an account.

    The answer is the same whether the address was free or not; a mail tells its owner how it goes on.
    """
    profile = dict(call.body)
    email, password, name, role = (profile.pop(field) for field in ("email", "password", "name", "role"))
    await call.contexts.accounts.registration.register(email, password, name, role, profile, call.caller)


@route("POST", "/auth/verify", ANYBODY, status=204, body=Token, group="auth")
async def verify(call: Call) -> None:
    """Prove that an address is one's own, with the token out of the mailed link. It works once."""
    await call.contexts.accounts.registration.verify(call.body["token"], call.caller)


@route("POST", "/auth/verify/resend", ANYBODY, status=202, body=Email, group="auth")
async def resend(call: Call) -> None:
    """Ask for another link. The answer is always the same; the older link dies."""
    await call.contexts.accounts.registration.resend(call.body["email"])


@route(
    "POST",
    "/auth/login",
    ANYBODY,
    body=Credentials,
    answer=SignedIn,
    group="auth",
    raises=(Unauthenticated, TotpRequired),
)
async def login(call: Call) -> dict[str, Any]:
    """Sign in.

    The answer is the same for an unknown address, a wrong password, and an account that is locked, disabled
    or not yet verified. Where a second factor is on, who knows the password and sends no code (or a wrong
    one) gets 401 `totp_required`.
    """
    body = call.body
    pair, person = await call.contexts.accounts.sign_in.login(
        body["email"], body["password"], call.caller, code=body.get("totp")
    )
    return _tokens(pair) | {"user": person}


@route(
    "POST",
    "/auth/refresh",
    ANYBODY,
    body=RefreshToken,
    answer=Tokens,
    group="auth",
    raises=(Unauthenticated,),
)
async def refresh(call: Call) -> dict[str, Any]:
    """A new pair of tokens for a refresh token, which is used up.

    Sending the same one again within 10 s gives the same pair's refresh token; later it ends the session.
    """
    return _tokens(await call.contexts.accounts.sign_in.refresh(call.body["refresh_token"], call.caller))


@route("POST", "/auth/logout", SIGNED_IN, status=204)
async def logout(call: Call) -> None:
    """End this session: its tokens are worthless at once, its sockets close."""
    await call.contexts.sessions.end(call.user, call.identity.sid, call.caller)


@route("POST", "/auth/logout-all", SIGNED_IN, status=204)
async def logout_all(call: Call) -> None:
    """End all of one's sessions, this one as well. Device tokens stay."""
    await call.contexts.sessions.end_all(call.user, caller=call.caller)


@route("GET", "/auth/sessions", SIGNED_IN, answer=SessionList)
async def sessions(call: Call) -> dict[str, Any]:
    """Where one is signed in."""
    current = call.identity.sid
    found = await call.contexts.sessions.of_user(call.user)
    return {"items": [each | {"current": each["_id"] == current} for each in found]}


@route("DELETE", "/auth/sessions/{id}", SIGNED_IN, status=204, raises=(NotFound,))
async def end_session(call: Call) -> None:
    """End one of one's sessions, on whatever device."""
    await call.contexts.sessions.end(call.user, call.path("id"), call.caller)


@route("GET", "/auth/device-tokens", SIGNED_IN, answer=DeviceTokenList)
async def device_tokens(call: Call) -> dict[str, Any]:
    """One's device tokens."""
    return {"items": await call.contexts.device_tokens.of_user(call.user)}


@route(
    "POST",
    "/auth/device-tokens",
    SIGNED_IN,
    status=201,
    body=NewDeviceToken,
    answer=CreatedDeviceToken,
    raises=(Conflict,),
    idempotent=True,
)
async def create_device_token(call: Call) -> dict[str, Any]:
    """A token for a wearable, which lives until it is revoked and may do nothing but its scopes."""
    created, token = await call.contexts.device_tokens.create(
        call.user, call.body["name"], call.body["scopes"], call.caller
    )
    return created | {"token": token}


@route("DELETE", "/auth/device-tokens/{id}", SIGNED_IN, status=204, raises=(NotFound,))
async def end_device_token(call: Call) -> None:
    """Revoke a device token: it is worthless at once, its sockets close."""
    await call.contexts.device_tokens.end(call.user, call.path("id"), call.caller)


@route("POST", "/auth/ws-ticket", SIGNED_IN, answer=Ticket)
async def ws_ticket(call: Call) -> dict[str, Any]:
    """A ticket for a browser, which cannot send a header when it opens a WebSocket."""
    tickets = call.contexts.tickets
    return {"ticket": await tickets.issue(call.identity), "expires_in": tickets.life_s}


def _tokens(pair: Pair) -> dict[str, Any]:
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "expires_in": pair.expires_in,
    }
