"""What a socket says and is answered: in order, in both encodings, and whatever nonsense comes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.house import House
from tests.peer import JSON, MSGPACK, Ended, connect
from tests.people import People
from ws.commands import Command
from ws.conversation import UNREADABLE_IN_A_ROW

ENCODINGS = pytest.mark.parametrize("protocol", [JSON, MSGPACK])


@ENCODINGS
async def test_a_command_is_answered_under_its_id(house: House, people: People, protocol: str) -> None:
    """The result comes back, in the encoding of the subprotocol."""
    ada = await people.athlete()
    async with connect(house.url, ada.token, protocols=(protocol,)) as peer:
        await peer.send("ping", id=2**53 - 1)
        frame = await peer.next()
        assert (frame["id"], frame["type"]) == (2**53 - 1, "result")
        assert abs(frame["data"]["t"] - people.contexts.clock.now_ms()) < 60_000


async def test_without_an_id_there_is_no_answer(house: House, people: People) -> None:
    """And what is asked afterwards is answered as if nothing had been."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        for _ in range(3):
            await peer.send("ping")
        await peer.send("ping", id=9)
        assert (await peer.next())["id"] == 9


async def test_answers_come_in_the_order_of_the_questions(house: House, people: People) -> None:
    """A quick command does not overtake a slow one: the inbox is worked off one by one."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        for number in range(1, 31, 3):
            await peer.send("room.members", {"room": f"heart:{ada.id}"}, id=number)
            await peer.send("ping", id=number + 1)
            await peer.send("hr.watch", {"user": ada.id}, id=number + 2)
        assert [(await peer.next())["id"] for _ in range(30)] == list(range(1, 31))


@ENCODINGS
@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ({"id": 5, "type": "no.such"}, "type"),
        ({"id": 5, "type": "ping", "data": {"extra": 1}}, "extra"),
        ({"id": 5, "type": "ping", "extra": 1}, "extra"),
        ({"id": 5, "type": "hr.watch", "data": {"user": 7}}, "user"),
        ({"id": 5, "type": "hr.watch", "data": {"user": "x"}}, "user"),
        ({"id": 5, "type": "hr.watch"}, "data"),
    ],
)
async def test_what_no_command_takes_is_invalid_and_says_which_field(
    house: House, people: People, protocol: str, frame: dict[str, Any], field: str
) -> None:
    """Under the id of the command, and the socket goes on."""
    ada = await people.athlete()
    encode = msgspec.json.encode if protocol == JSON else msgspec.msgpack.encode
    async with connect(house.url, ada.token, protocols=(protocol,)) as peer:
        await peer.send_payload(encode(frame))
        answer = await peer.next()
        assert (answer["id"], answer["type"], answer["error"]["code"]) == (5, "error", "invalid")
        assert (list(answer["error"]["fields"]), answer["error"]["retry"]) == ([field], False)
        assert answer["error"]["title"]
        assert answer["error"]["detail"]
        await peer.call("ping")


@pytest.mark.parametrize("number", [0, -1, "7", 1.5, 2**53, 10**30])
async def test_an_id_that_is_none_gets_an_error_without_one(
    house: House, people: People, number: Any
) -> None:
    """There is nothing it could be answered under."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        await peer.send_payload(json.dumps({"id": number, "type": "ping"}).encode())
        answer = await peer.next()
        assert (answer["id"], answer["error"]["code"]) == (None, "invalid")
        await peer.call("ping")


@pytest.mark.parametrize(
    "payload",
    [
        b'{"id":1,"type":"ping","data":{"x":1}, and here it breaks off',
        b'{"id":1,"type":"no.such","data":{"x":',
        b'{"id":1,"type":"no.such","data":' + b"[" * 20_000,
        b'{"id":1,"type":"no.such","data":"\xff\xfe"}',
        b'{"id":1,"type":"no.such","data":{"a":1}}{"id":2}',
        b"[" * 20_000,
    ],
)
async def test_a_frame_that_is_wrong_twice_does_not_cost_the_socket(
    house: House, people: People, payload: bytes
) -> None:
    """The first fault is found before the second: looking for the id meets the second."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        await peer.send_payload(payload)
        answer = await peer.next()
        assert answer["type"] == "error"
        assert answer["error"]["code"] in {"invalid", "bad_request"}
        await peer.call("ping")


@pytest.mark.parametrize("payload", [b"", b"hello", b'{"id":1', b'{"type":"ping"} {}', b"\xff\xfe"])
async def test_E3_the_third_unreadable_frame_in_a_row_closes_the_socket(
    house: House, people: People, payload: bytes
) -> None:
    """Each gets its error; the close code says that coming back is of no use."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        for _ in range(UNREADABLE_IN_A_ROW):
            await peer.send_payload(payload)
        assert await peer.ending() == 4500
        assert [each["error"]["code"] for each in peer.backlog] == ["bad_request"] * 3
        assert {each["id"] for each in peer.backlog} == {None}


