"""Authorization: who may do what to whose things, on the socket and by REST.

The matrix of the routes is made from the route table, in tests/handlers/test_routes.py; that of the commands
here, from their registry: a new command with a field is tried by being there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from aiohttp import ClientSession

from config.settings import Settings
from fittracker.caller import SYSTEM
from fittracker.grants import KINDS
from fittracker.policy import Policy
from handlers.rest import MODULES
from handlers.routes import Routes
from tests.handlers.api import Api
from tests.house import House, open_house
from tests.peer import Peer, connect
from tests.people import Person
from tests.ws.filmed import opened, squats
from tests.ws.heart_rate import Strap, samples, strap
from ws.features import registry

COMMANDS = registry().commands
NEVER = "f" * 24


@pytest.fixture(scope="module")
async def house(settings: Settings) -> AsyncIterator[House]:
    """A server with sockets."""
    async with open_house(settings.with_changes(ws_sockets_per_address=1_000, hr_flush_s=0.05)) as house:
        yield house


# -- C1: the matrix of the commands --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Things:
    """What the owner has: themselves, a session they have entered, a stream, a message, and news.

    And a lesson: a session they lead, with a guest in it.
    """

    owner: str
    session: str
    stream: str
    conversation: str
    message: str
    notification: str = NEVER
    lesson: str = NEVER
    guest: str = NEVER
    post: str = NEVER
    analysis: str = NEVER
    challenge: str = NEVER

    @property
    def rooms(self) -> list[str]:
        """Every kind of room that could be theirs."""
        return [*self.talking, f"heart:{self.owner}", f"user:{self.owner}", f"post:{self.post}"]

    @property
    def talking(self) -> list[str]:
        """Those in which people talk."""
        return [f"session:{self.session}", f"chat:{self.conversation}", f"challenge:{self.challenge}"]


NOTHING = Things(NEVER, NEVER, "00000000-0000-4000-8000-000000000000", NEVER, NEVER)
Bodies = Callable[[Things], list[dict[str, Any]]]


def _comment(post: str) -> dict[str, Any]:
    return {"post": post, "text": "Well done.", "client_id": str(uuid4())}


def _said(room: str) -> dict[str, Any]:
    return {"room": room, "text": "Hello.", "client_id": str(uuid4())}


def _cue(session: str, to: str | None = None) -> list[dict[str, Any]]:
    cue = {"session": session, "kind": "praise", "client_id": str(uuid4())}
    return [cue if to is None else cue | {"to": to}]


def _feedback(session: str, to: str) -> list[dict[str, Any]]:
    said = {"code": "depth", "severity": "info", "text": "Deeper.", "client_id": str(uuid4())}
    return [{"session": session, "to": to, **said}]


def _filming() -> dict[str, Any]:
    return {"exercise": "squat", "model": "coco17"}


NAMED: dict[tuple[str, str], Bodies] = {
    ("room.join", "room"): lambda of: [{"room": each} for each in of.rooms],
    ("room.members", "room"): lambda of: [{"room": each} for each in of.rooms],
    # Nobody leaves the room of all their sockets, whoever's it is.
    ("room.leave", "room"): lambda of: [{"room": each} for each in of.rooms if not each.startswith("user:")],
    ("presence.query", "users"): lambda of: [{"users": [of.owner]}],
    ("hr.watch", "user"): lambda of: [{"user": of.owner}],
    ("hr.unwatch", "user"): lambda of: [{"user": of.owner}],
    ("hr.open", "stream"): lambda of: [{"stream": of.stream}],
    ("hr.open", "session"): lambda of: [{"stream": str(uuid4()), "session": of.session}],
    ("hr.push", "stream"): lambda of: [{"stream": of.stream, "samples": samples(2)}],
    ("hr.close", "stream"): lambda of: [{"stream": of.stream}],
    ("form.open", "session"): lambda of: [_filming() | {"session": of.session}],
    ("form.push", "analysis"): lambda of: [{"analysis": of.analysis, "frames": squats(1)[:2]}],
    ("form.close", "analysis"): lambda of: [{"analysis": of.analysis}],
    ("chat.send", "room"): lambda of: [_said(each) for each in of.talking],
    ("chat.send", "reply_to"): lambda of: [_said(of.talking[1]) | {"reply_to": of.message}],
    ("chat.history", "room"): lambda of: [{"room": each} for each in of.talking],
    ("chat.typing", "room"): lambda of: [{"room": each, "on": True} for each in of.talking],
    ("chat.read", "room"): lambda of: [{"room": each, "seq": 1} for each in of.talking],
    ("chat.edit", "id"): lambda of: [{"id": of.message, "text": "Hello again."}],
    ("chat.react", "id"): lambda of: [{"id": of.message, "emoji": "👍", "on": True}],
    ("chat.delete", "id"): lambda of: [{"id": of.message}],
    ("notify.read", "ids"): lambda of: [{"ids": [of.notification]}],
    ("session.start", "session"): lambda of: [{"session": of.lesson}],
    ("session.pause", "session"): lambda of: [{"session": of.lesson}],
    ("session.resume", "session"): lambda of: [{"session": of.lesson}],
    ("session.end", "session"): lambda of: [{"session": of.lesson}],
    ("session.roster", "session"): lambda of: [{"session": each} for each in (of.lesson, of.session)],
    ("session.cue", "session"): lambda of: _cue(of.lesson),
    ("session.cue", "to"): lambda of: _cue(of.lesson, of.guest),
    ("session.feedback", "session"): lambda of: _feedback(of.lesson, of.guest),
    ("session.feedback", "to"): lambda of: _feedback(of.lesson, of.guest),
    ("social.like", "post"): lambda of: [{"post": of.post}],
    ("social.unlike", "post"): lambda of: [{"post": of.post}],
    ("social.comment", "post"): lambda of: [_comment(of.post)],
    ("challenge.progress", "challenge"): lambda of: [
        {"challenge": of.challenge, "value": 1.5, "client_id": str(uuid4())}
    ],
    ("challenge.board", "challenge"): lambda of: [{"challenge": of.challenge}],
}
"""For each field that names something: commands with the owner's thing in it."""
PLAIN = {
    ("auth", "token"),
    ("room.join", "since"),
    ("hr.open", "device"),
    ("hr.open", "sport"),
    ("hr.push", "samples"),
    ("form.open", "exercise"),
    ("form.open", "model"),
    ("form.open", "aspect"),
    ("form.open", "space"),
    ("form.open", "count_from"),
    ("form.push", "frames"),
    ("chat.send", "text"),
    ("chat.send", "client_id"),
    ("chat.edit", "text"),
    ("chat.react", "emoji"),
    ("chat.react", "on"),
    ("chat.typing", "on"),
    ("chat.read", "seq"),
    ("chat.history", "before"),
    ("chat.history", "limit"),
    ("notify.list", "cursor"),
    ("notify.list", "limit"),
    ("notify.read", "all"),
    ("session.cue", "kind"),
    ("session.cue", "text"),
    ("session.cue", "seconds"),
    ("session.cue", "client_id"),
    ("session.feedback", "code"),
    ("session.feedback", "severity"),
    ("session.feedback", "text"),
    ("session.feedback", "client_id"),
    ("social.comment", "text"),
    ("social.comment", "client_id"),
    ("challenge.progress", "value"),
    ("challenge.progress", "client_id"),
    ("challenge.board", "limit"),
}
"""Fields that name nothing that could be somebody's. Each new one is a decision."""
OF_ONESELF = {"room.leave", "hr.unwatch"}
"""What only ends something of one's own socket: with the thing of another there is nothing to end."""
UNSEEN: dict[str, dict[str, Any]] = {"presence.query": {"online": {}}}
"""What answers instead of refusing: whom one may not know of looks like who is offline."""
NEW = {("hr.open", "stream")}
"""What nobody has yet is made by naming it."""


