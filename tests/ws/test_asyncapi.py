"""The AsyncAPI document: valid, whole, and true of what really goes over the socket."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from click.testing import CliRunner

from fittracker.app import asyncapi_document, openapi_document
from fittracker.commands.asyncapi import command as print_asyncapi
from fittracker.commands.openapi import command as print_openapi
from tests.house import House
from tests.peer import Peer, connect
from tests.people import People
from tests.ws.heart_rate import samples, strap
from ws.asyncapi import FAILURES, document
from ws.asyncapi_page import page
from ws.features import registry
from ws.frames import Close

OFFICIAL = Path(__file__).with_name("asyncapi") / "3.0.0.json"
REGISTRY = registry()
Frames = list[tuple[str, dict[str, Any]]]
# The contract with those who write clients: it only grows.
COMMANDS = {
    *("auth", "ping"),
    *("room.join", "room.leave", "room.members"),
    "presence.query",
    *("hr.open", "hr.push", "hr.close", "hr.watch", "hr.unwatch"),
    *(
        "session.start",
        "session.pause",
        "session.resume",
        "session.end",
        "session.cue",
        "session.feedback",
        "session.roster",
    ),
    *("form.open", "form.push", "form.close"),
    *("chat.send", "chat.edit", "chat.delete", "chat.react", "chat.history", "chat.typing", "chat.read"),
    *("social.like", "social.unlike", "social.comment"),
    *("challenge.progress", "challenge.board"),
    *("notify.read", "notify.list"),
}
EVENTS = {
    *("hello", "auth.expiring"),
    *("server.draining", "server.notice"),
    *("presence.joined", "presence.left", "presence.changed"),
    *("hr.ack", "hr.taken", "hr.update", "hr.alert", "hr.stale", "hr.summary"),
    *("session.state", "session.cue", "session.feedback", "session.joined", "session.left", "session.ended"),
    *("form.rep", "form.fault"),
    *("chat.message", "chat.edited", "chat.deleted", "chat.reaction", "chat.typing", "chat.read"),
    *("social.posted", "social.liked", "social.commented", "social.followed"),
    *("challenge.progress", "challenge.rank", "challenge.finished"),
    "notification",
}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The document, as it is served."""
    return dict(json.loads(asyncapi_document()))


