"""Thousands of light sockets in rooms: opened side by side, and what came to each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from bench.light_socket import Frame, LightSocket, open_light
from tests.people import People, Person

AT_ONCE: Final = 100
"""So many handshakes are under way at the same time."""


class Member:
    """A socket in a room, or on its way there: where it is, and what it got."""

    def __init__(self, person: Person, room: str) -> None:
        self.person = person
        self.room = room
        self.place: tuple[str, int] | None = None
        self.joined: Frame | None = None
        """The answer to the last `room.join`."""
        self.refusal: Frame | None = None
        self.texts: list[str] = []
        self.draining: Frame | None = None
        self.answers: dict[int, Frame] = {}
        self.events: list[Frame] = []
        """Events of other types than those of chat."""
        self.socket: LightSocket | None = None
        self._numbers = 1

    async def come(self, port: int) -> None:
        """Connect, and join from where this one was; the answer is not waited for."""
        self.joined = self.refusal = None
        self.socket = await open_light(port, self.person.token, self._frame)
        data: dict[str, Any] = {"room": self.room}
        if self.place is not None:
            data["since"] = {"epoch": self.place[0], "seq": self.place[1]}
        self.socket.send("room.join", data, 1)

    def call(self, kind: str, data: dict[str, Any]) -> int:
        """A command; its number, under which the answer will be in `answers`."""
        assert self.socket is not None
        self._numbers += 1
        self.socket.send(kind, data, self._numbers)
        return self._numbers

    def _frame(self, frame: Frame) -> None:
        match frame["type"]:
            case "chat.message":
                self._hear(frame)
            case "result" if frame["id"] == 1:
                self.joined = frame["data"]
                for event in frame["data"]["events"]:
                    self._hear(event)
                self.place = (frame["data"]["epoch"], frame["data"]["seq"])
            case "result" | "error" if frame["id"] is not None and frame["id"] > 1:
                self.answers[frame["id"]] = frame
            case "error":
                self.refusal = frame["error"]
            case "server.draining":
                self.draining = frame["data"]
            case _:
                self.events.append(frame)

    def _hear(self, event: Frame) -> None:
        self.place = (event["epoch"], event["seq"])
        self.texts.append(event["data"]["text"])


async def side_by_side(work: Iterable[Awaitable[Any]], at_once: int = AT_ONCE) -> None:
    """All of it, so many at the same time."""
    places = asyncio.Semaphore(at_once)

    async def one(each: Awaitable[Any]) -> None:
        async with places:
            await each

    await asyncio.gather(*map(one, work))


async def until(true: Callable[[], Any], what: str, seconds: float = 60.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.02)


async def conversations(people: People, count: int, members: int) -> list[tuple[str, Sequence[Person]]]:
    """So many groups of so many people: room and members of each."""
    crowd = await people.crowd(count * members)
    groups = []
    for number in range(count):
        group = crowd[number * members : (number + 1) * members]
        others = [each.id for each in group[1:]]
        made = await people.contexts.conversations.begin(group[0].id, "group", others, "Crowd")
        groups.append((f"chat:{made['_id']}", group))
    return groups
