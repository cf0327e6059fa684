"""FIT files, written here byte by byte."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittracker.recordings import Device, Lap, Limits, Pause, Recording, RecordingError, Session, read
from tests.fittracker.recordings.fit_bytes import (
    BYTE,
    DEVELOPER_DATA_ID,
    DEVICE_INFO,
    ENUM,
    EVENT,
    FIELD_DESCRIPTION,
    FILE_ID,
    HEART_RATE,
    HR,
    HRV,
    LAP,
    RECORD,
    SESSION,
    SINT32,
    START,
    STRING,
    TIME,
    UINT8,
    UINT16,
    UINT32,
    UNIX_START_MS,
    compressed,
    define,
    fit_file,
    records,
    values,
)

SMALL = fit_file(
    define(1, FILE_ID, (0, 1, ENUM), (1, 2, UINT16), (2, 2, UINT16), (4, 4, UINT32)),
    values(1, "BHHI", 4, 1, 2713, START),
    records(100, 101, None, 0, 104),
    define(2, HRV, (0, 10, UINT16)),
    values(2, "5H", 600, 610, 0xFFFF, 0xFFFF, 0xFFFF),
)


def rates(recording: Recording) -> list[int | None]:
    return [point.heart_rate for point in recording.points]


def test_a_small_file_reads_whole() -> None:
    """Times in unix milliseconds, an invalid heart rate as none, a zero as zero."""
    recording = read(SMALL)
    assert recording.format == "fit"
    assert recording.error is None
    assert rates(recording) == [100, 101, None, 0, 104]
    assert [p.time_ms for p in recording.points] == [UNIX_START_MS + 1000 * n for n in range(5)]
    assert recording.started_at == datetime.fromtimestamp(UNIX_START_MS / 1000, UTC)
    assert recording.device.manufacturer == "garmin"
    assert [interval.ms for interval in recording.rr] == [600, 610]


def test_a_record_gives_every_sensor_in_si_units() -> None:
    """Semicircles to degrees, fractions of a stride added, the enhanced value before the plain one."""
    recording = read(
        fit_file(
            define(
                0,
                RECORD,
                TIME,
                (0, 4, SINT32),
                (1, 4, SINT32),
                (2, 2, UINT16),
                (78, 4, UINT32),
                (6, 2, UINT16),
                (4, 1, UINT8),
                (53, 1, UINT8),
                (7, 2, UINT16),
                (5, 4, UINT32),
                (13, 1, 0x01),
            ),
            values(0, "IiiHIHBBHIb", START, 2**29, -(2**30), 3000, 3600, 2500, 85, 64, 210, 123_456, -5),
        )
    )
    point = recording.points[0]
    assert (point.lat, point.lon) == (45, -90)
    assert point.altitude_m == pytest.approx(220)  # 3600 / 5 - 500; the plain field says 100
    assert point.speed_mps == pytest.approx(2.5)
    assert point.cadence_rpm == pytest.approx(85.5)
    assert point.power_w == 210
    assert point.distance_m == pytest.approx(1234.56)
    assert point.temperature_c == -5


def test_chained_files_are_one_recording() -> None:
    """Files one after another, as watches append what the strap sent later; each has a checksum."""
    recording = read(fit_file(records(100, 101)) + fit_file(records(110, 111, start=START + 60)))
    assert rates(recording) == [100, 101, 110, 111]
    assert recording.error is None


def test_a_chain_that_breaks_gives_the_files_before_the_break() -> None:
    """Something else follows the first file, or only a piece of a second."""
    whole = fit_file(records(100, 101))
    with pytest.raises(RecordingError, match="what follows the first file") as caught:
        read(whole + b"this is no FIT file")
    assert (caught.value.reason, caught.value.readable) == ("corrupt", 2)

    with pytest.raises(RecordingError) as caught:
        read(whole + whole[:-8])
    assert (caught.value.reason, caught.value.readable) == ("truncated", 3)


def test_a_wrong_checksum_in_one_file_of_a_chain_is_found() -> None:
    """The others are read all the same, and all points counted."""
    first = bytearray(fit_file(records(100, 101)))
    first[-1] ^= 0xFF
    with pytest.raises(RecordingError, match="in the file; 4 points") as caught:
        read(bytes(first) + fit_file(records(110, 111)))
    assert caught.value.reason == "crc"


def test_a_wrong_checksum_of_the_header_is_found() -> None:
    """The header has its own; it may be left out as 0, but not be wrong."""
    data = bytearray(fit_file(records(100)))
    data[12] ^= 0xFF
    with pytest.raises(RecordingError, match="in the header; 1 point could") as caught:
        read(bytes(data))
    assert caught.value.reason == "crc"


def test_compressed_timestamps_count_on_from_the_last_full_one() -> None:
    """Five bits of time in the head of a message, which roll over every 32 s."""
    assert START % 32 == 0
    recording = read(
        fit_file(
            define(0, RECORD, TIME, HEART_RATE),
            values(0, "IB", START + 30, 100),
            define(1, RECORD, HEART_RATE),
            compressed(1, 31, "B", 101),
            compressed(1, 2, "B", 102),
            compressed(1, 5, "B", 103),
        )
    )
    seconds = [(point.time_ms - UNIX_START_MS) // 1000 for point in recording.points if point.time_ms]
    assert seconds == [30, 31, 34, 37]
    assert rates(recording) == [100, 101, 102, 103]


def test_times_of_a_device_without_a_date_stay_relative() -> None:
    """Seconds since it was switched on must not become a day in 1990."""
    recording = read(fit_file(records(100, 101, start=17_217_864)))
    assert not recording.dated
    assert [sample.t_ms for sample in recording.samples()] == [17_217_864_000, 17_217_865_000]


def test_a_point_without_a_date_among_dated_ones_has_no_time() -> None:
    """Two clocks in one recording: the points keep their values, the odd one its place in the file."""
    recording = read(fit_file(records(99, start=500), records(100, 101)))
    assert recording.dated
    assert [point.time_ms for point in recording.points] == [None, UNIX_START_MS, UNIX_START_MS + 1000]
    assert recording.warnings == ["points without a usable time: 1"]
    assert [sample.bpm for sample in recording.samples()] == [100, 101]


def test_timer_events_become_pauses() -> None:
    """A second stop changes nothing, a start without a stop is none, and the stop at the end is no pause."""
    events = [(0, 0), (60, 4), (61, 4), (90, 0), (95, 0), (120, 1), (130, 0), (200, 9)]
    recording = read(
        fit_file(
            define(0, EVENT, TIME, (0, 1, ENUM), (1, 1, ENUM)),
            *(values(0, "IBB", START + second, 0, kind) for second, kind in events),
            values(0, "IBB", START + 201, 21, 0),
        )
    )
    assert recording.pauses == [
        Pause(UNIX_START_MS + 60_000, UNIX_START_MS + 90_000),
        Pause(UNIX_START_MS + 120_000, UNIX_START_MS + 130_000),
    ]


def test_laps_and_sessions_keep_their_totals() -> None:
    """Several sessions of different sports make a multisport recording; calories are the device's own."""
    totals = ((2, 4, UINT32), (7, 4, UINT32), (8, 4, UINT32), (9, 4, UINT32), (11, 2, UINT16))
    recording = read(
        fit_file(
            define(0, LAP, *totals, (15, 1, UINT8), (16, 1, UINT8)),
            values(0, "IIIIHBB", START, 65_000, 60_000, 100_000, 70, 141, 160),
            define(1, SESSION, *totals, (5, 1, ENUM), (6, 1, ENUM)),
            values(1, "IIIIHBB", START, 65_000, 60_000, 100_000, 70, 1, 2),
            values(1, "IIIIHBB", START + 70, 9_000, 9_000, 0, 0xFFFF, 3, 0xFF),
            values(1, "IIIIHBB", START + 80, 10_000, 9_500, 5_000, 9, 2, 7),
        )
    )
    same = {
        "start_ms": UNIX_START_MS,
        "elapsed_s": 65,
        "moving_s": 60,
        "distance_m": 1000,
        "calories_kcal": 70,
    }
    assert recording.laps == [Lap(**same, average_heart_rate=141, max_heart_rate=160)]
    assert recording.sessions[0] == Session(sport="running", sub_sport="street", **same)
    assert [session.sport for session in recording.sessions] == ["running", "transition", "cycling"]
    assert recording.sport == "multisport"
    assert recording.started_at == datetime.fromtimestamp(UNIX_START_MS / 1000, UTC)


