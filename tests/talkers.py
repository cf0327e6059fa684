"""People who talk in rooms as a careful client does, and write down what happens for `tests.history`.

They say everything with a `client_id` and again with the same one until they have an answer, come back with
`since`, and read the history again where they are told that something may be missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final
from uuid import UUID

from bench.light_socket import Frame, LightSocket, open_light
from tests.history import Ear, Gap, Place, Read, Room, Said
from tests.people import Person

MOST_UNANSWERED: Final = 20
SILENCE_S: Final = 10.0
"""A socket on which something was asked and nothing comes for so long is given up."""
PAGE: Final = 100
PAUSE_S: Final = (0.05, 0.4)


class Talker:
    """Somebody in one room. `step` makes them say what is due; all else happens by itself."""

    def __init__(
        self, name: str, person: Person, room: Room, port: Callable[[], int], random: Random, *, since: bool
    ) -> None:
        self.person = person
        self.ear = Ear(name)
        room.ears.append(self.ear)
        self.room = room
        self.said = 0
        self.unanswered: dict[str, str] = {}
        """What was sent and has no answer yet: client ids by key."""
        self.clients: dict[str, str] = {}
        """All client ids by key."""
        self.refusals: Counter[str] = Counter()
        self.comings = self.recoveries = 0
        self.at: Place | None = None
        self.surprises: list[str] = []
        """What no server may do, seen on the wire."""
        self._port = port
        self._random = random
        self._since = since
        self._loop = asyncio.get_running_loop()
        self._socket: LightSocket | None = None
        self._inside = False
        self._asked: dict[int, tuple[str, Any]] = {}
        self._numbers = 0
        self._heard = 0.0
        self._known: dict[int, str] = {}
        """What was heard or read, by number."""
        self._owed: int | None = None
        """The last number before the first gap since the history was read: behind it something may be new."""
        self._reading = False
        self._page: list[Said] = []
        self._start = 0
        self._gaps = self.pages = 0

    # -- life ----------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Be connected, for ever."""
        while True:
            with contextlib.suppress(OSError):
                self._asked.clear()
                self._socket = await open_light(self._port(), self.person.token, self._frame)
                self._heard = self._loop.time()
                self._join()
                await self._socket.lost
            self._inside = False
            self._reading = False
            await asyncio.sleep(self._random.uniform(*PAUSE_S))

    async def leave(self) -> None:
        """Cut the connection that there is."""
        if self._socket is not None:
            self._socket.abort()

    def step(self, due: int) -> None:
        """Say what should have been said by now; notice a connection on which nothing comes any more."""
        silent = self._loop.time() - self._heard > SILENCE_S
        if self._socket is not None and self._asked and silent:
            self._socket.abort()
        while self._inside and self.said < due and len(self.unanswered) < MOST_UNANSWERED:
            self.said += 1
            key = f"{self.ear.name}/{self.said}"
            self.clients[key] = self.unanswered[key] = str(UUID(int=self._random.getrandbits(128)))
            self.room.sent.add(key)
            self._say(key)

    @property
    def settled(self) -> bool:
        """Whether everything has its answer, and nothing has to be read."""
        return self._inside and not self.unanswered and self._owed is None and self.at is not None

    # -- out -----------------------------------------------------------------------------------------

    def _ask(self, kind: str, data: dict[str, Any], about: Any) -> None:
        assert self._socket is not None
        if not self._asked:
            self._heard = self._loop.time()
        self._numbers += 1
        self._asked[self._numbers] = (kind, about)
        self._socket.send(kind, {"room": self.room.name, **data}, self._numbers)

    def _join(self) -> None:
        since = self.at if self._since else None
        data = {"since": {"epoch": since[0], "seq": since[1]}} if since else {}
        self._ask("room.join", data, since)

    def _say(self, key: str) -> None:
        self._ask("chat.send", {"text": key, "client_id": self.unanswered[key]}, key)

    def _read_again(self) -> None:
        """What may have changed since the last time."""
        if not self._reading and self._owed is not None:
            self._reading = True
            self._page = []
            self._ask("chat.history", {"limit": PAGE}, self._gaps)

    def _later(self, ms: int, again: Callable[[], None]) -> None:
        socket = self._socket

        def still() -> None:
            if self._socket is socket and socket is not None and socket.open:
                again()

        self._loop.call_later(ms / 1_000, still)

    # -- in ------------------------------------------------------------------------------------------

    def _frame(self, frame: Frame) -> None:
        self._heard = self._loop.time()
        match frame["type"]:
            case "chat.message":
                self._hear(frame)
            case "room.gap":
                self._gap(frame["data"]["epoch"], frame["data"]["seq"])
            case "result":
                self._answered(*self._asked.pop(frame["id"]), frame["data"])
            case "error":
                self._refused(frame)

    def _answered(self, kind: str, about: Any, data: Frame) -> None:
        match kind:
            case "room.join":
                self._joined(about, data)
            case "chat.send":
                self.room.acknowledged.append(Said(about, data["epoch"], data["seq"]))
                self.unanswered.pop(about, None)
            case "chat.history":
                self._paged(about, data)

    def _refused(self, frame: Frame) -> None:
        error = frame["error"]
        self.refusals[error["code"]] += 1
        if error["code"] not in ("unavailable", "rate_limited"):
            self.surprises.append(json.dumps(error))
        if frame["id"] not in self._asked:
            return
        kind, about = self._asked.pop(frame["id"])
        wait = error.get("retry_after_ms") or 300
        if kind == "room.join":
            self._later(wait, self._join)
        elif kind == "chat.send":
            self._later(wait, lambda: self._say(about))
        else:
            self._reading = False
            self._later(wait, self._read_again)

    def _joined(self, since: Place | None, data: Frame) -> None:
        first = not self._inside
        self._inside = True
        self.comings += 1
        if data["recovered"]:
            self.recoveries += 1
            for event in data["events"]:
                self._hear(event)
            if self.at != (data["epoch"], data["seq"]):
                self.surprises.append(
                    f"recovered since {since} to {self.at}, not {data['epoch']} {data['seq']}"
                )
        elif data["epoch"] is not None:
            self._gap(data["epoch"], data["seq"])
        self._read_again()
        if first:
            for key in tuple(self.unanswered):
                self._say(key)

    def _hear(self, event: Frame) -> None:
        self.at = (event["epoch"], event["seq"])
        self._known[event["seq"]] = event["data"]["text"]
        self.ear.steps.append(Said(event["data"]["text"], event["epoch"], event["seq"]))

    def _gap(self, epoch: str, seq: int) -> None:
        if self.at is None:
            self._start = seq
        elif self._owed is None:
            self._owed = self.at[1]
        self.at = (epoch, seq)
        self.ear.steps.append(Gap(epoch, seq))
        self._gaps += 1
        self._read_again()

    def _paged(self, gaps: int, data: Frame) -> None:
        """Older ones are read until they lie before the gap, and a page holds nothing new."""
        assert self._owed is not None
        self.pages += 1
        messages = [Said(each["text"], each["epoch"], each["seq"]) for each in data["messages"]]
        fresh = any(self._known.get(each.seq) != each.key for each in messages if each.seq > self._start)
        self._page = messages + self._page
        oldest = messages[0].seq if messages else 0
        if data["more"] and (fresh or oldest > self._owed):
            self._ask("chat.history", {"limit": PAGE, "before": oldest}, gaps)
            return
        self._reading = False
        if gaps != self._gaps:
            self._read_again()  # there was another gap meanwhile
            return
        above = max(oldest - 1 if data["more"] else 0, self._start)
        read = tuple(each for each in self._page if each.seq > above)
        self._known.update({each.seq: each.key for each in read})
        self._owed = None
        self.ear.steps.append(Read(above, read))
