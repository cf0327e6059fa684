"""Who is in a room, and who is online at all, over all workers: what each worker says of its own people.

A worker tells Redis who came and who went; the script there (`presence.lua`) knows what that means over all
workers, and tells those who listen. Who only lost the connection counts on for a moment: mostly they come
back, perhaps to another worker, and nobody is told anything. A worker that was killed cannot take back what
it said; whichever other one notices first does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from prometheus_client import Gauge

from fittracker.redis import HOLDERS, lingers_key, online_key, present_key

LARGE: Final = 100
"""People from which a room is only counted: what each comes and goes is told to all others."""
SETTLE_S: Final = 10.0
"""After a break of Redis nobody is taken for dead for so long: the others have to come back, too."""
PIECE: Final = 100
"""So many changes Redis is asked to make in one go: a millisecond, in which it does nothing else."""
ORIGIN: Final = "0" * 12
"""Where other messages name their worker, so that it does not hear itself: these are for all of them."""
SCRIPT: Final = Path(__file__).with_name("presence.lua").read_text()

parting = Gauge("fittracker_presence_parting", "People who have lost their last socket and still count")
owed = Gauge("fittracker_presence_owed", "Comings and goings that Redis has not heard of")


class Member(msgspec.Struct, omit_defaults=True):
    """Somebody in a room."""

    user: str
    name: str
    role: str
    online: bool


class Card(msgspec.Struct, array_like=True):
    """What a room knows of somebody."""

    name: str
    role: str


_decode = msgspec.json.Decoder(Card).decode
_encode = msgspec.json.Encoder().encode


class Sender(Protocol):
    """Sends commands of a loop turn in one write (ws/broker.py): redis-py takes 100 us for each."""

    worker: str

    def command(self, *parts: bytes) -> None:
        """Send one whose answer matters to nobody."""

    def submit(self, take: Callable[[Any], None], *parts: bytes) -> None:
        """Send one; `take` is given its answer, or the exception that stands in its place."""

    def ask(self, *parts: bytes) -> asyncio.Future[Any]:
        """Send one; its answer, text as bytes."""


Pair = tuple[str, str]
"""A room and a person."""
Present = Iterable[tuple[str, str, str, str]]
"""Room, person, name and role; in everybody's own room, without name and role."""
COMES, AGAIN, GOES, LOST = b"+", b"*", b"-", b"!"