class Scene:
    """An owner with a socket, and everybody else."""

    def __init__(self, house: House, stack: AsyncExitStack) -> None:
        self.house = house
        self._stack = stack
        self.owner: Person
        self.peer: Peer
        self.worn: Strap
        self.things: Things
        self.former: Person

    async def set(self) -> None:
        """The owner is in a session and streams; a trainer they had before has lost everything."""
        people = self.house.people
        self.former, trainer = await people.trainer(), await people.trainer()
        self.owner = await people.athlete()
        before = await people.session(self.former, [self.owner])
        await people.contexts.coaching.enter(before, self.owner.id)
        await people.contexts.grants.end_between(self.owner.id, self.former.id, caller=SYSTEM)
        session = await people.session(trainer, [self.owner])
        self.peer = await self.socket(self.owner)
        self.worn = await strap(self.peer, session=session)
        await self.worn.push(*samples(1))
        await self.worn.ack(1)
        conversation = await people.conversation(self.owner, trainer)
        said = await self.peer.call("chat.send", **_said(f"chat:{conversation}"))
        self.things = Things(self.owner.id, session, self.worn.stream, conversation, said["id"])
        notifications = people.contexts.notifications
        await notifications.notify(self.owner.id, "social", event="user.followed", key="1", by=trainer.id)
        (entry,) = (await notifications.page(self.owner.id, 1, None)).items
        guest = await people.athlete()
        self.things = replace(
            self.things,
            notification=entry["_id"],
            lesson=await people.lesson(self.owner, [guest]),
            guest=guest.id,
            analysis=await opened(self.peer, session=session),
        )
        # For followers, of whom there are none.
        post = await people.contexts.social.posts.create(self.owner.id, "A run.", None, "followers")
        challenge = await people.challenge(self.owner)
        self.things = replace(self.things, post=post["_id"], challenge=challenge)
        for room in self.things.rooms:
            await self.peer.call("room.join", room=room)

    async def socket(self, person: Person | None) -> Peer:
        """A socket of theirs; of nobody's for None."""
        return await self._stack.enter_async_context(
            connect(self.house.url, person.token if person else None)
        )

    async def strangers(self) -> dict[str, Person]:
        """Everybody who is not the owner."""
        people = self.house.people
        (admin,) = await people.crowd(1, "admin")
        return {
            "another user": await people.athlete(),
            "an unrelated trainer": await people.trainer(),
            "a former trainer": self.former,
            "an admin": admin,
        }

    def owner_rooms(self) -> set[str]:
        """Where the owner's sockets are."""
        return {name for each in self.house.realtime.hub.of_user(self.owner.id) for name in each.rooms}