def test_the_device_is_named_as_well_as_the_file_can() -> None:
    """By maker and product; by a name that only the message on the recording device itself holds."""
    recording = read(
        fit_file(
            define(0, FILE_ID, (0, 1, ENUM), (1, 2, UINT16), (2, 2, UINT16)),
            values(0, "BHH", 4, 32, 28),
            define(1, DEVICE_INFO, (0, 1, UINT8), (27, 8, STRING)),
            values(1, "B8s", 3, b"a strap\0"),
            values(1, "B8s", 0, b"ELEMNT\0\0"),
        )
    )
    assert recording.device == Device("wahoo_fitness", "28", "ELEMNT")


def test_a_name_without_its_final_zero_is_read_to_the_end_of_its_field() -> None:
    """The protocol wants the zero; some writers fill the field to the brim."""
    recording = read(fit_file(define(0, FILE_ID, (8, 6, STRING)), values(0, "6s", b"ELEMNT")))
    assert recording.device.name == "ELEMNT"


def test_a_file_that_is_no_activity_says_so() -> None:
    """A course holds points too, but nobody was there."""
    recording = read(fit_file(define(0, FILE_ID, (0, 1, ENUM)), values(0, "B", 6), records(None)))
    assert recording.warnings == ["the file says it is a course, not an activity"]


