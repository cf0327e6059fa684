"""Who is in a room, over all workers: a hash per room, and a key per living worker.

A worker that was killed cannot tidy up; its entries stop counting when its key expires, and whoever reads
them then removes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

import msgspec

from fittracker.redis import presence_key, worker_key

FORGOTTEN_S = b"86400"


class Member(msgspec.Struct, omit_defaults=True):
    """Somebody in a room."""

    user: str
    name: str
    role: str
    online: bool


class _Card(msgspec.Struct, array_like=True):
    name: str
    role: str


_decode = msgspec.json.Decoder(_Card).decode


class Sender(Protocol):
    """Sends commands of a loop turn in one write (ws/broker.py): redis-py takes 100 us for each."""

    worker: str

    def command(self, *parts: bytes) -> None:
        """Send one whose answer matters to nobody."""

    def ask(self, *parts: bytes) -> asyncio.Future[Any]:
        """Send one; its answer, text as bytes."""


Present = Iterator[tuple[str, str, str, str]]


class Presence:
    """Tells Redis who arrived and left here, and reads who is where."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._owed: set[tuple[str, str]] = set()  # room and user of those whose leaving Redis did not hear

    def arrived(self, room: str, user: str, name: str, role: str) -> None:
        """This person now has a connection of this worker in the room."""
        key = presence_key(room).encode()
        self._sender.command(b"HSET", key, self._field(user), msgspec.json.encode(_Card(name, role)))
        self._sender.command(b"EXPIRE", key, FORGOTTEN_S)

    def left(self, room: str, user: str) -> None:
        """This person has no connection of this worker in the room any more."""
        answer = self._sender.ask(b"HDEL", presence_key(room).encode(), self._field(user))
        answer.add_done_callback(partial(self._gone, room, user))

    def _gone(self, room: str, user: str, answer: asyncio.Future[Any]) -> None:
        if not answer.cancelled() and answer.exception() is not None:
            self._owed.add((room, user))

    def announce(self, present: Callable[[], Present]) -> None:
        """Say everything again: Redis may have lost its memory, or have missed what was said meanwhile."""
        owed, self._owed = self._owed, set()
        for room, user, name, role in present():
            self.arrived(room, user, name, role)
            owed.discard((room, user))
        for room, user in owed:
            self.left(room, user)

    async def count(self, room: str) -> int:
        """How many people are in the room: cheap, and may count somebody on two workers twice."""
        return int(await self._sender.ask(b"HLEN", presence_key(room).encode()))

    async def members(self, room: str) -> list[Member]:
        """Everybody in the room, whichever worker holds their socket, by name."""
        key = presence_key(room).encode()
        flat: list[bytes] = await self._sender.ask(b"HGETALL", key)
        cards = {
            tuple(field.decode().split(" ", 1)): card
            for field, card in zip(flat[::2], flat[1::2], strict=True)
        }
        dead = await self._dead({worker for worker, _ in cards})
        ghosts = [f"{worker} {user}".encode() for worker, user in cards if worker in dead]
        if ghosts:
            self._sender.command(b"HDEL", key, *ghosts)
        people: dict[str, Member] = {}
        for (worker, user), value in cards.items():
            if worker not in dead:
                card = _decode(value)
                people[user] = Member(user, card.name, card.role, True)
        return sorted(people.values(), key=lambda each: (each.name, each.user))

    async def _dead(self, workers: set[str]) -> set[str]:
        others = sorted(workers - {self._sender.worker})
        if not others:
            return set()
        alive = await self._sender.ask(b"MGET", *[worker_key(worker).encode() for worker in others])
        return {worker for worker, value in zip(others, alive, strict=True) if value is None}

    def _field(self, user: str) -> bytes:
        return f"{self._sender.worker} {user}".encode()
