"""Heart rate on its way up: accept samples, keep their order, store them, and only then acknowledge them.

Samples gather in memory and leave in one write for all streams: every 0.5 s, or earlier when there are many.
A write that fails is tried again until it succeeds; a device hears of a sample only once a majority of the
replica set has it in the journal. What is not acknowledged the device still has, and sends again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from pymongo import ReturnDocument

from fittracker.background import beside
from fittracker.batches import Batches, failed
from fittracker.clock import Clock
from fittracker.control import Control, StreamTaken
from fittracker.errors import Gone, Invalid, NotFound, Unavailable
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.physiology import Physiology
from fittracker.pulse import NOTHING, Alert, Pulse
from fittracker.redis import OUTAGES as REDIS_OUTAGES
from fittracker.stream import Owner, Sample, Stream

log = logger(__name__)

OLDEST_MS: Final = 946_684_800_000  # 2000-01-01: before it, a device's clock was never set
AHEAD_MS: Final = 86_400_000
MOST_BPM: Final = 300
RETRY_S: Final = (0.1, 2.0)
TELL_S: Final = 1.0
"""How long a device that opens its stream waits for Redis."""

repeated = Counter("fittracker_heart_samples_repeated", "Samples that had been accepted before")
waiting = Gauge("fittracker_heart_samples_waiting", "Samples accepted and not yet stored")
flush_s = Histogram("fittracker_heart_flush_seconds", "Time of one flush")


class Telemetry:
    """The heart-rate streams of one worker."""

    def __init__(
        self,
        database: Database,
        control: Control,
        clock: Clock,
        *,
        worker: str,
        flush_s: float,
        flush_samples: int,
        buffer_samples: int,
    ) -> None:
        self._batches = Batches(database, self._settle)
        self._streams = database.heart_streams
        self._control = control
        self._clock = clock
        self._worker = worker
        self._flush_s = flush_s
        self._flush_samples = flush_samples
        self._buffer_samples = buffer_samples
        self.streams: dict[str, Stream] = {}
        self._dirty: list[Stream] = []
        self._waiting = 0
        self._flushing = asyncio.Lock()
        self._enough = asyncio.Event()

    # -- opening -------------------------------------------------------------------------------------

    async def open(
        self,
        stream_id: str,
        user: str,
        physiology: Physiology,
        *,
        session: str | None,
        sport: str | None,
        device: Document | None,
        owner: Owner,
        connection: str,
    ) -> Stream:
        """Open a stream, or go on with one; `stream.stored` is what need not be sent again.

        The newest connection owns it. NotFound where it is somebody else's, Gone where it was closed.
        """
        mine = self.streams.get(stream_id)
        if mine is not None and mine.user != user:
            raise NotFound("There is no such stream.")
        session = await self._claim(stream_id, user, session, sport, device, physiology)
        await self._tell_taken(stream_id, connection)
        mine = self.streams.get(stream_id)
        if mine is None:
            highest = await self._batches.highest(stream_id)
            # Two sockets may open the same stream at once; after the last wait, one object serves both.
            mine = self.streams.get(stream_id)
        if mine is None:
            mine = self._remember(stream_id, user, session, physiology, highest)
        if mine.owner is not None and mine.owner is not owner:
            mine.owner.taken(mine)
        mine.owner = owner
        mine.heard = self._clock.monotonic()
        return mine

    async def begun_in(self, session: str, stream_id: str, user: str) -> bool:
        """Whether this person's stream was begun in that session."""
        query = {"_id": stream_id, "user": user, "session": session}
        return await self._streams.find_one(query, {"_id": 1}) is not None

    def part(self, users: Collection[str], session: str) -> None:
        """These athletes left a session: their streams on this worker go on without it."""
        gone = frozenset(users)
        for stream in self.streams.values():
            if stream.session == session and stream.user in gone:
                stream.session = None

    async def _claim(
        self,
        stream_id: str,
        user: str,
        session: str | None,
        sport: str | None,
        device: Document | None,
        physiology: Physiology,
    ) -> str | None:
        """Make the stream known, or find that it is; its session."""
        now = self._clock.utc()
        first = {
            "user": user,
            "session": session,
            "sport": sport,
            "device": device,
            "opened_at": now,
            "closed_at": None,
            "workout": None,
            "physiology": physiology.as_document(),
            "schema_version": 1,
        }
        found = await self._streams.find_one_and_update(
            {"_id": stream_id},
            {"$setOnInsert": first, "$max": {"seen_at": now}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
            projection={"user": 1, "closed_at": 1, "workout": 1, "session": 1},
        )
        if found is None or found["user"] != user:
            raise NotFound("There is no such stream.")
        if found["closed_at"] is not None:
            raise Gone("This stream was closed; open a new one.", fields={"workout": found["workout"] or ""})
        if session is not None and found["session"] != session:
            raise Invalid("The stream belongs to another session.", fields={"session": "cannot be changed"})
        its_session: str | None = found["session"]
        return its_session

    async def _tell_taken(self, stream_id: str, connection: str) -> None:
        """Let the worker that had it hear of it. It is no promise: batches keep their order without."""
        try:
            async with asyncio.timeout(TELL_S):
                await self._control.tell(StreamTaken(stream_id, self._worker, connection))
        except (*REDIS_OUTAGES, TimeoutError) as error:
            log.warning("stream_taken_not_told", stream=stream_id, reason=type(error).__name__)

    def _remember(
        self, stream_id: str, user: str, session: str | None, physiology: Physiology, highest: int
    ) -> Stream:
        stream = self.streams[stream_id] = Stream(
            stream_id,
            user,
            session=session,
            stored=highest,
            pulse=Pulse(physiology.zones, physiology.limits),
            time_zone=physiology.time_zone,
            heard=self._clock.monotonic(),
            owner=None,
        )
        return stream

    # -- accepting -----------------------------------------------------------------------------------

    def check_room(self) -> None:
        """Unavailable while so much waits for MongoDB that accepting more would be a promise on memory."""
        if self._waiting >= self._buffer_samples:
            raise Unavailable(
                "Heart rate cannot be stored at the moment; keep the samples and send them again.",
                retry_after_ms=2_000,
            )

    def check(self, samples: Sequence[Sample]) -> None:
        """Invalid for what no heart and no clock says; a clock may be a day ahead, not more."""
        latest = self._clock.now_ms() + AHEAD_MS
        for sample in samples:
            if not OLDEST_MS <= sample.t <= latest:
                fault = {"t": "must be unix milliseconds"}
                raise Invalid("The time of a sample is not plausible.", fields=fault)
            if sample.seq < 1 or not 0 <= sample.bpm <= MOST_BPM:
                raise Invalid("A sample is not plausible.", fields={"bpm": f"must be 0 to {MOST_BPM}"})

    def accept(self, stream: Stream, samples: Sequence[Sample]) -> Sequence[Alert] | None:
        """Take samples: the alerts they set off, or None where all of them had been accepted before."""
        held, feed = stream.waiting, stream.pulse.feed
        before = len(held)
        alerts: list[Alert] | None = None
        try:
            for sample in samples:
                if sample.seq <= stream.last:
                    repeated.inc()
                    continue
                stream.last = sample.seq
                held.append(sample)
                found = feed(sample.t, sample.bpm, sample.rr, sample.contact)
                if found:
                    alerts = [*(alerts or ()), *found]
        finally:
            count = len(held) - before
            if count:
                self._await(stream, count)
        if not count:
            return None
        return alerts or NOTHING

    def _await(self, stream: Stream, count: int) -> None:
        """So many samples more wait for the next flush."""
        self._waiting += count
        if not stream.queued:
            stream.queued = True
            self._dirty.append(stream)
        if self._waiting >= self._flush_samples:
            self._enough.set()

    def repeat_ack(self, stream: Stream) -> None:
        """Acknowledge again at the next flush: the device sent what is stored already."""
        if not stream.queued:
            stream.queued = True
            self._dirty.append(stream)

    def let_go(self, stream_id: str) -> None:
        """Another worker took the stream: what waits is still stored, but no longer acknowledged here."""
        stream = self.streams.pop(stream_id, None)
        if stream is not None and stream.owner is not None:
            stream.owner.taken(stream)
            stream.owner = None

    def forget(self, stream: Stream, closer: Owner | None = None) -> None:
        """The stream was closed; whoever took it at that very moment is told that it is theirs no more."""
        if self.streams.get(stream.id) is stream:
            del self.streams[stream.id]
        if stream.owner is not None and stream.owner is not closer:
            stream.owner.taken(stream)
        stream.owner = None

    async def current(self, stream: Stream) -> bool:
        """Whether nobody else has stored more of this stream: where it was taken, word of it may be lost."""
        return await self._batches.highest(stream.id) <= stream.stored

    # -- storing -------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Flush in the background; at the end, once more, so that nothing accepted is left behind."""
        try:
            async with beside(self._run(), "telemetry-flush"):
                yield
        finally:
            while await self.flush() and self._dirty:
                pass

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), self._flush_s)
            self._enough.clear()
            pause, longest = RETRY_S
            while not await self.flush():
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)

    async def flush(self) -> bool:
        """Write what waits now, and acknowledge it; False where MongoDB did not confirm all of it."""
        async with self._flushing:
            streams, self._dirty = self._dirty, []
            if not streams:
                return True
            try:
                with flush_s.time():
                    sound = self._take_off(streams)
                    return await self._batches.write([each for each in streams if each.flying]) and sound
            finally:
                self._conclude(streams)  # also where we are cancelled: what did not land is tried again

    def _settle(self, count: int) -> None:
        self._waiting -= count
        waiting.set(self._waiting)

    def _take_off(self, streams: list[Stream]) -> bool:
        """Make the next batch of each; whether all could."""
        sound = True
        for stream in streams:
            try:
                stream.take_off()
            except Exception:
                # A defect in one stream must not keep those of all others on the ground.
                sound = False
                failed.inc()
                log.exception("heart_batch_broken", stream=stream.id)
        return sound

    def _conclude(self, streams: list[Stream]) -> None:
        """Acknowledge what landed, though more may have come meanwhile; keep the rest for the next flush."""
        for stream in streams:
            landed = stream.flying is None
            if landed and not stream.waiting:
                stream.queued = False
            else:
                self._dirty.append(stream)
            if landed and stream.owner is not None:
                stream.owner.acknowledge(stream)

    async def store(self, stream: Stream) -> None:
        """Wait until everything accepted of this stream is stored; Unavailable after 10 s."""
        pause, longest = RETRY_S
        deadline = self._clock.monotonic() + 10
        while not stream.settled:
            if not stream.queued:
                stream.queued = True
                self._dirty.append(stream)
            if not await self.flush() or not stream.settled:
                if self._clock.monotonic() > deadline:
                    raise Unavailable("The last samples could not be stored yet.", retry_after_ms=2_000)
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)

    async def say_seen(self) -> None:
        """Mark this worker's streams as alive, so that nobody else ends them."""
        if self.streams:
            await self._streams.update_many(
                {"_id": {"$in": list(self.streams)}, "closed_at": None},
                {"$max": {"seen_at": self._clock.utc()}},
            )

    def silent(self, now: float, longer_than_s: float) -> list[Stream]:
        """The streams of this worker that no sample came on for so long; `now` is monotonic."""
        return [stream for stream in self.streams.values() if now - stream.heard > longer_than_s]
