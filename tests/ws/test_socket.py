"""What comes in is heard in the order it came, whether the conversation listens at that moment or not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType

from tests.house import House
from tests.people import People
from tests.security.raw_socket import CLOSE, CONTINUATION, TEXT, RawSocket, connected, frame, head, opened
from ws.socket import Inbox


def command(number: int, kind: str, *, padding: int = 0, **data: Any) -> bytes:
    """One command as a whole frame of a client."""
    text = json.dumps({"id": number, "type": kind, "data": data}) + " " * padding
    return frame(TEXT, text.encode())


async def answers(raw: RawSocket, count: int) -> list[int]:
    """The ids of the next so many answers."""
    found: list[int] = []
    while len(found) < count:
        said = json.loads((await raw.next())[1])
        if said["type"] in {"result", "error"}:
            found.append(said["id"])
    return found


async def test_what_comes_in_one_segment_is_answered_in_order(house: House, people: People) -> None:
    """Quick and slow commands mixed: no quick one overtakes a slow one that came before it."""
    ada = await people.athlete()
    sent = b""
    for number in range(1, 31, 3):
        sent += command(number, "ping") + command(number + 1, "room.members", room=f"heart:{ada.id}")
        sent += command(number + 2, "ping")
    async with opened(house.url, ada.token) as raw:
        await raw.send(sent)
        assert await answers(raw, 30) == list(range(1, 31))


async def test_what_came_with_the_handshake_is_heard(house: House, people: People) -> None:
    """A client that does not wait for the answer to its upgrade, its last frame cut in the middle."""
    ada = await people.athlete()
    last = command(3, "ping")
    async with connected(house.url) as raw:
        upgrade = head(("Authorization", f"Bearer {ada.token}"))
        await raw.send(upgrade + command(1, "ping") + command(2, "ping") + last[:9])
        assert await raw.status() == 101
        assert await answers(raw, 2) == [1, 2]
        await raw.send(last[9:])
        assert await answers(raw, 1) == [3]


async def test_what_was_asked_right_before_a_close_is_answered(house: House, people: People) -> None:
    """The answer to the last command comes before the answer to the close frame."""
    ada = await people.athlete()
    farewell = frame(CLOSE, (1000).to_bytes(2, "big"))
    async with opened(house.url, ada.token) as raw:
        await raw.send(command(1, "room.members", room=f"heart:{ada.id}") + command(2, "ping") + farewell)
        assert await raw.ending() == (1000, [TEXT, TEXT])
    async with opened(house.url, ada.token) as raw:  # and where a fault of the protocol comes behind it
        await raw.send(command(1, "room.members", room=f"heart:{ada.id}") + frame(TEXT, reserved=7))
        assert await raw.ending() == (1002, [TEXT])


async def test_a_command_in_fragments_is_one_command(house: House, people: People) -> None:
    """With a quick command right behind the last of them."""
    ada = await people.athlete()
    async with opened(house.url, ada.token) as raw:
        await raw.send(frame(TEXT, b'{"id":1,', last=False) + frame(CONTINUATION, b'"type":', last=False))
        await raw.send(frame(CONTINUATION, b'"ping"}') + command(2, "ping"))
        assert await answers(raw, 2) == [1, 2]


async def test_more_than_the_inbox_holds_is_kept_by_the_peer_and_loses_nothing(
    house: House, people: People
) -> None:
    """While a command waits the inbox fills, reading stops, and goes on when it is worked off."""
    ada = await people.athlete()
    async with opened(house.url, ada.token) as raw:
        for number in range(1, 41, 2):
            slow = command(number, "room.members", padding=30_000, room=f"heart:{ada.id}")
            await raw.send(slow + command(number + 1, "ping", padding=30_000))
        assert await answers(raw, 40) == list(range(1, 41))


class Reading:
    """What a queue needs of a connection: it can be told to read no more."""

    _reading_paused = False

    def pause_reading(self) -> None:
        """As of aiohttp."""
        self._reading_paused = True

    def resume_reading(self) -> None:
        """As of aiohttp."""
        self._reading_paused = False


async def test_while_nobody_listens_messages_wait() -> None:
    """What is put into the inbox wakes whoever reads, and comes out in order."""
    inbox = Inbox(Reading(), asyncio.get_running_loop())
    reader = asyncio.create_task(inbox.read())
    await asyncio.sleep(0)
    for payload in (b"one", b"two"):
        inbox.feed_data((WSMsgType.TEXT, payload, None), len(payload))
    assert not inbox.empty
    assert (await reader)[1] == b"one"
    assert (await inbox.read())[1] == b"two"
    assert inbox.empty


async def test_an_inbox_that_is_too_full_stops_the_reading_until_it_is_worked_off() -> None:
    """The peer's kernel keeps the rest."""
    reading = Reading()
    inbox = Inbox(reading, asyncio.get_running_loop())
    for _ in range(3):
        inbox.feed_data((WSMsgType.TEXT, bytes(60_000), None), 60_000)
    assert reading._reading_paused
    for _ in range(3):
        await inbox.read()
    assert not reading._reading_paused