def developer_field(native: int, unit: bytes, value: int, heart_rate: int = 0xFF) -> bytes:
    """A record with a field of an app that says which field of the profile it stands in for."""
    return fit_file(
        define(0, DEVELOPER_DATA_ID, (3, 1, UINT8)),
        values(0, "B", 0),
        define(
            1,
            FIELD_DESCRIPTION,
            (0, 1, UINT8),
            (1, 1, UINT8),
            (2, 1, UINT8),
            (3, 4, STRING),
            (8, 8, STRING),
            (15, 1, UINT8),
        ),
        values(1, "BBB4s8sB", 0, 7, UINT16, b"own\0", unit, native),
        define(2, RECORD, TIME, HEART_RATE, developer=((7, 2, 0),)),
        values(2, "IBH", START, heart_rate, value),
    )


def test_a_field_of_an_app_stands_in_where_the_watch_has_no_value() -> None:
    """Only in the unit of the field it replaces, and never over a value of the watch itself."""
    assert read(developer_field(7, b"Watts\0\0\0", 210)).points[0].power_w == 210
    assert read(developer_field(3, b"bpm\0\0\0\0\0", 91)).points[0].heart_rate == 91
    assert read(developer_field(3, b"bpm\0\0\0\0\0", 91, heart_rate=90)).points[0].heart_rate == 90
    assert read(developer_field(4, b"spm\0\0\0\0\0", 30)).points[0].cadence_rpm is None


def test_a_field_whose_size_does_not_fit_its_type_is_no_value() -> None:
    """Three bytes of a two-byte altitude: the rest of the record is good, and the next ones are in step."""
    recording = read(
        fit_file(
            define(0, RECORD, TIME, (2, 3, UINT16), HEART_RATE),
            values(0, "I3sB", START, b"\x01\x02\x03", 100),
            values(0, "I3sB", START + 1, b"\x01\x02\x03", 101),
        )
    )
    assert rates(recording) == [100, 101]
    assert recording.points[0].altitude_m is None


