"""The window: the last events of a room in Redis, with their order. All of it may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from fittracker.errors import Failure, Unavailable
from fittracker.observability import logger
from fittracker.redis import is_away
from fittracker.roomlog.record import Entry, Envelope, Place, Record, halves
from fittracker.roomlog.scripts import Run, Scripts
from fittracker.sealing import Unsealable

log = logger(__name__)

LENGTH: Final = 1_000
LIFE_S: Final = 3_600
"""So many events, for so long after the last one, are kept for who was away for a moment."""
CLIENT_ID_S: Final = 86_400
"""So long a client may send the same again and nothing happens twice."""
STATE_S: Final = 30 * 86_400
MOST_PENDING: Final = 1_000
"""So many events of a room may wait for MongoDB; more are refused."""
UNKNOWN: Final = "The outcome is unknown; the same client_id is safe to send again."
PENDING_ROOMS: Final = "log:pending"


@dataclass(frozen=True, slots=True)
class Said:
    """A record on its way into a room. `fresh`: MongoDB does not have it."""

    room: str
    record: Record
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """Its place; `new` is False where it had been sent before."""

    place: Place
    at_ms: int
    new: bool


class Unplaced(Enum):
    """Why a record has no place yet."""

    LOST = "this Redis knows nothing of the room: its memory is gone, or it is another one"
    DOUBTFUL = "it may have been said to a Redis that has forgotten it: MongoDB has to be asked"


class Window:
    """The windows of all rooms."""

    def __init__(self, redis: Redis, envelope: Envelope) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._envelope = envelope

    async def append(self, many: Sequence[Said]) -> list[Placed | Unplaced | Failure]:
        """Give each its place and tell the room; what became of each, in order."""
        answers = await self._scripts.run([self._append(each) for each in many])
        return [_placed(each, answer) for each, answer in zip(many, answers, strict=True)]

    def _append(self, said: Said) -> Run:
        room, one = said.room, said.record
        head, tail = halves(room, one)
        return Run(
            "append",
            (state_key(room), window_key(room), pending_key(room), client_key(said), PENDING_ROOMS),
            (
                room,
                self._envelope.close(one),
                one.at_ms,
                head,
                tail,
                LENGTH,
                LIFE_S,
                CLIENT_ID_S,
                STATE_S,
                MOST_PENDING,
                f"room:{room}",
                int(said.fresh),
            ),
        )

    async def forget(self, said: Said) -> None:
        """Its place went to another event: it needs a new one."""
        await self._redis.delete(client_key(said))

    async def heads(self, rooms: Sequence[str]) -> dict[str, Place | None]:
        """The epoch and the newest number of each room; None where this Redis does not know."""
        answers = await self._scripts.run([Run("head", (state_key(room),), ()) for room in rooms])
        for answer in answers:
            _check(answer)
        return {
            room: Place(answer[0].decode(), int(answer[1])) if answer else None
            for room, answer in zip(rooms, answers, strict=True)
        }

    async def begin(self, room: str, epoch: str, floor: int, *, instead_of: str = "") -> Place:
        """A new epoch from `floor` on, unless somebody was quicker; what holds now.

        `instead_of`: an epoch that shall not go on.
        """
        args = (epoch, floor, instead_of, STATE_S, CLIENT_ID_S, f"room:{room}")
        (answer,) = await self._scripts.run([Run("begin", (state_key(room),), args)])
        _check(answer)
        return Place(answer[0].decode(), int(answer[1]))

    async def archived(self, by_room: dict[str, list[int]]) -> dict[str, str]:
        """These numbers are in MongoDB; the present epoch of each room, empty where there is none."""
        runs = [
            Run("archived", (state_key(room), pending_key(room), PENDING_ROOMS), (room, *numbers))
            for room, numbers in by_room.items()
        ]
        answers = await self._scripts.run(runs)
        for answer in answers:
            _check(answer)
        return {room: answer.decode() for room, answer in zip(by_room, answers, strict=True)}

    async def between(self, room: str, epoch: str, first: int, last: int) -> list[Entry]:
        """The events with these numbers of this epoch that are here and can be read."""
        found: Any = await self._redis.xrange(window_key(room), f"{first}-0", f"{last}-9")
        entries = (self._readable(*row) for row in found)
        return [each for each in entries if each is not None and each.place.epoch == epoch]

    async def drop(self, room: str, numbers: Sequence[int]) -> None:
        """Take events out; who looks for them finds them in MongoDB, as they are there."""
        await self._redis.xdel(window_key(room), *(f"{each}-1" for each in numbers))

    async def overdue(self, before_ms: int, most: int) -> list[str]:
        """Rooms with an event that has waited for MongoDB since before then."""
        found: Any = await self._redis.zrange(PENDING_ROOMS, 0, before_ms, byscore=True, offset=0, num=most)
        return [each.decode() for each in found]

    async def waits_since(self, room: str, at_ms: int) -> None:
        """What waits longest in a room has waited since then."""
        await self._redis.zadd(PENDING_ROOMS, {room: at_ms}, xx=True)

    async def pending(self, room: str) -> tuple[list[Entry], list[int]]:
        """What of a room waits for MongoDB, and the numbers whose event is not in the window any more."""
        waiting: Any = await self._redis.zrange(pending_key(room), 0, -1)
        numbers = [int(each) for each in waiting]
        if not numbers:
            return [], []
        rows: Any = await self._redis.xrange(window_key(room), f"{numbers[0]}-0", f"{numbers[-1]}-9")
        wanted = set(numbers)
        entries = [each for each in (self._entry(*row) for row in rows) if each.place.seq in wanted]
        return entries, sorted(wanted - {each.place.seq for each in entries})

    def _readable(self, number: bytes, fields: dict[bytes, bytes]) -> Entry | None:
        try:
            return self._entry(number, fields)
        except Unsealable:
            return None  # its key is gone; MongoDB, which is asked next, says so

    def _entry(self, number: bytes, fields: dict[bytes, bytes]) -> Entry:
        seq = int(number.partition(b"-")[0])
        return Entry(Place(fields[b"e"].decode(), seq), self._envelope.open(fields[b"r"]))


def _placed(said: Said, answer: Any) -> Placed | Unplaced | Failure:
    if isinstance(answer, Exception) and is_away(answer):
        log.warning("log_refused_by_redis", reason=str(answer)[:200])
        return Unavailable(UNKNOWN, retry_after_ms=1_000)
    if isinstance(answer, Exception):
        raise answer
    match answer:
        case [b"new", seq, epoch]:
            return Placed(Place(epoch.decode(), int(seq)), said.record.at_ms, new=True)
        case [b"known", text]:
            seq, epoch, at = text.decode().split()
            return Placed(Place(epoch, int(seq)), int(at), new=False)
        case [b"full"]:
            return Unavailable("Nothing can be stored at the moment.", retry_after_ms=2_000)
        case [b"doubtful"]:
            return Unplaced.DOUBTFUL
    return Unplaced.LOST


def _check(answer: Any) -> None:
    if isinstance(answer, RedisError):
        raise RedisConnectionError(str(answer)) if is_away(answer) else answer


def client_key(said: Said) -> str:
    """What became of what this sender sent by this client id: `<seq> <epoch> <at>`."""
    return f"log:{{{said.room}}}:client:{said.record.id}"


def state_key(room: str) -> str:
    """A hash: the room's epoch, its newest number, and the life of the server that gave it."""
    return f"log:{{{room}}}:state"


def window_key(room: str) -> str:
    """A stream: the newest events."""
    return f"log:{{{room}}}:window"


def pending_key(room: str) -> str:
    """A sorted set: the numbers that are not in MongoDB yet."""
    return f"log:{{{room}}}:pending"


def room_keys(room: str) -> list[str]:
    """All that there is of a room, beside what it knows of each sender's client ids."""
    return [state_key(room), window_key(room), pending_key(room)]
