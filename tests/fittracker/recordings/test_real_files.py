"""Every real recording reads to the counts and averages that SOURCES.md gives, or fails as it says."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest

from fittracker.recordings import Point, Recording, RecordingError, read
from tests.fittracker.recordings.real_files import WORKOUTS, Row, beats_of, recording_bytes, rows

ROWS = rows()
GOOD = [row for row in ROWS if row.cells["parses"] == "yes"]
WITH_POINTS = [row for row in ROWS if not row.cells["parses"].startswith("FitHeaderError")]
MALFORMED = [row for row in ROWS if row.cells["parses"] != "yes"]


def listed(recording: Recording) -> list[Point]:
    """The points that the table counts: it was made with a TCX reader that loses those without a position."""
    if recording.format == "tcx":
        return [point for point in recording.points if point.lat is not None]
    return recording.points


def pulses(points: list[Point]) -> list[int]:
    """The heart rates as they are in the file, zeros among them."""
    return [point.heart_rate for point in points if point.heart_rate is not None]


def figures(rates: list[int]) -> str:
    """Mean, minimum and maximum as the table writes them."""
    return f"{statistics.fmean(rates):.1f}/{min(rates)}/{max(rates)}" if rates else "-"


Parsed = Callable[[str], Recording]


@pytest.fixture(scope="module")
def parsed() -> Parsed:
    """Reads a recording by its name, as far as it goes, and each only once."""
    return cache(lambda name: read(recording_bytes(name), name=name, keep_partial=True))


@pytest.fixture
def fenix2(parsed: Parsed) -> Recording:
    return parsed("garmin-fenix2-run.fit")


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row.file)
def test_a_good_file_reads_to_the_counts_and_averages_of_the_table(row: Row, parsed: Parsed) -> None:
    """Nothing is lost, nothing is invented, and no fault is found where there is none."""
    recording = parsed(row.file)
    points = listed(recording)

    assert len(recording_bytes(row.file)) == row.count("bytes")
    assert recording.format == row.file.rpartition(".")[2]
    assert recording.error is None
    assert len(points) == row.count("pts")
    assert len(pulses(points)) == row.count("HR n")
    assert figures(pulses(points)) == row.cells["HR mean/min/max"]
    assert len(recording.rr) == (row.count("RR n") or 0)


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row.file)
def test_a_good_file_lasts_as_long_as_the_table_says(row: Row, parsed: Parsed) -> None:
    """Seconds from the first to the last point, whichever clock the device had."""
    times = [p.time_ms for p in listed(parsed(row.file)) if p.time_ms is not None]
    expected = row.count("dur")
    if expected is None:
        assert row.cells["dur"] == "n/a (int timestamps)"
        return
    assert round((max(times) - min(times)) / 1000 if times else 0) == expected


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row.file)
def test_a_good_file_names_its_device_and_its_sport(row: Row, parsed: Parsed) -> None:
    """FIT by manufacturer and product, the others by the name that the writer gave."""
    recording = parsed(row.file)
    device = recording.device
    named = f"{device.manufacturer}/{device.product or '?'}" if recording.format == "fit" else device.name
    first = recording.sessions[0].sport if recording.sessions else recording.sport

    assert (named or "") == row.cells["device"]
    assert (first or "") == {"other": "generic"}.get(row.cells["sport"].lower(), row.cells["sport"].lower())


@pytest.mark.parametrize("row", WITH_POINTS, ids=lambda row: row.file)
def test_the_samples_of_a_replay_are_the_heart_rates_of_the_file_in_time_order(
    row: Row, parsed: Parsed
) -> None:
    """A heart rate of 0 is a lost contact, and only that."""
    recording = parsed(row.file)
    samples = list(recording.samples())

    assert [sample.t_ms for sample in samples] == sorted(sample.t_ms for sample in samples)
    assert all(sample.contact is (sample.bpm > 0) for sample in samples)
    if not recording.heart_rates:
        assert sorted(sample.bpm for sample in samples) == sorted(pulses(recording.points))


@pytest.mark.skipif(not WORKOUTS.exists(), reason="the recordings are not here")
def test_the_table_knows_every_file_that_is_here() -> None:
    """A recording that nobody counted would not be tested."""
    assert {path.name for path in WORKOUTS.iterdir()} <= {row.file for row in ROWS}


@pytest.mark.parametrize("row", MALFORMED, ids=lambda row: row.file)
def test_a_malformed_file_is_refused(row: Row) -> None:
    """With a count of what could be read, and never with anything but a `RecordingError`."""
    with pytest.raises(RecordingError) as caught:
        read(recording_bytes(row.file), name=row.file)
    points = row.count("pts")
    if points is not None:
        assert caught.value.readable == points


def test_a_ride_cut_at_its_last_bytes_gives_all_its_points() -> None:
    """Only the checksum is missing: 14,391 points of 4.6 hours are worth keeping."""
    data = recording_bytes("sigmasport-truncated-ride.fit")
    with pytest.raises(RecordingError, match="cut off; 14391 points") as caught:
        read(data)
    assert (caught.value.reason, caught.value.readable) == ("truncated", 14391)

    kept = read(data, keep_partial=True)
    assert kept.error == caught.value.defect
    assert figures(pulses(kept.points)) == "142.7/0/160"
    assert len(kept.pauses) == 8
    assert kept.sport == "cycling"


def test_a_file_that_uses_an_undefined_message_gives_what_came_before() -> None:
    """The last point was read from the wrong bytes, decades later: it is counted, but says nothing."""
    data = recording_bytes("strava-android-undefined-local-message.fit")
    with pytest.raises(RecordingError, match=r"local message 11 not defined\); 473 points") as caught:
        read(data)
    assert (caught.value.reason, caught.value.readable) == ("corrupt", 473)

    kept = read(data, keep_partial=True)
    assert len(kept.points) == 473
    assert kept.points[-1] == Point()
    assert kept.duration_s == 314
    assert kept.warnings == ["points that the damage made senseless and that were left blank: 1"]


def test_a_wrong_checksum_is_an_error_that_says_how_many_points_could_be_read(parsed: Parsed) -> None:
    """All 21 of them: asked to keep them, the reader gives the file as it was before the byte was flipped."""
    data = recording_bytes("made-badcrc.fit")
    with pytest.raises(RecordingError, match="checksum is wrong in the file; 21 points") as caught:
        read(data)
    assert (caught.value.reason, caught.value.readable) == ("crc", 21)

    kept = read(data, keep_partial=True)
    whole = parsed("garmin-fenix5-run-rr.fit")
    assert kept.points == whole.points
    assert kept.rr == whole.rr
    assert kept.error is not None
    assert kept.error.reason == "crc"


def test_half_a_file_gives_its_first_twelve_points(parsed: Parsed) -> None:
    """And the sport that was chosen at the start, though the summary at the end is gone."""
    data = recording_bytes("made-truncated.fit")
    with pytest.raises(RecordingError) as caught:
        read(data)
    assert (caught.value.reason, caught.value.readable) == ("truncated", 12)

    kept = read(data, keep_partial=True)
    whole = parsed("garmin-fenix5-run-rr.fit")
    assert kept.points == whole.points[:12]
    assert kept.sport == "running"
    assert kept.laps == []


def test_a_file_without_its_header_is_refused_even_when_parts_would_do() -> None:
    """Nothing in it can be trusted to be FIT."""
    with pytest.raises(RecordingError) as caught:
        read(recording_bytes("made-badheader.fit"), keep_partial=True)
    assert (caught.value.reason, caught.value.readable) == ("header", 0)


def test_the_run_of_the_demo_streams_exactly_its_samples(fenix2: Recording) -> None:
    """2,808 heart rates in 2,809 points, average 154.0, highest 178."""
    rates = [sample.bpm for sample in fenix2.samples()]
    assert len(rates) == 2808
    assert figures(rates) == "154.0/69/178"
    assert all(sample.contact for sample in fenix2.samples())


def test_the_run_of_the_demo_has_its_units_in_order(fenix2: Recording) -> None:
    """47 minutes of running: metres, metres a second, strides a minute, degrees Celsius, degrees of arc."""
    assert fenix2.points[-1].distance_m == pytest.approx(fenix2.sessions[0].distance_m, rel=0.01)
    speeds = [point.speed_mps for point in fenix2.points if point.speed_mps]
    assert 2 < statistics.fmean(speeds) < 5
    cadences = [point.cadence_rpm for point in fenix2.points if point.cadence_rpm]
    assert 70 < statistics.median(cadences) < 100
    temperatures = [point.temperature_c for point in fenix2.points if point.temperature_c is not None]
    assert -20 < min(temperatures) <= max(temperatures) < 50
    assert all(-90 <= point.lat <= 90 for point in fenix2.points if point.lat is not None)
    assert sum(lap.elapsed_s or 0 for lap in fenix2.laps) == pytest.approx(2833, rel=0.02)


def test_two_devices_tell_the_same_session_alike(parsed: Parsed) -> None:
    """An hour on the turbo trainer, on the wrist and in Zwift: the strap was the same."""
    watch = parsed("garmin-fenix6-turbo.fit")
    zwift = parsed("zwift-turbo.fit")
    by_second = {sample.t_ms: sample.bpm for sample in zwift.samples()}
    pairs = [(sample.bpm, by_second[sample.t_ms]) for sample in watch.samples() if sample.t_ms in by_second]

    assert len(pairs) > 3000
    assert abs(statistics.fmean(a for a, _ in pairs) - statistics.fmean(b for _, b in pairs)) < 1
    assert statistics.correlation(*zip(*pairs, strict=True)) > 0.95
    assert statistics.median(abs(a - b) for a, b in pairs) <= 2
    powers = [
        statistics.fmean(p.power_w for p in each.points if p.power_w is not None) for each in (watch, zwift)
    ]
    assert powers[0] == pytest.approx(powers[1], rel=0.1)


@pytest.mark.parametrize(
    "name",
    ["garmin-edge530-ride-rr", "garmin-edge820-bike-rr", "garmin-fenix5-run-rr", "garmin-fenix5-walk-rr"],
)
def test_rr_intervals_are_those_that_were_taken_from_the_file_before(name: str, parsed: Parsed) -> None:
    """In their order and to the millisecond, with times that never run backwards."""
    recording = parsed(f"{name}.fit")
    assert [interval.ms for interval in recording.rr] == beats_of(f"from-fit-{name}.txt")
    times = [interval.time_ms for interval in recording.rr]
    assert times == sorted(times)


@pytest.mark.parametrize("name", ["garmin-edge820-bike-rr", "garmin-fenix5-walk-rr"])
def test_the_intervals_of_a_sample_agree_with_its_heart_rate(name: str, parsed: Parsed) -> None:
    """Where nothing is paused, every interval goes with a sample, and beats as fast as it says."""
    recording = parsed(f"{name}.fit")
    samples = list(recording.samples())
    assert sum(len(sample.rr) for sample in samples) == len(recording.rr)
    apart = [abs(60_000 / statistics.fmean(s.rr) - s.bpm) for s in samples if s.rr]
    assert statistics.median(apart) < 3


def test_the_intervals_of_a_pause_go_with_no_sample(parsed: Parsed) -> None:
    """34 automatic pauses in 2.8 hours: no sample is handed a minute of beats."""
    recording = parsed("garmin-edge530-ride-rr.fit")
    samples = list(recording.samples())
    assert len(recording.pauses) == 34
    assert sum(end - start for start, end in ((p.start_ms, p.end_ms) for p in recording.pauses)) > 1_000_000
    carried = sum(len(sample.rr) for sample in samples)
    assert 20_000 < carried < 22_048
    assert max(sum(sample.rr) for sample in samples) < 20_000


def test_a_swim_gets_its_heart_rate_from_the_memory_of_the_strap(parsed: Parsed) -> None:
    """No record has any; 1,415 `hr` messages hold 11,292 values, mean 134.7, sent after the swim."""
    recording = parsed("garmin-fr735xt-swim-hr-messages.fit")
    assert len(recording.heart_rates) == 11_292
    assert f"{statistics.fmean(rate.bpm for rate in recording.heart_rates):.1f}" == "134.7"

    samples = list(recording.samples())
    assert recording.points[0].time_ms <= samples[0].t_ms
    assert samples[-1].t_ms <= recording.points[-1].time_ms + 999
    assert len({sample.t_ms for sample in samples}) == len(samples) > 10_000


def test_the_clock_of_a_strap_keeps_its_pace_over_four_chained_files(parsed: Parsed) -> None:
    """Each file ties it anew: the seams leave no gap, and the time between beats is the heart rate."""
    rates = parsed("garmin-fr735xt-swim-hr-messages.fit").heart_rates
    gaps = [after.time_ms - before.time_ms for before, after in pairwise(rates)]
    assert min(gaps) >= 0
    assert max(gaps) < 3000
    pace = [60_000 / gap / rate.bpm for gap, rate in zip(gaps, rates[1:], strict=True) if gap]
    assert statistics.median(pace) == pytest.approx(1, abs=0.005)


def test_the_strap_and_the_watch_agree_where_both_recorded(parsed: Parsed) -> None:
    """Chained files of a triathlon: second by second within a beat, so both clocks are read right."""
    recording = parsed("garmin-fr920xt-multiheader.fit")
    strap = {rate.time_ms // 1000: rate.bpm for rate in recording.heart_rates}
    apart = [
        strap[point.time_ms // 1000] - point.heart_rate
        for point in recording.points
        if point.heart_rate is not None and point.time_ms // 1000 in strap
    ]
    assert len(apart) > 100
    assert max(abs(beats) for beats in apart) <= 2


def test_a_triathlon_is_a_multisport_recording_with_its_sessions(parsed: Parsed) -> None:
    """Five sessions, two of them transitions; the sport of the first is not the sport of all."""
    recording = parsed("garmin-fr920xt-multiheader.fit")
    sports = [session.sport for session in recording.sessions]
    assert sports == ["swimming", "transition", "cycling", "transition", "running"]
    assert recording.sport == "multisport"


def test_a_device_without_a_date_counts_from_when_it_was_switched_on(parsed: Parsed) -> None:
    """No date is made up: there is no start, and the reader says why."""
    recording = parsed("garmin-fr70-no-timestamps.fit")
    assert not recording.dated
    assert recording.started_at is None
    assert recording.warnings == ["the device had no date: times count from when it was switched on"]
    assert recording.duration_s == 3880
    assert [(p.end_ms - p.start_ms) / 1000 for p in recording.pauses] == [110]
    assert len(list(recording.samples())) == 754


@pytest.mark.parametrize("name", ["onelap-hr-all-zero.fit", "zwift-hr-all-zero.fit"])
def test_a_heart_rate_of_zero_is_a_strap_without_contact(name: str, parsed: Parsed) -> None:
    """The points keep the zero, and no sample of a replay claims a heart that stands still."""
    recording = parsed(name)
    assert set(pulses(recording.points)) == {0}
    assert {sample.contact for sample in recording.samples()} == {False}


def test_a_swim_keeps_the_heart_rates_that_have_no_position(parsed: Parsed) -> None:
    """1,317 are in the file; readers that want a position keep 975."""
    row = next((row for row in ROWS if row.file == "swim-1.tcx"), None)
    recording = parsed("swim-1.tcx")
    assert row is not None
    told = re.match(r"(\d+) HR in file", row.cells["note"])
    assert told is not None
    assert len(pulses(recording.points)) == int(told[1]) == 1317
    assert sum(point.lat is None for point in recording.points) == 342


def test_a_pool_swim_keeps_its_points_without_any_position(parsed: Parsed) -> None:
    """One point a length, with time and distance."""
    recording = parsed("pool-swim-no-trackpoints.tcx")
    assert len(recording.points) == 32
    assert all(point.lat is None and point.time_ms is not None for point in recording.points)
    assert recording.points[-1].distance_m == recording.laps[0].distance_m == 1500


def test_power_from_an_app_on_the_watch_stands_in_for_a_missing_power_meter(parsed: Parsed) -> None:
    """Stryd writes it into a field of its own that says which field of the profile it replaces."""
    recording = parsed("garmin-fr920xt-mornindew-broken.fit")
    powers = [point.power_w for point in recording.points if point.power_w]
    assert len(powers) > 6000
    assert 100 < statistics.fmean(powers) < 400
