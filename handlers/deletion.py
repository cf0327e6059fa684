"""Deleting one's account, and the way back."""

from __future__ import annotations

from marshmallow import Schema

from fittracker.errors import Conflict
from handlers.endpoint import Call
from handlers.fields import Moment, Secret
from handlers.routes import ANYBODY, SIGNED_IN, route


class Farewell(Schema):
    """The current password, and where a second factor is on a code of it."""

    current = Secret(required=True)
    code = Secret(64)


class Closed(Schema):
    """Until when the account can be won back."""

    until = Moment(required=True)


class UndoToken(Schema):
    """The token out of the link that was mailed."""

    token = Secret(required=True)


@route(
    "DELETE",
    "/users/me",
    SIGNED_IN,
    status=202,
    body=Farewell,
    answer=Closed,
    group="auth",
    raises=(Conflict,),
)
async def delete_me(call: Call) -> dict[str, object]:
    """Delete one's account: it is closed at once, and gone everywhere after 30 days.

    All sign-ins and grants end. A mail holds the link that undoes it. A wrong password or code is 422 and
    counts as a try to sign in; 401 `totp_required` where a code is missing.
    """
    body = call.body
    until = await call.contexts.ownership.deletion.ask(
        call.user, body["current"], call.caller, body.get("code")
    )
    return {"until": until}


@route("POST", "/auth/deletion/undo", ANYBODY, status=204, body=UndoToken, group="auth")
async def undo(call: Call) -> None:
    """Keep an account that waits for its deletion, with the token out of the mail. It works once.

    Nobody is signed in by it: sign in as usual afterwards.
    """
    await call.contexts.ownership.deletion.undo(call.body["token"], call.caller)