async def test_two_unreadable_frames_are_forgiven(house: House, people: People) -> None:
    """Only a row of three counts; anything that can be read breaks it, even if it is refused."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        for breaking in ({"type": "ping"}, {"type": "no.such"}):
            for _ in range(2):
                await peer.send_payload(b"nonsense")
            await peer.send_payload(msgspec.json.encode(breaking))
        await peer.call("ping")


async def test_the_wrong_kind_of_frame_is_unreadable(house: House, people: People) -> None:
    """JSON goes in text frames, msgpack in binary ones; only the binary pushes of heart rate go in both."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        await peer.send_binary(b'{"type":"ping","id":1}')
        assert "text frames" in (await peer.error())["detail"]
    async with connect(house.url, ada.token, protocols=(MSGPACK,)) as peer:
        await peer.socket.send_str('{"type":"ping","id":1}')
        assert "binary frames" in (await peer.error())["detail"]


async def test_E3_a_frame_over_the_limit_closes_with_1009(house: House, people: People) -> None:
    """64 KiB; one of exactly that size is read."""
    ada = await people.athlete()
    limit = house.realtime.settings.ws_frame_bytes
    command = b'{"type":"ping","id":1}'
    async with connect(house.url, ada.token) as peer:
        await peer.send_payload(command + b" " * (limit - len(command)))
        await peer.answer(1)
        await peer.send_payload(command + b" " * (limit - len(command) + 1))
        assert await peer.ending() == 1009


async def test_a_command_that_needs_somebody_is_refused_to_nobody(house: House) -> None:
    """The socket stays open: the first frame may still be auth."""
    async with connect(house.url) as peer:
        assert (await peer.refused("hr.watch", user="a" * 24))["code"] == "unauthenticated"
        await peer.call("ping")


async def test_a_defect_in_a_command_costs_neither_the_socket_nor_the_others(
    house: House, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged under a number, which the client can report."""
    ada = await people.athlete()

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    frame: Any = house.realtime.registry.frames["hr.unwatch"]
    sound: Command = frame.command
    fields = {name: getattr(sound, name) for name in Command.__slots__}
    monkeypatch.setattr(frame, "command", Command(**{**fields, "run": broken, "waits": False}))
    async with connect(house.url, ada.token) as peer:
        error = await peer.refused("hr.unwatch", user=ada.id)
        assert (error["code"], error["title"]) == ("internal", "Internal error")
        assert len(error["detail"].split()[-1].rstrip(".")) == 24
        await peer.call("ping")


async def test_E4_commands_over_the_limit_are_refused_until_the_window_is_over(
    house: House, people: People
) -> None:
    """With the time to wait; the socket stays open, and heart rate has a limit of its own."""
    ada = await people.athlete()
    limit = house.realtime.settings.ws_commands
    async with connect(house.url, ada.token) as peer:
        for _ in range(limit):
            await peer.call("ping")
        error = await peer.refused("ping")
        assert (error["code"], error["retry"]) == ("rate_limited", True)
        assert 0 < error["retry_after_ms"] <= house.realtime.settings.ws_commands_s * 1000 + 1
        house.connection(ada.id).window -= house.realtime.settings.ws_commands_s + 1  # so long ago it began
        await peer.call("ping")


NONSENSE = {
    "commands": b'{"type":"ping"}',
    "unknown types": b'{"type":"no.such"}',
    "pushes of streams that are not open": b'{"type":"hr.push","data":{"stream":"x","samples":'
    b'[{"seq":1,"t":1700000000000,"bpm":60}]}}',
}


@pytest.mark.parametrize("payload", NONSENSE.values(), ids=NONSENSE.keys())
async def test_E4_who_goes_on_all_the_same_is_closed_with_4529(
    house: House, people: People, payload: bytes
) -> None:
    """Whatever it is that floods: what can be refused at no cost to the sender costs us."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        for _ in range(house.realtime.settings.ws_commands + 400):
            try:
                await peer.send_payload(payload)
            except ConnectionError:
                break  # the server has had enough
        assert await peer.ending() == 4529


async def test_binary_frames_that_are_refused_are_counted_as_well(house: House, people: People) -> None:
    """Of no stream, cut, or empty."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        for payload in (b"\x01\xff\xff" + bytes(14), b"\x02\x00", b"\x02\xff\xff\x00") * 200:
            try:
                await peer.send_binary(payload)
            except ConnectionError:
                break
        assert await peer.ending() == 4529


async def test_while_a_command_waits_the_next_one_is_not_begun(house: House, people: People) -> None:
    """Closing in between is no error, and nothing of the socket is left."""
    ada = await people.athlete()
    async with connect(house.url, ada.token) as peer:
        await peer.send("room.members", {"room": f"heart:{ada.id}"}, id=1)
        await peer.send("hr.watch", {"user": ada.id}, id=2)
        await peer.close()
        with pytest.raises(Ended):
            await peer.read()
    async with connect(house.url, ada.token) as peer:
        await peer.call("ping")
        assert len(house.realtime.hub.of_user(ada.id)) == 1
