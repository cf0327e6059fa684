"""The second factor: turning it on with an app, and off."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from fittracker.auth.second_factor import LONGEST
from fittracker.errors import Conflict
from handlers.endpoint import Call
from handlers.fields import Secret
from handlers.routes import SIGNED_IN, route


class TotpSecret(Schema):
    """What an app needs: the secret in base32, and the same as an otpauth URI for a QR code."""

    secret = fields.String(required=True)
    uri = fields.String(required=True)


class TotpCode(Schema):
    """A code that the app shows."""

    code = Secret(LONGEST, required=True)


class TotpEnd(TotpCode):
    """The password, and a code of the app or a recovery code."""

    current = Secret(required=True)


class RecoveryCodes(Schema):
    """Ten codes, each good once in the place of the app's; they are shown this once."""

    recovery_codes = fields.List(fields.String(), required=True)


@route("POST", "/auth/totp/start", SIGNED_IN, answer=TotpSecret, raises=(Conflict,))
async def start(call: Call) -> dict[str, Any]:
    """A secret for an app. Nothing changes until a code of it was confirmed."""
    return await call.contexts.accounts.second_factor.start(call.user)


@route(
    "POST",
    "/auth/totp/confirm",
    SIGNED_IN,
    body=TotpCode,
    answer=RecoveryCodes,
    group="auth",
    raises=(Conflict,),
)
async def confirm(call: Call) -> dict[str, Any]:
    """Turn the second factor on: from now on signing in needs a code as well."""
    codes = await call.contexts.accounts.second_factor.confirm(call.user, call.body["code"], call.caller)
    return {"recovery_codes": codes}


@route("POST", "/auth/totp/disable", SIGNED_IN, status=204, body=TotpEnd, group="auth", raises=(Conflict,))
async def disable(call: Call) -> None:
    """Turn the second factor off, knowing the password and a code. Wrong ones count as tries to sign in."""
    await call.contexts.accounts.end_second_factor(
        call.user, call.body["current"], call.body["code"], call.caller
    )
