"""The rows that an import takes: typed, and anything else in them is refused.

What a row claims is checked as if the same had come from a device or a form: where it belongs to somebody, it
belongs to whoever imports it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from fittracker.errors import Invalid
from fittracker.figure import plausible
from fittracker.mongo import Document
from fittracker.physiology import Physiology
from fittracker.stream import BATCH_BYTES, BEAT_BYTES, SAMPLE_BYTES
from fittracker.zones import MOST_ROWS

OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(days=1)
MOST_SAMPLES: Final = 70_000
MOST_BEATS: Final = 64
LONGEST_NOTE: Final = 300
LONGEST_ZONE: Final = 64
LONGEST_RR_MS: Final = 10_000
MOST_BATCH_BYTES: Final = BATCH_BYTES + (1 << 20)
"""One sample more than fits is in the largest batch that is written."""

CLOCK: Final = r"^([01]\d|2[0-3]):[0-5]\d\Z"

Short = Annotated[str, Meta(min_length=1, max_length=100)]
Bpm = Annotated[int, Meta(ge=0, le=300)]
Number = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class StreamRow(msgspec.Struct, forbid_unknown_fields=True):
    """A stream of heart rate, without its samples. The coaching session is told, and not taken."""

    id: str
    opened_at: datetime
    physiology: dict[str, Any]
    session: Short | None = None
    sport: Short | None = None
    device: dict[str, Short | None] | None = None
    seen_at: datetime | None = None
    closed_at: datetime | None = None


class SamplesRow(msgspec.Struct, forbid_unknown_fields=True):
    """A batch: samples number `from` to `to` of a stream."""

    stream: str
    first: Number = msgspec.field(name="from")
    to: Number
    t: Annotated[list[int], Meta(min_length=1, max_length=MOST_SAMPLES)]
    bpm: Annotated[list[Bpm], Meta(max_length=MOST_SAMPLES)]
    seq: Annotated[list[Number], Meta(max_length=MOST_SAMPLES)] | None = None
    rr: Annotated[list[list[float] | None], Meta(max_length=MOST_SAMPLES)] | None = None
    contact: Annotated[list[bool | None], Meta(max_length=MOST_SAMPLES)] | None = None
    day: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d\Z")] = ""


class WorkoutRow(msgspec.Struct):
    """A workout. Its figures are computed again from the samples, so they are read over."""

    id: str
    stream: str


class MeasurementRow(msgspec.Struct, forbid_unknown_fields=True):
    """A measurement; a null says that the value was taken back."""

    id: str
    kind: str
    value: float | None
    at: datetime
    note: Annotated[str, Meta(min_length=1, max_length=LONGEST_NOTE)] | None = None
    created_at: datetime | None = None


class ProfileRow(msgspec.Struct):
    """What of a profile can be taken; who somebody is (address, role) cannot."""

    birth_date: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d\Z")] | None = None
    sex: Annotated[str, Meta(pattern=r"^(female|male)\Z")] | None = None
    weight_kg: Annotated[float, Meta(ge=20, le=400)] | None = None
    height_cm: Annotated[float, Meta(ge=80, le=260)] | None = None
    resting_hr: Annotated[int, Meta(ge=20, le=150)] | None = None
    max_hr: Annotated[int, Meta(ge=60, le=250)] | None = None
    time_zone: Annotated[str, Meta(max_length=64)] | None = None
    zones: Annotated[list[ZoneRow], Meta(max_length=MOST_ROWS)] = []
    preferences: PreferencesRow | None = None


class AlertsRow(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One's own alert limits; null turns one off, what is not there follows from the profile."""

    high: Annotated[int, Meta(ge=60, le=250)] | msgspec.UnsetType | None = msgspec.UNSET
    low: Annotated[int, Meta(ge=20, le=150)] | msgspec.UnsetType | None = msgspec.UNSET
    jump: Annotated[int, Meta(ge=15, le=150)] | msgspec.UnsetType | None = msgspec.UNSET
    irregular: bool | msgspec.UnsetType = msgspec.UNSET
    lost_s: Annotated[float, Meta(ge=1, le=300)] | msgspec.UnsetType | None = msgspec.UNSET


class QuietHoursRow(msgspec.Struct, forbid_unknown_fields=True, rename={"begin": "from", "end": "to"}):
    """Two times of the day."""

    begin: Annotated[str, Meta(pattern=CLOCK)]
    end: Annotated[str, Meta(pattern=CLOCK)]