@asynccontextmanager
async def a_scene(house: House) -> AsyncIterator[Scene]:
    """A new one."""
    async with AsyncExitStack() as stack:
        scene = Scene(house, stack)
        await scene.set()
        yield scene


def fields(name: str) -> list[str]:
    """The fields of a command's data."""
    return [each.encode_name for each in msgspec.structs.fields(COMMANDS[name].data)]


def test_C1_every_field_of_every_command_is_known_to_name_something_or_not() -> None:
    """A new one fails here until somebody has said what it could belong to."""
    every = {(name, field) for name in COMMANDS for field in fields(name)}
    assert every == NAMED.keys() | PLAIN
    assert not NAMED.keys() & PLAIN


@pytest.mark.parametrize(("name", "field"), NAMED, ids=lambda each: each)
async def test_C1_what_is_somebody_elses_is_not_there_for_any_command(
    house: House, name: str, field: str
) -> None:
    """For nobody and everybody but the owner: as for what never was, and nothing of the owner's changes."""
    async with a_scene(house) as scene:
        bodies, never = NAMED[name, field](scene.things), NAMED[name, field](NOTHING)
        nobody = await scene.socket(None)
        for body in bodies:
            assert (await nobody.refused(name, **body))["code"] == "unauthenticated"
        before = scene.owner_rooms()
        for who, person in (await scene.strangers()).items():
            peer = await scene.socket(person)
            for body, nothing in zip(bodies, never, strict=True):
                if name in OF_ONESELF:
                    assert await peer.call(name, **body) == {}, who
                    continue
                if name in UNSEEN:
                    answers = [await peer.call(name, **each) for each in (body, nothing)]
                    assert answers == [UNSEEN[name], UNSEEN[name]], who
                    continue
                refusal = await peer.refused(name, **body)
                assert refusal["code"] == "not_found", (who, body)
                if (name, field) not in NEW:
                    assert refusal == await peer.refused(name, **nothing), (who, body)
        assert scene.owner_rooms() == before
        await scene.worn.push(*samples(3))
        await scene.worn.ack(3)
        for body in bodies:
            await scene.peer.call(name, **body)


# -- C2 and C3: policies and fields of commands --------------------------------------------------------


def test_C2_every_command_and_every_route_has_a_policy() -> None:
    """Declared beside it; there is no default that a forgotten one could fall back to."""
    for each in (*COMMANDS.values(), *Routes(MODULES)):
        assert isinstance(each.policy, Policy), each