def references(part: Any) -> Iterator[str]:
    """Every `$ref` in it."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def at(whole: Any, reference: str) -> Any:
    """What a reference points to; KeyError for nothing."""
    found = whole
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def validator(made: dict[str, Any], message: str) -> Any:
    """Holds a frame against a message of the document."""
    payload = made["components"]["messages"][message]["payload"]
    return jsonschema_rs.validator_for({**payload, "components": made["components"]})


# -- the document itself -------------------------------------------------------------------------------


def test_it_is_valid_by_the_official_schema(made: dict[str, Any]) -> None:
    """And that schema notices what is wrong."""
    official = jsonschema_rs.validator_for(json.loads(OFFICIAL.read_text()))
    assert [str(each) for each in official.iter_errors(made)] == []
    for place, value in (
        ("info/title", None),
        ("operations/command.ping/action", "answer"),
        ("servers/production/protocol", 7),
        ("components/securitySchemes/token/type", "magic"),
    ):
        broken = copy.deepcopy(made)
        *path, last = place.split("/")
        at(broken, "/".join(path))[last] = value
        assert not official.is_valid(broken), place


def test_every_reference_leads_somewhere(made: dict[str, Any]) -> None:
    """Within the document: it stands alone."""
    found = set(references(made))
    assert len(found) > 100
    for reference in found:
        assert reference.startswith("#/")
        assert at(made, reference)


def test_every_command_and_event_is_in_it(made: dict[str, Any]) -> None:
    """All of the registry, and all that was ever promised; each command with its answers."""
    assert REGISTRY.commands.keys() >= COMMANDS
    assert REGISTRY.events.keys() >= EVENTS
    operations = made["operations"]
    expected = {f"command.{name}" for name in REGISTRY.commands} | {
        f"event.{name}" for name in REGISTRY.events
    }
    assert operations.keys() == expected
    for name in REGISTRY.commands:
        assert operations[f"command.{name}"]["action"] == "receive"
        answers = [each["$ref"] for each in operations[f"command.{name}"]["reply"]["messages"]]
        assert [each.rpartition("/")[2] for each in answers] == [f"result.{name}", "error"]
    for name, event in REGISTRY.events.items():
        sent = operations[f"event.{name}"]
        assert (sent["action"], sent["x-durable"]) == ("send", event.durable)
        fields = made["components"]["messages"][f"event.{name}"]["payload"]["properties"]
        assert ("seq" in fields, "room" in fields) == (event.durable, bool(event.rooms))
    assert all(each["summary"] for each in operations.values())


def test_errors_close_codes_subprotocols_and_ways_to_sign_in_are_in_it(made: dict[str, Any]) -> None:
    """What a client has to handle besides."""
    channel = made["channels"]["socket"]
    assert [each["code"] for each in channel["x-close-codes"]] == sorted(int(code) for code in Close)
    codes = {each["code"] for each in channel["x-errors"]}
    assert codes == {each.code for each in FAILURES}
    assert codes >= {"invalid", "bad_request", "unauthenticated", "forbidden", "not_found", "unavailable"}
    assert channel["x-subprotocols"] == ["fittracker.v1.json", "fittracker.v1.msgpack"]
    assert made["components"]["securitySchemes"].keys() == {"token", "device", "ticket"}
    assert channel["x-rooms"] == list(REGISTRY.rooms)


# -- what really goes over the socket ------------------------------------------------------------------


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Frames:
    """Every frame that peers send ("out") and read ("in"), in order."""
    frames: Frames = []
    read, send = Peer.read, Peer.send_payload

    async def reading(peer: Peer) -> dict[str, Any]:
        frame = await read(peer)
        frames.append(("in", frame))
        return frame

    async def sending(peer: Peer, payload: bytes) -> None:
        frames.append(("out", msgspec.json.decode(payload)))
        await send(peer, payload)

    monkeypatch.setattr(Peer, "read", reading)
    monkeypatch.setattr(Peer, "send_payload", sending)
    return frames


async def conversation(house: House, people: People) -> None:
    """A trainer and an athlete: rooms, presence, a heart, talk, and some refusals."""
    trainer, ada = await people.trainer(), await people.athlete()
    session = await people.session(trainer, [ada])
    room = f"session:{session}"
    async with connect(house.url, trainer.token) as coach, connect(house.url, ada.token) as athlete:
        await coach.call("room.join", room=room)
        await athlete.call("room.join", room=room)
        await coach.expect("presence.joined")
        await coach.call("presence.query", users=[ada.id])
        await coach.call("room.members", room=room)
        worn = await strap(athlete, session=session)
        await worn.push(*samples(1, 3))
        await worn.ack(3)
        await coach.expect("hr.update")
        client_id = "0d9b8a3c-3c57-4b0e-8f5e-3a6f9d0c1b2a"
        said = await coach.call("chat.send", room=room, text="Slowly.", client_id=client_id)
        await athlete.expect("chat.message")
        await athlete.call("chat.react", id=said["id"], emoji="👍", on=True)
        await athlete.call("chat.history", room=room)
        await coach.call("session.roster", session=session)
        await athlete.call("room.join", room=room, since={"epoch": said["epoch"], "seq": 0})
        await coach.refused("room.join", room="session:" + "a" * 24)
        await coach.refused("hr.watch", user="x")
        await athlete.refused("session.end", session=session)
        await worn.close()
        await coach.expect("hr.summary")
        await athlete.close()
        await coach.expect("presence.left")


def held_against(
    made: dict[str, Any], frames: list[tuple[str, dict[str, Any]]]
) -> tuple[set[str], list[str]]:
    """The messages that the frames are, and what is wrong with them.

    A command that is refused as `invalid` is no such message, so it is not held against one.
    """
    asked = {frame["id"]: frame for way, frame in frames if way == "out" and "id" in frame}
    refused = {
        frame["id"]
        for way, frame in frames
        if way == "in" and frame.get("error", {}).get("code") == "invalid"
    }
    seen, wrong = set(), []
    for way, frame in frames:
        name = f"command.{frame['type']}" if way == "out" else f"event.{frame['type']}"
        if way == "in" and frame["type"] == "result":
            name = f"result.{asked[frame['id']]['type']}"
        elif way == "in" and frame["type"] == "error":
            name = "error"
        elif way == "out" and frame.get("id") in refused:
            continue
        seen.add(name)
        wrong += [f"{name}: {error}" for error in validator(made, name).iter_errors(frame)]
    return seen, wrong


async def test_frames_of_a_real_conversation_are_as_it_says(
    house: House, people: People, made: dict[str, Any], recorded: Frames
) -> None:
    """Commands, results, errors and events, as they went over the wire; each socket counts its own ids."""
    numbers = iter(range(1, 10_000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Peer, "call", _numbered(numbers))
        await conversation(house, people)
    seen, wrong = held_against(made, recorded)
    assert wrong == []
    assert seen >= {
        *("command.room.join", "result.room.join", "error", "event.hello", "event.presence.joined"),
        *(
            "event.presence.left",
            "result.presence.query",
            "event.hr.update",
            "event.hr.ack",
            "event.hr.summary",
        ),
        *("result.hr.close", "event.chat.message", "event.chat.reaction", "result.chat.history"),
        "result.session.roster",
    }


def _numbered(numbers: Iterator[int]) -> Any:
    async def call(peer: Peer, kind: str, /, **data: Any) -> Any:
        number = next(numbers)
        await peer.send(kind, data, id=number)
        return await peer.answer(number)

    return call


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        ("command.room.join", {"type": "room.join"}),
        ("command.room.join", {"type": "room.join", "data": {"room": 7}}),
        ("command.room.join", {"type": "room.join", "data": {"room": "session:1", "more": 1}}),
        ("command.room.join", {"type": "room.leave", "data": {"room": "session:1"}}),
        ("command.ping", {"type": "ping", "id": 0}),
        ("command.presence.query", {"type": "presence.query", "data": {"users": []}}),
        ("event.chat.message", {"type": "chat.message", "room": "moon:1", "data": {}}),
        ("event.hr.ack", {"type": "hr.ack", "data": {"stream": "x"}}),
        ("error", {"type": "error", "id": 1, "error": {"code": "strange", "title": "x"}}),
    ],
)
def test_a_frame_that_is_not_so_is_noticed(made: dict[str, Any], message: str, frame: dict[str, Any]) -> None:
    """Else the test above would show nothing."""
    assert not validator(made, message).is_valid(frame)


def test_points_are_lists_with_fixed_places(made: dict[str, Any]) -> None:
    """In draft 7 of JSON Schema, which knows no `prefixItems`."""
    assert "prefixItems" not in json.dumps(made)
    push = validator(made, "command.form.push")
    frames = [{"t": 0, "points": [[0.5, 0.5, None, 1.0]] * 17}]
    data: dict[str, Any] = {"analysis": "a" * 24, "frames": frames}
    assert push.is_valid({"type": "form.push", "data": data})
    for point in ([0.5], ["a", 0.5], [0.5, 0.5, 0, 1, 2]):
        assert not push.is_valid(
            {"type": "form.push", "data": data | {"frames": [{"t": 0, "points": [point] * 17}]}}
        )


# -- for people, and where it is -----------------------------------------------------------------------


class Reader(HTMLParser):
    """Reads a page: its tags, its anchors and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """As the parser says."""
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href":
                self.links.add(value or "")
            elif name == "src" or name.startswith("on"):
                self.sources.append(value or "")


