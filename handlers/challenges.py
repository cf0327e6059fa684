"""Challenges: made, changed, joined, left, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from fittracker.challenges.board import Row
from fittracker.challenges.challenges import MOST_INVITED, VISIBILITIES
from fittracker.challenges.metrics import METRICS, MOST_TOTAL, PARTS, shown
from fittracker.errors import Conflict, Invalid, NotFound, PreconditionFailed, TooLarge
from fittracker.paging import LARGEST
from handlers.endpoint import Call, Reply
from handlers.fields import Choice, Id, Moment, Number, Paragraphs, Text, WholeText
from handlers.paging import PageQuery
from handlers.routes import SIGNED_IN, route

MOST_GOAL = 1_000_000_000
SCOPES = ("mine", "public")


class NewChallenge(Schema):
    """What is counted from when until just before when; `goal` in m, s, kcal, workouts, or one's own unit.

    `distance`, `time`, `energy` and `workouts` are counted from workouts that begin in the span; `custom` is
    reported. `invite` lets people in that it would not be open to.
    """

    class Meta:
        """`from` is a word of Python, so the field has to be declared by its name."""

        include: ClassVar = {"from": Moment(required=True, attribute="starts_at")}

    to = Moment(required=True, attribute="ends_at")
    title = Text(1, 120, required=True)
    about = Paragraphs(0, 2_000, load_default="")
    metric = Choice(*METRICS, required=True)
    unit = Text(0, 20, load_default="")
    goal = Number(0.001, MOST_GOAL, load_default=None, allow_none=True)
    visibility = Choice(*VISIBILITIES, load_default="followers")
    invite = fields.List(Id(), load_default=list, validate=validate.Length(max=MOST_INVITED))


class ChallengeChange(Schema):
    """The fields to change; the end can only be put off, and `invite` adds people."""

    to = Moment(attribute="ends_at")
    title = Text(1, 120)
    about = Paragraphs(0, 2_000)
    goal = Number(0.001, MOST_GOAL, allow_none=True)
    visibility = Choice(*VISIBILITIES)
    invite = fields.List(Id(), validate=validate.Length(max=MOST_INVITED))


class Challenge(Schema):
    """A challenge; its room is `challenge:<id>`. `owner` is null where its maker is gone.

    `state`: planned, running, over (the results are being counted), finished. `joined`: whether one takes
    part, with `total`, and once it is finished `place`.
    """

    class Meta:
        """As above."""

        include: ClassVar = {"from": Moment(required=True, attribute="starts_at")}

    to = Moment(required=True, attribute="ends_at")
    id = Id(attribute="_id", required=True)
    owner = Id(required=True, allow_none=True)
    title = fields.String(required=True)
    about = fields.String(required=True)
    metric = fields.String(required=True)
    unit = fields.String(required=True)
    goal = fields.Float(allow_none=True, required=True)
    visibility = fields.String(required=True)
    state = fields.String(required=True)
    participants = fields.Integer(required=True)
    joined = fields.Boolean(required=True)
    total = fields.Float(allow_none=True, required=True)
    place = fields.Integer(allow_none=True, required=True)
    created_at = Moment(required=True)


class ChallengePage(Schema):
    """A page of challenges; `next_cursor` is null on the last one."""

    items = fields.List(fields.Nested(Challenge), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class ChallengeQuery(PageQuery):
    """`mine`: those one takes part in, the last joined first; `public`: those anybody may join."""

    scope = Choice(*SCOPES, load_default="mine")


class BoardQuery(Schema):
    """How many lines, after which rank."""

    limit = WholeText(1, LARGEST, load_default=50)
    cursor = WholeText(1, 10**6, load_default=0)


class BoardLine(Schema):
    """Where somebody stands. Of two with the same value, who reached it first is ahead."""

    rank = fields.Integer(required=True)
    user = Id(required=True)
    name = fields.String(required=True)
    value = fields.Float(required=True)


class BoardPage(Schema):
    """A stretch of the board; `mine` is null for who does not take part, `next_cursor` on the last page."""

    items = fields.List(fields.Nested(BoardLine), required=True)
    mine = fields.Nested(BoardLine, allow_none=True, required=True)
    participants = fields.Integer(required=True)
    next_cursor = fields.String(allow_none=True, required=True)


@route("GET", "/challenges", SIGNED_IN, query=ChallengeQuery, answer=ChallengePage, compress=True)
async def challenges(call: Call) -> dict[str, Any]:
    """The challenges that one takes part in, or that everybody may join."""
    query, found = call.query, call.contexts.arena.challenges
    page = found.of_member if query["scope"] == "mine" else found.public
    items, cursor = await page(call.user, query["limit"], query["cursor"])
    return {"items": [_shown(call, each) for each in items], "next_cursor": cursor}


@route(
    "POST",
    "/challenges",
    SIGNED_IN,
    status=201,
    body=NewChallenge,
    answer=Challenge,
    idempotent=True,
    raises=(Conflict,),
)
async def create(call: Call) -> Reply:
    """Make a challenge, and take part in it. For one's followers, where nothing else is said."""
    arena, body = call.contexts.arena, dict(call.body)
    made = await arena.challenges.create(call.user, **{**body, "goal": _goal(body["goal"])})
    return _reply(call, await arena.join(call.user, made["_id"]))


