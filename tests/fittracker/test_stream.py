"""A stream keeps what was accepted in order, and never lets two batches cover the same sample."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fittracker.alerts import AlertLimits
from fittracker.pulse import Pulse
from fittracker.stream import Sample, Stream

T0 = 1_700_000_000_000


def a_stream(stored: int = 0, time_zone: str = "UTC") -> Stream:
    """A stream of which `stored` samples are in MongoDB."""
    return Stream(
        "s1",
        "u1",
        session=None,
        stored=stored,
        pulse=Pulse(None, AlertLimits()),
        time_zone=time_zone,
        heard=0.0,
        owner=None,
    )


def push(stream: Stream, *numbers: int) -> None:
    """Append samples whose heart rate is their number, so that a mix-up shows."""
    for seq in numbers:
        stream.append(Sample(seq, T0 + seq * 1000, 60 + seq % 100, [800.0] if seq % 2 else None, None))


def test_a_batch_covers_the_range_after_everything_stored() -> None:
    """Its id begins where storage ended, so that batches form one chain without gaps or overlaps."""
    stream = a_stream(stored=10)
    push(stream, 11, 12, 13)
    batch = stream.take_off()
    assert batch is not None
    assert batch["_id"] == {"s": "s1", "n": 11}
    assert (batch["to"], batch["bpm"]) == (13, [71, 72, 73])
    assert "seq" not in batch


def test_a_device_that_skips_numbers_has_them_written_down() -> None:
    """Without gaps they count up from n; with one, they are stored."""
    stream = a_stream()
    push(stream, 1, 2, 5)
    batch = stream.take_off()
    assert batch is not None
    assert batch["seq"] == [1, 2, 5]


def test_only_one_batch_flies_at_a_time() -> None:
    """The next one's id depends on whether the first one landed."""
    stream = a_stream()
    push(stream, 1, 2)
    assert stream.take_off() is not None
    push(stream, 3)
    assert stream.take_off() is None
    stream.landed()
    assert stream.stored == 2
    batch = stream.take_off()
    assert batch is not None
    assert batch["_id"]["n"] == 3


def test_what_another_worker_stored_is_trimmed_and_the_rest_flies_again() -> None:
    """The order and the columns stay together."""
    stream = a_stream(stored=10)
    push(stream, *range(11, 21))
    stream.take_off()
    push(stream, 21, 22)
    stream.trim(15)
    batch = stream.take_off()
    assert batch is not None
    assert batch["_id"]["n"] == 16
    assert batch["bpm"] == [60 + seq for seq in range(16, 23)]
    assert batch["t"] == [T0 + seq * 1000 for seq in range(16, 23)]
    assert [bool(rr) for rr in batch["rr"]] == [seq % 2 == 1 for seq in range(16, 23)]


def test_a_stream_that_was_overtaken_entirely_has_nothing_left() -> None:
    """Everything it held was stored by its new owner."""
    stream = a_stream(stored=10)
    push(stream, 11, 12)
    stream.take_off()
    push(stream, 13)
    stream.trim(40)
    assert stream.settled
    assert (stream.stored, stream.last) == (40, 40)


@given(st.integers(0, 30), st.integers(1, 20), st.integers(0, 20), st.integers(0, 60))
def test_trimming_keeps_exactly_what_is_above(stored: int, flown: int, queued: int, highest: int) -> None:
    """For any amount flying, waiting and stored elsewhere: nothing twice, nothing missing."""
    stream = a_stream(stored=stored)
    push(stream, *range(stored + 1, stored + flown + 1))
    stream.take_off()
    push(stream, *range(stored + flown + 1, stored + flown + queued + 1))
    stream.trim(highest)
    expected = list(range(max(stored, highest) + 1, stored + flown + queued + 1))
    batch = stream.take_off()
    assert (batch["bpm"] if batch else []) == [60 + seq % 100 for seq in expected]


def test_a_batch_names_the_local_day_of_its_person_also_when_the_clock_changes() -> None:
    """In New York, 2026-03-08 has 23 hours: from 05:00 UTC to 04:00 UTC of the next day."""
    stream = a_stream(time_zone="America/New_York")

    def day_of(hour: datetime) -> str:
        stream.append(Sample(stream.last + 1, int(hour.timestamp() * 1000), 60, None, None))
        batch = stream.take_off()
        stream.landed()
        assert batch is not None
        return str(batch["day"])

    assert day_of(datetime(2026, 3, 8, 4, 59, 59, tzinfo=UTC)) == "2026-03-07"
    assert day_of(datetime(2026, 3, 8, 5, 0, tzinfo=UTC)) == "2026-03-08"
    assert day_of(datetime(2026, 3, 9, 3, 59, 59, tzinfo=UTC)) == "2026-03-08"
    assert day_of(datetime(2026, 3, 9, 4, 0, tzinfo=UTC)) == "2026-03-09"
