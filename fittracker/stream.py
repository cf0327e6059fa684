"""One open heart-rate stream: what was accepted, what is stored, and what waits for the next flush.

A stored batch says which range of sequence numbers it covers: from `n`, the one after everything stored
before, to `to`. Its id is {s: stream, n: n}. So two workers that both believe they own a stream cannot both
store what follows the same sample: the second one meets a duplicate key, reads how far the first one came,
and trims.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, takewhile
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from fittracker.mongo import Document
from fittracker.pulse import Pulse

BATCH_BYTES: Final = 4_000_000
"""A batch is not made larger than this; MongoDB takes 16 MiB."""
SAMPLE_BYTES: Final = 64
BEAT_BYTES: Final = 13


class Owner(Protocol):
    """Who pushes the samples, and is told what became of them."""

    def acknowledge(self, stream: Stream) -> None:
        """Everything up to `stream.stored` is on the disks of a majority."""

    def taken(self, stream: Stream) -> None:
        """Another connection owns the stream now."""


class Stream:
    """The state of one stream on the worker that owns it. Times are unix ms, `heard` is monotonic seconds."""

    __slots__ = (
        "bpm",
        "closed",
        "contact",
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
        "rr",
        "seq",
        "session",
        "size",
        "stored",
        "t",
        "time_zone",
        "user",
        "with_contact",
        "with_rr",
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
        self.flying_bytes = 0
        self.day = ""
        self.day_begins = self.day_ends = 0
        self._clear()

    def _clear(self) -> None:
        self.seq: list[int] = []
        self.t: list[int] = []
        self.bpm: list[int] = []
        self.rr: list[Sequence[float] | None] = []
        self.contact: list[bool | None] = []
        self.with_rr = self.with_contact = False
        self.size = 0  # bytes that what waits takes as BSON, or a little less

    def append(self, seq: int, t: int, bpm: int, rr: Sequence[float] | None, contact: bool | None) -> None:
        """Keep a sample for the next flush; the caller has checked that `seq` is above `last`."""
        self.last = seq
        self.seq.append(seq)
        self.t.append(t)
        self.bpm.append(bpm)
        self.rr.append(rr)
        self.contact.append(contact)
        self.size += SAMPLE_BYTES
        if rr:
            self.with_rr = True
            self.size += BEAT_BYTES * len(rr)
        if contact is not None:
            self.with_contact = True

    def take_off(self) -> Document | None:
        """The next batch, of what waits as much as fits; None where nothing does or one is still flying."""
        if self.flying is not None or not self.seq:
            return None
        self.flying_bytes = self.size
        later = self._split() if self.size > BATCH_BYTES else None
        first, start = self.stored + 1, self.t[0]
        if not self.day_begins <= start < self.day_ends:
            self._find_day(start)
        last = self.seq[-1]
        batch: Document = {
            "_id": {"s": self.id, "n": first},
            "user": self.user,
            "session": self.session,
            "t": self.t,
            "bpm": self.bpm,
            "to": last,
            "from_t": min(self.t),
            "until_t": max(self.t),
            "day": self.day,
        }
        if len(self.seq) != last - self.stored:
            batch["seq"] = self.seq  # the device skipped numbers; without it, they count up from n
        if self.with_rr:
            batch["rr"] = self.rr
        if self.with_contact:
            batch["contact"] = self.contact
        self.flying = batch
        self._clear()
        if later is not None:
            self._fill(later)
        return batch

    def _columns(self) -> tuple[list[Any], ...]:
        return self.seq, self.t, self.bpm, self.rr, self.contact

    def _split(self) -> tuple[list[Any], ...]:
        """Keep what fits into one batch; what does not."""
        sizes = accumulate(_bytes(beats) for beats in self.rr)
        count = max(sum(1 for _ in takewhile(lambda size: size <= BATCH_BYTES, sizes)), 1)
        later = tuple(column[count:] for column in self._columns())
        for column in self._columns():
            del column[count:]
        self.flying_bytes = sum(map(_bytes, self.rr))
        return later

    def _fill(self, columns: tuple[list[Any], ...]) -> None:
        """Let these wait, and nothing else."""
        self.seq, self.t, self.bpm, self.rr, self.contact = columns
        self.with_rr = any(self.rr)
        self.with_contact = any(each is not None for each in self.contact)
        self.size = sum(map(_bytes, self.rr))

    def landed(self) -> int:
        """The flying batch is stored; how many samples were in it."""
        batch, self.flying = self.flying, None
        if batch is None:
            return 0
        self.stored = batch["to"]
        return len(batch["t"])

    def trim(self, stored: int) -> None:
        """Somebody stored up to `stored`: keep what lies above it, to fly again."""
        batch, self.flying = self.flying, None
        self.stored = max(self.stored, stored)
        self.last = max(self.last, self.stored)
        if batch is None:
            return
        length = len(batch["t"])
        numbers = batch.get("seq") or list(range(batch["to"] - length + 1, batch["to"] + 1))
        keep = [place for place, seq in enumerate(numbers) if seq > self.stored]
        missing: list[Any] = [None] * length
        flown = (
            numbers,
            batch["t"],
            batch["bpm"],
            batch.get("rr") or missing,
            batch.get("contact") or missing,
        )
        first = next((place for place, seq in enumerate(self.seq) if seq > self.stored), len(self.seq))
        pairs = zip(flown, self._columns(), strict=True)
        self._fill(tuple([ahead[place] for place in keep] + behind[first:] for ahead, behind in pairs))

    @property
    def settled(self) -> bool:
        """Whether all that was accepted is stored."""
        return self.flying is None and not self.seq

    def _find_day(self, t_ms: int) -> None:
        """The person's local day that holds this time; it may have 23 or 25 hours."""
        zone = ZoneInfo(self.time_zone)
        local = datetime.fromtimestamp(t_ms / 1000, UTC).astimezone(zone)
        today = datetime.combine(local.date(), datetime.min.time(), zone)
        tomorrow = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), zone)
        self.day = local.date().isoformat()
        self.day_begins = int(today.timestamp() * 1000)
        self.day_ends = int(tomorrow.timestamp() * 1000)


def _bytes(beats: Sequence[float] | None) -> int:
    """What a sample with these RR intervals takes as BSON, at most."""
    return SAMPLE_BYTES + BEAT_BYTES * len(beats) if beats else SAMPLE_BYTES