class PreferencesRow(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody has set; see `fittracker.preferences`."""

    alerts: AlertsRow | None = None
    units: Literal["metric", "imperial"] | None = None
    language: Annotated[str, Meta(pattern=r"^[a-z]{2}(-[A-Z]{2})?\Z")] | None = None
    notifications: dict[str, dict[str, bool]] = {}
    privacy: dict[str, Literal["public", "followers", "contacts", "private"]] = {}
    quiet_hours: QuietHoursRow | None = None


class ZoneRow(msgspec.Struct, forbid_unknown_fields=True):
    """A row of the dated zones."""

    since: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d\Z")]
    method: Annotated[str, Meta(pattern=r"^(maximum|reserve|own)\Z")]
    sport: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    edges: Annotated[list[Annotated[int, Meta(ge=1, le=250)]], Meta(min_length=6, max_length=6)] | None = None
    max_hr: Annotated[float, Meta(ge=60, le=250)] | None = None
    resting_hr: Annotated[float, Meta(ge=20, le=150)] | None = None


def check_stream(row: StreamRow, now: datetime) -> Physiology:
    """What was known of the heart then; Invalid for a stream that cannot have been."""
    try:
        UUID(row.id)
        physiology = msgspec.convert(row.physiology, Physiology)
    except (ValueError, msgspec.ValidationError) as error:
        raise Invalid("The stream is not one of ours.") from error
    for moment in (row.opened_at, row.seen_at, row.closed_at):
        if moment is not None and not (moment.tzinfo and OLDEST <= moment <= now + AHEAD):
            raise Invalid("A moment is not plausible.")
    if row.device is not None and not {"name", "kind"}.issuperset(row.device):
        raise Invalid("The device has fields that nobody knows.")
    texts = (row.sport, *(row.device or {}).values())
    if not all(text is None or text.isprintable() for text in texts):
        raise Invalid("A text holds control characters.")
    if physiology.sex not in {None, "female", "male"} or len(physiology.time_zone) > LONGEST_ZONE:
        raise Invalid("The sex or the time zone of the stream is none.")
    for name, value, least, most in (
        ("age", physiology.age, 0, 130),
        ("weight_kg", physiology.weight_kg, 20, 400),
        ("resting", physiology.resting, 20, 150),
        ("maximum", physiology.maximum, 60, 250),
    ):
        if value is not None:
            plausible(name, value, least, most)
    return physiology


def check_measurement(row: MeasurementRow) -> None:
    """Invalid for a moment without a zone and for a note that is not one line of text."""
    if row.at.tzinfo is None or not (row.note or " ").isprintable():
        raise Invalid("The moment or the note of the measurement is none.")


def check_samples(row: SamplesRow, latest_ms: int) -> None:
    """Invalid for a batch that no device can have sent."""
    count = len(row.t)
    columns = (row.bpm, row.seq, row.rr, row.contact)
    if any(column is not None and len(column) != count for column in columns):
        raise Invalid("The columns have different lengths.")
    earliest_ms = round(OLDEST.timestamp() * 1000)
    if not all(earliest_ms <= t <= latest_ms for t in row.t):
        raise Invalid("The time of a sample is not plausible.")
    if row.seq is None:
        fits = row.to - row.first + 1 == count
    else:
        rising = all(before < after for before, after in pairwise(row.seq))
        fits = rising and row.first <= row.seq[0] and row.seq[-1] == row.to
    if not fits:
        raise Invalid("The samples are not those that the row says it holds.")
    beats_held = sum(len(beats) for beats in row.rr or () if beats)
    if count * SAMPLE_BYTES + beats_held * BEAT_BYTES > MOST_BATCH_BYTES:
        raise Invalid("The row is larger than one of ours.")
    for beats in row.rr or ():
        if beats and (len(beats) > MOST_BEATS or not all(0 < each <= LONGEST_RR_MS for each in beats)):
            raise Invalid("An RR interval is not plausible.")


def batch_of(row: SamplesRow, stream: str, user: str) -> Document:
    """A batch as `fittracker.stream` makes them."""
    batch: Document = {
        "_id": {"s": stream, "n": row.first},
        "user": user,
        "session": None,
        "t": row.t,
        "bpm": row.bpm,
        "to": row.to,
        "from_t": min(row.t),
        "until_t": max(row.t),
        "day": row.day or datetime.fromtimestamp(row.t[0] / 1000, UTC).date().isoformat(),
    }
    for name in ("seq", "rr", "contact"):
        column = getattr(row, name)
        if column is not None:
            batch[name] = column
    return batch