class Presence:
    """Tells Redis who arrived and left here, and reads who is where."""

    def __init__(self, sender: Sender, meeting: Collection[str], *, grace_s: float) -> None:
        """`meeting`: the kinds of rooms in which people are told of each other.

        `grace_s`: so long somebody counts on who lost their connection.
        """
        self.grace_s = grace_s
        self._sender = sender
        self._loop = asyncio.get_running_loop()
        self._script = script(meeting)
        self._said: dict[Pair, tuple[bytes, bytes]] = {}  # in this turn of the loop
        self._parting: dict[Pair, tuple[float, bool]] = {}  # until when, and whether Redis may not know them
        self._owed: set[Pair] = set()
        self._sweep_from = 0.0
        self._sweeping = False

    # -- who is here ---------------------------------------------------------------------------------

    def arrived(self, room: str, user: str, name: str, role: str) -> None:
        """This person now has a connection of this worker in the room."""
        was = self._parting.pop((room, user), None)
        if was is None or was[1]:
            self._say(room, user, COMES if was is None else AGAIN, _card(room, user, name, role))

    def left(self, room: str, user: str) -> None:
        """This person has left the room, or may not be in it any more."""
        self._parting.pop((room, user), None)
        self._say(room, user, GOES)

    def vanished(self, room: str, user: str) -> None:
        """The last connection of this person in the room on this worker is gone; another may come at once."""
        if self.grace_s <= 0:
            self.left(room, user)
        else:
            self._parting[room, user] = (self._loop.time() + self.grace_s, False)

    def dismiss(self, room: str, user: str) -> None:
        """This person may not be in the room any more, and need not be waited for."""
        if (room, user) in self._parting:
            self.left(room, user)

    def _say(self, room: str, user: str, how: bytes, card: bytes = b"") -> None:
        if not self._said:
            self._loop.call_soon(self.flush)
        self._said[room, user] = (how, card)

    def flush(self) -> None:
        """Say now what was to be said at the end of this turn of the loop."""
        said, self._said = self._said, {}
        pairs = list(said)
        for start in range(0, len(pairs), PIECE):
            piece = pairs[start : start + PIECE]
            parts = [b"say", self._sender.worker.encode()]
            for pair in piece:
                how, card = said[pair]
                parts += (how, pair[0].encode(), pair[1].encode(), card)
            self._run(partial(self._heard, piece), *parts)

    def _heard(self, piece: list[Pair], answer: Any) -> None:
        """Whether Redis took it; what it did not is said again when it is back."""
        if isinstance(answer, Exception):
            self._owed.update(piece)
        elif self._owed:
            self._owed.difference_update(piece)

    def announce(self, present: Callable[[], Present]) -> None:
        """Say everything again: Redis may have lost its memory, or have missed what was said meanwhile."""
        self.flush()
        missed, self._owed = self._owed, set()
        for room, user, name, role in present():
            how = COMES if (room, user) in missed else AGAIN
            self._say(room, user, how, _card(room, user, name, role))
            missed.discard((room, user))
        for pair, (until, _) in self._parting.items():
            self._parting[pair] = (until, True)
            missed.discard(pair)
        for room, user in missed:
            self._say(room, user, LOST)
        self._sweep_from = self._loop.time() + SETTLE_S

    # -- time ----------------------------------------------------------------------------------------

    def each_second(self, now: float) -> None:
        """Let those go who did not come back, and take back what a dead worker said; `now` is loop time."""
        for pair, (until, lost) in tuple(self._parting.items()):
            if until > now:
                break  # they stand in the order in which they went
            del self._parting[pair]
            self._say(*pair, LOST if lost else GOES)
        parting.set(len(self._parting))
        owed.set(len(self._owed))
        if now >= self._sweep_from and not self._sweeping:
            self._sweep()

    def _sweep(self) -> None:
        self._sweeping = True
        self._run(self._swept, b"sweep", self._sender.worker.encode(), b"%d" % PIECE)

    def _swept(self, answer: Any) -> None:
        self._sweeping = False
        if answer and not isinstance(answer, Exception):
            self._sweep()  # there may be more

    def linger(self) -> None:
        """This worker ends: whoever is still counted here counts on for their moment, then others sweep."""
        self.flush()
        if self.grace_s > 0:
            life = b"%d" % max(int(self.grace_s * 1_000), 1)
            self._sender.command(b"SET", lingers_key(self._sender.worker).encode(), b"1", b"PX", life)

    def _run(self, take: Callable[[Any], None], *arguments: bytes) -> None:
        # The text itself: its name would be unknown to a Redis that was started again.
        self._sender.submit(take, b"EVAL", self._script, b"0", *arguments)

    # -- asking --------------------------------------------------------------------------------------

    async def count(self, room: str) -> int:
        """How many people are in the room."""
        self.flush()  # what is said and what is asked go the same way, one after the other
        return int(await self._sender.ask(b"HLEN", present_key(room).encode()))

    async def members(self, room: str) -> list[Member]:
        """Everybody in the room, whichever worker holds their socket, by name."""
        self.flush()
        flat: list[bytes] = await self._sender.ask(b"HGETALL", present_key(room).encode())
        people = [_member(user.decode(), value) for user, value in zip(flat[::2], flat[1::2], strict=True)]
        return sorted(people, key=lambda each: (each.name, each.user))

    async def among(self, room: str, user: str) -> bool:
        """Whether this person is in the room."""
        self.flush()
        return bool(await self._sender.ask(b"HEXISTS", present_key(room).encode(), user.encode()))

    async def online(self, users: Collection[str]) -> set[str]:
        """Those of these people who have a socket anywhere."""
        some = list(users)
        if not some:
            return set()
        self.flush()
        found = await self._sender.ask(b"MGET", *[online_key(each).encode() for each in some])
        return {user for user, workers in zip(some, found, strict=True) if workers is not None}


def script(meeting: Iterable[str]) -> bytes:
    """The text that Redis runs, with what it has to know in front of it."""
    kinds = ", ".join(f"['{each}'] = true" for each in sorted(meeting))
    head = f"local ORIGIN, HOLDERS, LARGE = '{ORIGIN}', '{HOLDERS}', {LARGE}\nlocal MEETING = {{{kinds}}}\n"
    # It travels with every call: without what only people read.
    lines = [each.strip() for each in SCRIPT.splitlines() if not each.lstrip().startswith("--")]
    return (head + "\n".join(lines)).encode()


def _card(room: str, user: str, name: str, role: str) -> bytes:
    return b"" if room == f"user:{user}" else _encode(Card(name, role))


def _member(user: str, value: bytes) -> Member:
    card = _decode(value.partition(b" ")[2])
    return Member(user, card.name, card.role, True)
