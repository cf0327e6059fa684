"""Heart rate on its way up: accept samples, keep their order, store them, and only then acknowledge them.

Samples gather in memory and leave in one write for all streams: every 0.5 s, or earlier when there are many.
A write that fails is tried again until it succeeds; a device hears of a sample only once a majority of the
replica set has it in the journal. What is not acknowledged the device still has, and sends again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from pymongo import ReturnDocument

from fittracker.clock import Clock
from fittracker.control import Control, StreamTaken
from fittracker.errors import Gone, Invalid, NotFound, Unavailable
from fittracker.mongo import DATABASE_ERRORS, DURABLE, Database, Document
from fittracker.observability import logger
from fittracker.physiology import Physiology
from fittracker.pulse import Alert, Pulse
from fittracker.stream import Owner, Stream

log = logger(__name__)

DUPLICATE: Final = 11_000
CHUNK_DOCUMENTS: Final = 2_000
CHUNK_SAMPLES: Final = 50_000
OLDEST_MS: Final = 946_684_800_000  # 2000-01-01: before it, a device's clock was never set
AHEAD_MS: Final = 86_400_000
MOST_BPM: Final = 300
RETRY_S: Final = (0.1, 2.0)
SEEN_EVERY_S: Final = 60.0

stored = Counter("fittracker_heart_samples_stored", "Heart-rate samples written, majority and journal")
repeated = Counter("fittracker_heart_samples_repeated", "Samples that had been accepted before")
failed = Counter("fittracker_heart_flush_failures", "Flushes that MongoDB did not confirm")
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
        self._batches = database.heart_batches
        self._streams = database.heart_streams
        self._database = database
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
        await self._claim(stream_id, user, session, sport, device, physiology)
        await self._control.tell(StreamTaken(stream_id, self._worker, connection))
        mine = self.streams.get(stream_id)
        if mine is None:
            highest = await self.highest(stream_id)
            # Two sockets may open the same stream at once; after the last wait, one object serves both.
            mine = self.streams.get(stream_id)
        if mine is None:
            mine = self._remember(stream_id, user, session, physiology, highest)
        if mine.owner is not None and mine.owner is not owner:
            mine.owner.taken(mine)
        mine.owner = owner
        mine.heard = self._clock.monotonic()
        return mine

    async def _claim(
        self,
        stream_id: str,
        user: str,
        session: str | None,
        sport: str | None,
        device: Document | None,
        physiology: Physiology,
    ) -> None:
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

    async def highest(self, stream_id: str) -> int:
        """The highest seq that a majority has stored; 0 for none."""
        newest = await self._batches.find_one(
            {"_id": {"$gte": {"s": stream_id, "n": 0}, "$lte": {"s": stream_id, "n": 2**62}}},
            sort=[("_id", -1)],
            projection={"to": 1},
        )
        return int(newest["to"]) if newest else 0

    # -- accepting -----------------------------------------------------------------------------------

    def check_room(self) -> None:
        """Unavailable while so much waits for MongoDB that accepting more would be a promise on memory."""
        if self._waiting >= self._buffer_samples:
            raise Unavailable(
                "Heart rate cannot be stored at the moment; keep the samples and send them again.",
                retry_after_ms=2_000,
            )

    def latest_ms(self) -> int:
        """The latest time a sample may have now: a clock may be a day ahead, not more."""
        return self._clock.now_ms() + AHEAD_MS

    def check(self, seq: int, t_ms: int, bpm: int, latest_ms: int) -> None:
        """Invalid for what no heart and no clock says."""
        if not OLDEST_MS <= t_ms <= latest_ms:
            raise Invalid("The time of a sample is not plausible.", fields={"t": "must be unix milliseconds"})
        if seq < 1 or not 0 <= bpm <= MOST_BPM:
            raise Invalid("A sample is not plausible.", fields={"bpm": f"must be 0 to {MOST_BPM}"})

    def accept(
        self,
        stream: Stream,
        seq: int,
        t_ms: int,
        bpm: int,
        rr: Sequence[float] | None,
        contact: bool | None,
    ) -> Sequence[Alert] | None:
        """Take one sample: the alerts it sets off, or None where it had been accepted before."""
        if seq <= stream.last:
            repeated.inc()
            return None
        stream.append(seq, t_ms, bpm, rr, contact)
        self._waiting += 1
        if not stream.queued:
            stream.queued = True
            self._dirty.append(stream)
        if self._waiting >= self._flush_samples:
            self._enough.set()
        return stream.pulse.feed(t_ms, bpm, rr, contact)

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

    def forget(self, stream: Stream) -> None:
        """The stream was closed."""
        if self.streams.get(stream.id) is stream:
            del self.streams[stream.id]
        stream.owner = None

    # -- storing -------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Flush in the background; at the end, once more, so that nothing accepted is left behind."""
        task = asyncio.create_task(self._run(), name="telemetry-flush")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self.flush()

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
            with flush_s.time():
                flying = self._take_off(streams)
                confirmed = await self._write(flying)
            for stream in streams:
                stream.queued = False
                if not stream.settled:
                    stream.queued = True
                    self._dirty.append(stream)
                elif stream.owner is not None:
                    stream.owner.acknowledge(stream)
            return confirmed

    def _take_off(self, streams: list[Stream]) -> dict[str, Stream]:
        flying = {}
        for stream in streams:
            stream.take_off()
            if stream.flying is not None:
                flying[stream.id] = stream
        return flying

    async def _write(self, flying: dict[str, Stream]) -> bool:
        confirmed = True
        for chunk in _chunks(list(flying.values())):
            try:
                await self._insert(chunk)
            except DATABASE_ERRORS as error:
                failed.inc()
                confirmed = False
                log.warning("heart_flush_failed", streams=len(chunk), reason=type(error).__name__)
        waiting.set(self._waiting)
        return confirmed

    async def _insert(self, chunk: list[Stream]) -> None:
        """One insert, unordered. A raw command: insert_many costs twice the CPU for the same bytes."""
        answer: Document = await self._database.command(
            {
                "insert": self._batches.name,
                "documents": [stream.flying for stream in chunk],
                "ordered": False,
                "writeConcern": DURABLE.document,
            }
        )
        refused = {each["index"]: each for each in answer.get("writeErrors", ())}
        if "writeConcernError" in answer:
            # Written, but not yet on a majority: only a majority read can tell, as for a duplicate.
            log.warning("heart_flush_unconfirmed", reason=answer["writeConcernError"].get("errmsg", ""))
            refused = {place: {"code": DUPLICATE} for place in range(len(chunk))} | refused
        for place, stream in enumerate(chunk):
            if place in refused:
                await self._settle(stream, refused[place])
            else:
                self._land(stream)

    def _land(self, stream: Stream) -> None:
        count = len(stream.flying["t"]) if stream.flying else 0
        self._waiting -= count
        stored.inc(count)
        stream.landed()

    async def _settle(self, stream: Stream, error: Document) -> None:
        """A batch was refused: it is stored already, or another worker stored what comes next."""
        if error.get("code") != DUPLICATE:
            log.error("heart_batch_refused", stream=stream.id, code=error.get("code"))
            return
        highest = await self.highest(stream.id)
        batch = stream.flying
        if batch is None or highest < batch["_id"]["n"]:
            return  # a duplicate that no majority has yet: it stays flying and is tried again
        before = len(batch["t"]) + len(stream.seq)
        stream.trim(highest)
        self._waiting -= before - len(stream.seq)

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


def _chunks(streams: list[Stream]) -> list[list[Stream]]:
    """Streams in groups whose batches fit into one command."""
    chunks: list[list[Stream]] = [[]]
    samples = 0
    for stream in streams:
        size = len(stream.flying["t"]) if stream.flying else 0
        if chunks[-1] and (len(chunks[-1]) >= CHUNK_DOCUMENTS or samples + size > CHUNK_SAMPLES):
            chunks.append([])
            samples = 0
        chunks[-1].append(stream)
        samples += size
    return [chunk for chunk in chunks if chunk]