def test_heart_rates_of_a_strap_get_their_time_from_its_clock() -> None:
    """A first message ties 1/1024 s ticks to a date; the others hold 12 bits each, which roll over."""
    ticks = [3000, 3900, 700, 1600, 2500, 3400, 100, 100]
    packed = b"".join(
        bytes([low & 0xFF, low >> 8 | (high & 0xF) << 4, high >> 4])
        for low, high in zip(ticks[::2], ticks[1::2], strict=True)
    )
    recording = read(
        fit_file(
            define(0, HR, TIME, (0, 2, UINT16), (9, 4, UINT32), (6, 1, UINT8)),
            values(0, "IHIB", START, 16384, 0x1000_0000 + 2000, 90),
            define(1, HR, (6, 8, UINT8), (10, 12, BYTE)),
            values(1, "8s12s", bytes([91, 92, 93, 94, 95, 96, 97, 97]), packed),
            define(2, RECORD, TIME),
            values(2, "I", START),
            values(2, "I", START + 20),
        )
    )
    start = UNIX_START_MS + 500
    on = [0, 1000, 1900, 1900 + 896, 1900 + 1796, 1900 + 2696, 1900 + 3596, 1900 + 4392, 1900 + 4392]
    assert [rate.bpm for rate in recording.heart_rates] == [90, 91, 92, 93, 94, 95, 96, 97, 97]
    assert [rate.time_ms for rate in recording.heart_rates] == [round(start + n * 1000 / 1024) for n in on]
    assert [sample.bpm for sample in recording.samples()] == [90, 91, 92, 93, 94, 95, 96, 97]


def test_more_readings_than_the_limit_are_refused() -> None:
    """A record can be as short as one byte: the points are counted, not the bytes."""
    bomb = fit_file(define(0, RECORD), b"\0" * 5_000)
    assert len(read(bomb, limits=Limits(max_readings=5_000)).points) == 5_000
    with pytest.raises(RecordingError, match="more than 4,999 readings") as caught:
        read(bomb, keep_partial=True, limits=Limits(max_readings=4_999))
    assert caught.value.reason == "oversize"


@pytest.mark.parametrize("size", [0, 11, 13, 255])
def test_a_header_of_an_impossible_size_is_refused(size: int) -> None:
    """The first byte is the length of the header, and everything else hangs on it."""
    data = bytearray(SMALL)
    data[0] = size
    with pytest.raises(RecordingError) as caught:
        read(bytes(data))
    assert (caught.value.reason, caught.value.readable) == ("header", 0)


def test_a_header_of_twelve_bytes_is_enough() -> None:
    """Old devices write it without a checksum of its own."""
    body = records(100)
    head = struct.pack("<BBHI4s", 12, 0x10, 100, len(body), b".FIT")
    with pytest.raises(RecordingError) as caught:
        read(head + body + b"\0\0")
    assert caught.value.reason == "crc"
    assert rates(read(head + body + b"\0\0", keep_partial=True)) == [100]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_one_wrong_byte_is_never_more_than_a_refusal(at: int, flip: int) -> None:
    """Wherever it is: a checksum covers it, and no other exception comes out."""
    data = bytearray(SMALL)
    data[at] ^= flip
    with pytest.raises(RecordingError) as caught:
        read(bytes(data))
    assert caught.value.reason in ("crc", "corrupt", "truncated", "header", "unknown_format")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_after_a_header_never_break_the_reader(body: bytes) -> None:
    """Whatever definitions they spell: what could be read is kept, and the fault is named."""
    recording = read(fit_file(body), keep_partial=True)
    assert recording.error is None or recording.error.readable == len(recording.points)
    assert len(list(recording.samples())) <= len(recording.points) + len(recording.heart_rates)


@pytest.mark.parametrize("length", range(1, len(SMALL)))
def test_a_file_cut_anywhere_is_refused_with_a_count(length: int) -> None:
    """The count never exceeds what is there, and the points that are kept are the first ones."""
    with pytest.raises(RecordingError) as caught:
        read(SMALL[:length], name="run.fit")
    if caught.value.reason == "truncated":
        kept = read(SMALL[:length], keep_partial=True)
        assert len(kept.points) == caught.value.readable
        assert rates(kept) == [100, 101, None, 0, 104][: caught.value.readable]
    else:
        assert length < 14