def test_the_page_shows_all_of_it_without_scripts(made: dict[str, Any]) -> None:
    """Each command, event, error and close code; links within it lead somewhere, none goes elsewhere."""
    text = page(made)
    reader = Reader(text)
    assert set(reader.ids) >= made["operations"].keys()
    assert len(set(reader.ids)) == len(reader.ids)
    assert not reader.tags & {"script", "img", "link", "iframe"}
    assert reader.sources == []
    within = {each[1:] for each in reader.links if each.startswith("#")}
    assert within <= set(reader.ids)
    assert reader.links - {f"#{each}" for each in within} == {"../asyncapi.json", "../docs"}
    for failure in made["channels"]["socket"]["x-errors"]:
        assert f"<td>{failure['code']}</td>" in text
    assert "width=device-width" in text
    assert re.search(r"<td>4529</td><td>[^<]+</td><td>no: mend the client</td>", text)


def test_what_is_written_in_docstrings_cannot_become_tags() -> None:
    """A description is text, whatever it says."""
    made = document(REGISTRY, "<1>")
    made["operations"]["command.ping"]["summary"] = "<script>`<b>`</script>"
    text = page(made)
    assert "<script>" not in text
    assert "&lt;script&gt;<code>&lt;b&gt;</code>" in text
    assert "&lt;1&gt;" in text


def test_the_command_line_prints_both_descriptions() -> None:
    """For whoever generates clients; REST's beside it."""
    for command, printed in ((print_asyncapi, asyncapi_document()), (print_openapi, openapi_document())):
        ran = CliRunner().invoke(command)
        assert ran.exit_code == 0
        assert json.loads(ran.output) == json.loads(printed)
    assert json.loads(openapi_document())["openapi"] == "3.1.0"