@pytest.mark.parametrize("name", COMMANDS)
async def test_C3_fields_of_ours_are_unknown_to_every_command(house: House, name: str) -> None:
    """By name; the socket lives on and is whose it was."""
    person = await house.people.athlete()
    async with connect(house.url, person.token) as peer:
        for field in ("role", "verified", "_id", "owner", "price", "created_at", "$set", "identity"):
            error = await peer.refused(name, **{field: "x"})
            assert (error["code"], set(error["fields"])) == ("invalid", {field})
        assert house.connection(person.id).identity.role == "user"  # type: ignore[union-attr]


# -- C4: what an answer holds --------------------------------------------------------------------------

SHOWN = {"id", "name", "role", "member_since"}
WEIGHED = {*SHOWN, "weight_kg"}
BODY = {"birth_date", "sex", "weight_kg", "height_cm", "resting_hr", "max_hr", "time_zone"}
OWN = {*BODY, "id", "email", "name", "role", "created_at"}
SECRET = {
    *("password", "passwords", "password_hash", "verify", "reset", "email_change", "fingerprint", "hash"),
    *("search", "schema_version", "reporter_email", "family", "previous"),
}


async def fields_of(house: House, person: Person, path: str) -> set[str] | int:
    """The fields of an answer; the status where it is none."""
    headers = {"Authorization": f"Bearer {person.token}"}
    async with ClientSession(headers=headers) as http, http.get(f"{house.url}/api/v1{path}") as answer:
        return set(await answer.json()) if answer.status == 200 else answer.status


async def test_C4_each_role_sees_exactly_its_fields_of_a_person(house: House) -> None:
    """Oneself, a stranger, trainers with grants for one thing or the other, an admin; public and private."""
    people, owner = house.people, await house.people.athlete()
    stranger = await people.athlete()
    (admin,) = await people.crowd(1, "admin")
    trainers = {kind: await people.trainer() for kind in KINDS}
    for kind, trainer in trainers.items():
        await people.contexts.grants.give(owner.id, trainer.id, [kind], caller=SYSTEM)
    path = f"/users/{owner.id}"

    async def seen() -> dict[str, set[str] | int]:
        everybody = {"owner": owner, "stranger": stranger, "admin": admin, **trainers}
        return {who: await fields_of(house, person, path) for who, person in everybody.items()}

    granted = {kind: WEIGHED if kind == "measurements" else SHOWN for kind in KINDS}
    assert await seen() == {"owner": WEIGHED, "stranger": SHOWN, "admin": SHOWN, **granted}
    change = people.contexts.users.change_preferences
    await change(owner.id, {"privacy": {"profile": "private"}}, None)
    assert await seen() == {"owner": WEIGHED, "stranger": 404, "admin": 404, **granted}
    await change(owner.id, {"privacy": {"profile": "public", "weight": "public"}}, None)
    assert await seen() == dict.fromkeys(("owner", "stranger", "admin", *KINDS), WEIGHED)


@pytest.mark.parametrize("role", ["user", "trainer", "admin"])
async def test_C4_everybody_sees_exactly_these_fields_of_themselves(house: House, role: str) -> None:
    """Whatever else is stored with a person."""
    (person,) = await house.people.crowd(1, role)
    assert await fields_of(house, person, "/users/me") == OWN


async def test_C4_no_answer_has_a_field_for_a_secret(api: Api) -> None:
    """Only what a schema declares leaves: so no schema declares one of these."""
    spec = (await api.call("GET", "/openapi.json")).data
    answers = {route.answer.__name__ for route in Routes(MODULES) if route.answer is not None}
    assert answers
    for name in answers:
        assert not SECRET & set(spec["components"]["schemas"][name].get("properties", {})), name


# -- C6: at that moment --------------------------------------------------------------------------------


async def test_C6_what_was_allowed_a_moment_ago_is_looked_at_again(house: House) -> None:
    """Being in a room is no right to be in it: who was taken out is refused by the very next command."""
    async with a_scene(house) as scene:
        room, owner = f"session:{scene.things.session}", scene.owner.id
        sessions = house.people.contexts.database.coaching_sessions
        await scene.peer.call("room.members", room=room)
        # Written past the contexts: nobody is told, so only a look at this moment can find it.
        taken = {"$pull": {"athletes": owner, "entered": owner}}
        await sessions.update_one({"_id": scene.things.session}, taken)
        for name, body in (
            ("room.members", {"room": room}),
            ("room.join", {"room": room}),
            ("hr.open", {"stream": str(uuid4()), "session": scene.things.session}),
        ):
            assert (await scene.peer.refused(name, **body))["code"] == "not_found", name
