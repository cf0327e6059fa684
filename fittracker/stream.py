"""One open heart-rate stream: what was accepted, what is stored, and what waits for the next flush.

A stored batch says which range of sequence numbers it covers: from `n`, the one after everything stored
before, to `to`. Its id is {s: stream, n: n}. So two workers that both believe they own a stream cannot both
store what follows the same sample: the second one meets a duplicate key, reads how far the first one came,
and trims.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate, takewhile
from typing import Annotated, Final, Protocol
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from fittracker.mongo import Document
from fittracker.pulse import Pulse

BATCH_BYTES: Final = 4_000_000
"""A batch is not made larger than this; MongoDB takes 16 MiB."""
SAMPLE_BYTES: Final = 64
BEAT_BYTES: Final = 13
"""What a sample, and an RR interval, take as BSON, at most."""

RR = Annotated[float, Meta(gt=0, le=10_000)]


class Sample(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """`t` unix ms, `bpm` 0 for no contact, `rr` in ms, oldest first."""

    seq: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    t: int
    bpm: Annotated[int, Meta(ge=0, le=300)]
    rr: Annotated[list[RR], Meta(max_length=64)] | None = None
    contact: bool | None = None


class Owner(Protocol):
    """Who pushes the samples, and is told what became of them."""

    def acknowledge(self, stream: Stream) -> None:
        """Everything up to `stream.stored` is on the disks of a majority."""

    def taken(self, stream: Stream) -> None:
        """Another connection owns the stream now."""


class Stream:
    """The state of one stream on the worker that owns it. Times are unix ms, `heard` is monotonic seconds."""

    __slots__ = (
        "_flown",
        "closed",
        "day",
        "day_begins",
        "day_ends",
        "flying",
        "flying_bytes",
        "heard",
        "id",
        "last",
        "owner",
        "pulse",
        "queued",
        "session",
        "stored",
        "time_zone",
        "user",
        "waiting",
    )

    def __init__(
        self,
        id: str,  # noqa: A002  the wire calls it that
        user: str,
        *,
        session: str | None,
        stored: int,
        pulse: Pulse,
        time_zone: str,
        heard: float,
        owner: Owner | None,
    ) -> None:
        self.id = id
        self.user = user
        self.session = session
        self.stored = self.last = stored
        self.pulse = pulse
        self.time_zone = time_zone
        self.heard = heard
        self.owner = owner
        self.queued = False
        self.closed = False
        self.flying: Document | None = None
        """The batch that is on its way to MongoDB; there is never more than one."""
        self._flown: list[Sample] = []
        self.flying_bytes = 0
        self.day = ""
        self.day_begins = self.day_ends = 0
        self.waiting: list[Sample] = []

    def append(self, sample: Sample) -> None:
        """Keep a sample for the next flush; the caller has checked that its `seq` is above `last`."""
        self.last = sample.seq
        self.waiting.append(sample)

    def take_off(self) -> Document | None:
        """The next batch, of what waits as much as fits; None where nothing does or one is still flying."""
        samples = self.waiting
        if self.flying is not None or not samples:
            return None
        if len(samples) == 1:  # as from a strap that sends one a second
            size = _bytes(samples[0])
        else:
            size = sum(map(_bytes, samples))
            if size > BATCH_BYTES:
                samples = _fitting(samples)
                size = sum(map(_bytes, samples))
        # Only when nothing can go wrong any more do they wait no longer.
        self.flying, self.flying_bytes = self._batch(samples), size
        self._flown, self.waiting = samples, self.waiting[len(samples) :]
        return self.flying

    def _batch(self, samples: list[Sample]) -> Document:
        first, last = samples[0], samples[-1]
        t = [each.t for each in samples]
        if not self.day_begins <= first.t < self.day_ends:
            self._find_day(first.t)
        batch: Document = {
            "_id": {"s": self.id, "n": self.stored + 1},
            "user": self.user,
            "session": self.session,
            "t": t,
            "bpm": [each.bpm for each in samples],
            "to": last.seq,
            "from_t": first.t if first is last else min(t),
            "until_t": first.t if first is last else max(t),
            "day": self.day,
        }
        if len(samples) != last.seq - self.stored:
            # The device skipped numbers; without these, they count up from n.
            batch["seq"] = [each.seq for each in samples]
        rr, contact = [each.rr for each in samples], [each.contact for each in samples]
        if any(rr):
            batch["rr"] = rr
        if contact.count(None) != len(contact):
            batch["contact"] = contact
        return batch

    def landed(self) -> int:
        """The flying batch is stored; how many samples were in it."""
        batch, self.flying = self.flying, None
        if batch is None:
            return 0
        flown, self._flown = self._flown, []
        self.stored = batch["to"]
        return len(flown)

    def trim(self, stored: int) -> int:
        """Somebody stored up to `stored`: keep what lies above it, to fly again. How many were let go."""
        flown, self._flown = self._flown, []
        self.flying = None
        self.stored = max(self.stored, stored)
        self.last = max(self.last, self.stored)
        held = flown + self.waiting
        self.waiting = [each for each in held if each.seq > self.stored]
        return len(held) - len(self.waiting)

    @property
    def settled(self) -> bool:
        """Whether all that was accepted is stored."""
        return self.flying is None and not self.waiting

    def _find_day(self, t_ms: int) -> None:
        """The person's local day that holds this time; it may have 23 or 25 hours."""
        zone = ZoneInfo(self.time_zone)
        local = datetime.fromtimestamp(t_ms / 1000, UTC).astimezone(zone)
        today = datetime.combine(local.date(), datetime.min.time(), zone)
        tomorrow = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), zone)
        self.day = local.date().isoformat()
        self.day_begins = int(today.timestamp() * 1000)
        self.day_ends = int(tomorrow.timestamp() * 1000)


def _fitting(samples: list[Sample]) -> list[Sample]:
    """As many of them as one batch may hold; at least one."""
    sizes = accumulate(map(_bytes, samples))
    return samples[: max(sum(1 for _ in takewhile(lambda size: size <= BATCH_BYTES, sizes)), 1)]


def _bytes(sample: Sample) -> int:
    return SAMPLE_BYTES + BEAT_BYTES * len(sample.rr) if sample.rr else SAMPLE_BYTES