@route("GET", "/challenges/{id}", SIGNED_IN, answer=Challenge, raises=(NotFound,))
async def challenge(call: Call) -> Reply:
    """A challenge that one may look at. Its ETag changes when it is changed, not when it is joined."""
    return _reply(call, await call.contexts.arena.challenges.get(call.user, call.path("id")))


@route(
    "PATCH",
    "/challenges/{id}",
    SIGNED_IN,
    body=ChallengeChange,
    answer=Challenge,
    raises=(NotFound, Conflict, PreconditionFailed, TooLarge),
)
async def change(call: Call) -> Reply:
    """Change a challenge that one has made; with If-Match only if nobody else has."""
    challenges, challenge = call.contexts.arena.challenges, call.path("id")
    await challenges.get(call.user, challenge)  # what is not there has no version that could be compared
    changes = dict(call.body)
    if "goal" in changes:
        changes["goal"] = _goal(changes["goal"])
    changed = await challenges.change(call.user, challenge, changes, call.if_match)
    return _reply(call, changed)


@route("POST", "/challenges/{id}/join", SIGNED_IN, answer=Challenge, raises=(NotFound, Conflict, TooLarge))
async def join(call: Call) -> Reply:
    """Take part, and be seen on the board by everybody who may look at it. Again is the same."""
    return _reply(call, await call.contexts.arena.join(call.user, call.path("id")))


@route("DELETE", "/challenges/{id}/join", SIGNED_IN, status=204, raises=(NotFound, Conflict))
async def leave(call: Call) -> None:
    """Take part no more; who comes back has what they had. Again is the same."""
    await call.contexts.arena.leave(call.user, call.path("id"))


@route("GET", "/challenges/{id}/board", SIGNED_IN, query=BoardQuery, answer=BoardPage, raises=(NotFound,))
async def board(call: Call) -> dict[str, Any]:
    """How they stand; the final places once it is finished."""
    first, limit = call.query["cursor"], call.query["limit"]
    stretch, names = await call.contexts.arena.standings(call.user, call.path("id"), first, limit)

    def line(row: Row) -> dict[str, Any]:
        return {"rank": row.rank, "user": row.user, "name": names.get(row.user, ""), "value": row.value}

    behind = first + len(stretch.rows)
    return {
        "items": [line(row) for row in stretch.rows],
        "mine": None if stretch.mine is None else line(stretch.mine),
        "participants": stretch.participants,
        "next_cursor": str(behind) if stretch.rows and behind < stretch.participants else None,
    }


def _goal(value: float | None) -> int | None:
    """In thousandths, as everything is counted."""
    if value is None:
        return None
    parts = round(value * PARTS)
    if not 0 < parts <= MOST_TOTAL:
        raise Invalid("The goal is not possible.", fields={"goal": "cannot be reached"})
    return parts


def _reply(call: Call, challenge: Mapping[str, Any]) -> Reply:
    return Reply(_shown(call, challenge), version=challenge["version"])


def _shown(call: Call, challenge: Mapping[str, Any]) -> dict[str, Any]:
    mine, goal = challenge["mine"], challenge["goal"]
    return {
        **challenge,
        "goal": None if goal is None else shown(goal),
        "state": call.contexts.arena.challenges.state(challenge),
        "joined": mine is not None,
        "total": None if mine is None else shown(mine["total"]),
        "place": None if mine is None else mine["place"],
    }
