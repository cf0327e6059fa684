"""Which sign-ins are alive, and whose they are: asked for every request and every socket.

Three layers: this worker's memory for at most a second, Redis for some minutes, MongoDB for the truth.
Ending a sign-in is written to MongoDB first, then to Redis, where it overrides what a slower reader may
still put there (readers only write where nothing is). When Redis is away, MongoDB is asked each time;
when MongoDB is away as well, nobody gets in. Whoever asks at the same time is looked up together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from itertools import islice
from typing import Final

import msgspec
from redis.asyncio import Redis

from fittracker.breaker import Breaker, RedisAway
from fittracker.clock import Clock
from fittracker.control import Control, SessionEnded, UserChanged
from fittracker.herd import Herd
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.redis import session_key

log = logger(__name__)

ENDED: Final = "0"
LOCAL_S: Final = 1.0
SHARED_S: Final = 300
MOST_LOCAL: Final = 20_000
MOST_LATELY: Final = 10_000


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
    {"$project": {"user": 1, "scopes": 1, "fingerprint": 1, "owner": 1}},
]

_UPDATE: Final = (
    "if redis.call('GET', KEYS[1]) ~= '0' then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end"
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(State).decode

Load = Callable[[list[str]], Awaitable[dict[str, State | None]]]


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
        self._by_sid: Herd[str, State | None] = Herd(self._find_sessions)
        self._by_fingerprint: Herd[str, State | None] = Herd(self._find_devices)
        self._local: dict[str, tuple[float, State | None]] = {}
        self._owed: dict[str, float] = {}
        self._lately: dict[str, int] = {}
        self._told = 0

    # -- asking --------------------------------------------------------------------------------------

    async def of_session(self, sid: str) -> State | None:
        """The state of a session, None where it is over or its owner may not come in."""
        return await self._look(self._by_sid, sid)

    async def of_device(self, fingerprint: str) -> State | None:
        """The same for a device token."""
        return await self._look(self._by_fingerprint, fingerprint)

    async def _look(self, herd: Herd[str, State | None], key: str) -> State | None:
        now = self._clock.monotonic()
        known = self._local.get(key)
        if known is not None and known[0] > now:
            return known[1]
        state = await self._look_up(herd, key)
        if state is not None or herd is self._by_sid:  # made-up device tokens get no memory of ours
            self._keep(key, state, now)
        return state

    async def _look_up(self, herd: Herd[str, State | None], key: str) -> State | None:
        """Look it up; again where its end or a change was told meanwhile, for the answer may be older."""
        while True:
            told = self._told
            state = await herd.ask(key)
            if (
                state is None
                or max(self._lately.get(each, 0) for each in (key, state.sid, state.user)) <= told
            ):
                return state

    def _keep(self, key: str, state: State | None, now: float) -> None:
        local = self._local
        local.pop(key, None)
        local[key] = (now + LOCAL_S, state)
        # The oldest stand first. Two go for each that comes: what is stale does not stay, and nobody waits.
        for oldest in list(islice(local, 2)):
            if local[oldest][0] <= now or len(local) > MOST_LOCAL:
                del local[oldest]

    async def _find_sessions(self, sids: list[str]) -> dict[str, State | None]:
        return await self._find(sids, self._load_sessions)

    async def _find_devices(self, fingerprints: list[str]) -> dict[str, State | None]:
        return await self._find(fingerprints, self._load_devices)

    async def _find(self, keys: list[str], load: Load) -> dict[str, State | None]:
        """Look in Redis for all of them, in MongoDB for those it does not know."""
        found = await self._shared(keys)
        unknown = [key for key in keys if key not in found]
        if unknown:
            loaded = await load(unknown)
            await self._share(loaded)
            found |= {key: loaded.get(key) for key in unknown}
        return found

    async def _shared(self, keys: list[str]) -> dict[str, State | None]:
        """What Redis knows, nothing while it is away; what is owed to it counts as told."""
        known: dict[str, State | None] = {key: None for key in keys if key in self._owed}
        wanted = [key for key in keys if key not in known]
        if wanted:
            try:
                values = await self._breaker.call(lambda: self._redis.mget(map(session_key, wanted)))
            except RedisAway:
                return known
            for key, value in zip(wanted, values, strict=True):
                if value is not None:
                    known[key] = None if value == ENDED else _decode(value)
        return known

    async def _share(self, states: Mapping[str, State | None]) -> None:
        """Tell Redis, where it knows nothing yet."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, state in states.items():
                value = ENDED if state is None else _encode(state)
                pipeline.set(session_key(key), value, ex=self._shared_s, nx=True)
            try:
                await self._breaker.call(pipeline.execute)
            except RedisAway:
                log.debug("liveness_not_shared")

    async def _load_sessions(self, sids: list[str]) -> dict[str, State | None]:
        """The living ones, and None for all others: everybody may know that those are over."""
        alive = {"_id": {"$in": sids}, "ended_at": None, "expires_at": {"$gt": self._clock.utc()}}
        rows = await (await self._sessions.aggregate([{"$match": alive}, *_WITH_OWNER])).to_list()
        return {**dict.fromkeys(sids), **{row["_id"]: _state(row) for row in rows}}

    async def _load_devices(self, fingerprints: list[str]) -> dict[str, State | None]:
        """The living ones alone: anybody can make up device tokens, and Redis must not fill with them."""
        known = [{"$match": {"fingerprint": {"$in": fingerprints}}}, *_WITH_OWNER]
        rows = await (await self._device_tokens.aggregate(known)).to_list()
        states = {row["fingerprint"]: _state(row) for row in rows}
        return {fingerprint: state for fingerprint, state in states.items() if state is not None}

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
        await self._share({key: state})

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
            self._note(key)
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
        self._note(sid)
        if self._local.pop(sid, None) is None:
            self._drop(lambda state: state.sid == sid)

    def forget_user(self, user: str) -> None:
        """Drop what this worker remembers of all sign-ins of a person."""
        self._note(user)
        self._drop(lambda state: state.user == user)

    def _note(self, name: str) -> None:
        """Whoever is just being looked up by this name is looked up again."""
        self._told += 1
        self._lately.pop(name, None)
        self._lately[name] = self._told
        if len(self._lately) > MOST_LATELY:
            del self._lately[next(iter(self._lately))]

    def _drop(self, matches: Callable[[State], bool]) -> None:
        gone = [key for key, (_, state) in self._local.items() if state is not None and matches(state)]
        for key in gone:
            del self._local[key]


def _state(row: Document) -> State | None:
    if not row["owner"]:
        return None
    owner, scopes = row["owner"][0], row.get("scopes")
    return State(row["_id"], row["user"], owner["name"], owner["role"], tuple(scopes) if scopes else None)
