"""Which sign-ins are alive, and whose they are: asked for every request and every socket.

Three layers: this worker's memory for at most a second, Redis for some minutes, MongoDB for the truth.
Ending a sign-in is written to MongoDB first, then to Redis, where it overrides what a slower reader may
still put there (readers only write where nothing is). When Redis is away, MongoDB is asked each time;
when MongoDB is away as well, nobody gets in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

import msgspec
from redis.asyncio import Redis

from fittracker.breaker import Breaker, RedisAway
from fittracker.clock import Clock
from fittracker.control import Control, SessionEnded, UserChanged
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.redis import session_key

log = logger(__name__)

ENDED: Final = "0"
LOCAL_S: Final = 1.0
SHARED_S: Final = 300
MOST_LOCAL: Final = 20_000


class State(msgspec.Struct, frozen=True, gc=False):
    """A living sign-in: of whom, with which role, and for a device token with which scopes."""

    sid: str
    user: str
    name: str
    role: str
    scopes: tuple[str, ...] | None = None


# The owner in the same round trip; an account that is disabled or not verified has no living sign-ins.
_WITH_OWNER: Final[list[Document]] = [
    {
        "$lookup": {
            "from": "users",
            "localField": "user",
            "foreignField": "_id",
            "pipeline": [
                {"$match": {"disabled_at": None, "verified_at": {"$ne": None}}},
                {"$project": {"name": 1, "role": 1}},
            ],
            "as": "owner",
        }
    },
    {"$project": {"user": 1, "scopes": 1, "owner": 1}},
]

_UPDATE: Final = (
    "if redis.call('GET', KEYS[1]) ~= '0' then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end"
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(State).decode


class Liveness:
    """The sign-ins of all people as one worker sees them.

    A key is the sid of a session, or the fingerprint of a device token.
    """

    def __init__(
        self,
        database: Database,
        redis: Redis,
        breaker: Breaker,
        control: Control,
        clock: Clock,
        *,
        life_s: int,
    ) -> None:
        self._sessions = database.sessions
        self._device_tokens = database.device_tokens
        self._redis = redis
        self._breaker = breaker
        self._control = control
        self._clock = clock
        # An end is remembered for longer than anybody could still believe in the beginning.
        self._ended_s = max(life_s, SHARED_S)
        self._shared_s = min(life_s, SHARED_S)
        self._update = redis.register_script(_UPDATE)
        self._local: dict[str, tuple[float, State | None]] = {}
        self._owed: dict[str, float] = {}

    # -- asking --------------------------------------------------------------------------------------

    async def of_session(self, sid: str) -> State | None:
        """The state of a session, None where it is over or its owner may not come in."""
        return await self._look(sid, device=False)

    async def of_device(self, fingerprint: str) -> State | None:
        """The same for a device token."""
        return await self._look(fingerprint, device=True)

    async def _look(self, key: str, *, device: bool) -> State | None:
        now = self._clock.monotonic()
        known = self._local.get(key)
        if known is not None and known[0] > now:
            return known[1]
        cached = await self._shared(key)
        if cached is None:
            state = await (self._load_device(key) if device else self._load_session(key))
            if state is None and device:
                return None  # anybody can make up device tokens: they get no memory of ours
            await self._share(key, state)
        else:
            state = None if cached == ENDED else _decode(cached)
        self._keep(key, state, now)
        return state

    def _keep(self, key: str, state: State | None, now: float) -> None:
        self._local.pop(key, None)
        self._local[key] = (now + LOCAL_S, state)
        while len(self._local) > MOST_LOCAL:
            del self._local[next(iter(self._local))]

    async def _shared(self, key: str) -> str | None:
        if key in self._owed:
            return ENDED
        try:
            found = await self._breaker.call(lambda: self._redis.get(session_key(key)))
        except RedisAway:
            return None
        return found if isinstance(found, str) else None

    async def _share(self, key: str, state: State | None) -> None:
        value = ENDED if state is None else _encode(state)
        try:
            await self._breaker.call(
                lambda: self._redis.set(session_key(key), value, ex=self._shared_s, nx=True)
            )
        except RedisAway:
            log.debug("liveness_not_shared")

    async def _load_session(self, sid: str) -> State | None:
        alive = {"_id": sid, "ended_at": None, "expires_at": {"$gt": self._clock.utc()}}
        rows = await (await self._sessions.aggregate([{"$match": alive}, *_WITH_OWNER])).to_list()
        return _state(rows)

    async def _load_device(self, fingerprint: str) -> State | None:
        found = [{"$match": {"fingerprint": fingerprint}}, *_WITH_OWNER]
        return _state(await (await self._device_tokens.aggregate(found)).to_list())

    async def gone(self, sids: Collection[str], device_sids: Collection[str]) -> set[str]:
        """Those of these sign-ins that are over, by one look at MongoDB each: for sockets that stay open."""
        alive = {"_id": {"$in": list(sids)}, "ended_at": None, "expires_at": {"$gt": self._clock.utc()}}
        found = {each["_id"] async for each in self._sessions.find(alive, {"_id": 1})}
        if device_sids:
            tokens = self._device_tokens.find({"_id": {"$in": list(device_sids)}}, {"_id": 1})
            found |= {each["_id"] async for each in tokens}
        return {*sids, *device_sids} - found

    # -- telling -------------------------------------------------------------------------------------

    async def begin(self, key: str, state: State) -> None:
        """A sign-in has begun: the first request finds it in Redis."""
        await self._share(key, state)

    async def update(self, key: str, state: State) -> None:
        """What is known of the owner has changed (a name, a role); what has ended stays ended."""
        self._local.pop(key, None)
        args: list[bytes | int] = [_encode(state), self._shared_s]
        try:
            await self._breaker.call(lambda: self._update(keys=[session_key(key)], args=args))
        except RedisAway:
            log.warning("liveness_not_updated")

    async def end(self, keys: Iterable[tuple[str, str]], reason: str = "signed_out") -> None:
        """Sign-ins are over: (key, sid) of each; every worker forgets them and closes their sockets."""
        for key, sid in keys:
            self._local.pop(key, None)
            self._owed[key] = self._clock.monotonic() + self._ended_s
            await self.settle(key)
            await self._tell(SessionEnded(sid, reason))

    async def settle(self, key: str) -> None:
        """Write to Redis that this one is over; what cannot be written now stays owed."""
        try:
            await self._breaker.call(lambda: self._redis.set(session_key(key), ENDED, ex=self._ended_s))
            self._owed.pop(key, None)
        except RedisAway:
            log.warning("session_end_not_shared", owed=len(self._owed))

    async def settle_all(self) -> None:
        """Write what is still owed to Redis; called every second."""
        now = self._clock.monotonic()
        for key, until in tuple(self._owed.items()):
            if until < now:
                del self._owed[key]
            else:
                await self.settle(key)

    async def changed(self, user: str, *, banned: bool) -> None:
        """Every worker looks at this person's sign-ins again."""
        self.forget_user(user)
        await self._tell(UserChanged(user, banned))

    async def _tell(self, message: SessionEnded | UserChanged) -> None:
        try:
            await self._breaker.call(lambda: self._control.tell(message))
        except RedisAway:
            log.warning("control_not_told", message=type(message).__name__)

    # -- forgetting ----------------------------------------------------------------------------------

    def forget(self, sid: str) -> None:
        """Drop what this worker remembers of a sign-in."""
        if self._local.pop(sid, None) is None:
            self._drop(lambda state: state.sid == sid)

    def forget_user(self, user: str) -> None:
        """Drop what this worker remembers of all sign-ins of a person."""
        self._drop(lambda state: state.user == user)

    def _drop(self, matches: Callable[[State], bool]) -> None:
        gone = [key for key, (_, state) in self._local.items() if state is not None and matches(state)]
        for key in gone:
            del self._local[key]


def _state(rows: list[Document]) -> State | None:
    if not rows or not rows[0]["owner"]:
        return None
    row, owner = rows[0], rows[0]["owner"][0]
    scopes = row.get("scopes")
    return State(row["_id"], row["user"], owner["name"], owner["role"], tuple(scopes) if scopes else None)
