"""GPX files, written here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fittracker.recordings import Device, Pause, Point, RecordingError, read

NOON_MS = 1_700_049_600_000


def trkpt(second: int, extensions: str = "", more: str = "") -> str:
    return (
        f'<trkpt lat="45.5" lon="-3.25"><ele>12.5</ele><time>2023-11-15T12:00:{second:02}Z</time>{more}'
        f"<extensions>{extensions}</extensions></trkpt>"
    )


def document(
    *segments: str, more: str = "", root: str = 'xmlns="http://www.topografix.com/GPX/1/1"'
) -> bytes:
    inside = "".join(f"<trkseg>{segment}</trkseg>" for segment in segments)
    return f'<gpx creator="a phone" version="1.1" {root}>{more}<trk>{inside}</trk></gpx>'.encode()


def test_a_track_point_gives_every_sensor() -> None:
    """Position from its attributes, the rest from its elements."""
    extensions = (
        "<power>250</power><gpxtpx:TrackPointExtension><gpxtpx:atemp>21.5</gpxtpx:atemp>"
        "<gpxtpx:hr>140</gpxtpx:hr><gpxtpx:cad>88</gpxtpx:cad><gpxtpx:speed>3.5</gpxtpx:speed>"
        "</gpxtpx:TrackPointExtension>"
    )
    recording = read(document(trkpt(1, extensions)))
    assert recording.points == [
        Point(
            time_ms=NOON_MS + 1000,
            heart_rate=140,
            lat=45.5,
            lon=-3.25,
            altitude_m=12.5,
            power_w=250,
            temperature_c=21.5,
            cadence_rpm=88,
            speed_mps=3.5,
        )
    ]
    assert recording.device == Device(name="a phone")
    assert recording.started_at == datetime(2023, 11, 15, 12, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "element",
    [
        "<gpxtpx:TrackPointExtension><gpxtpx:hr>141</gpxtpx:hr></gpxtpx:TrackPointExtension>",
        "<ns3:TrackPointExtension><ns3:hr>141</ns3:hr></ns3:TrackPointExtension>",
        "<gpxdata:hr>141</gpxdata:hr>",
        "<never:declared><heard:of>1</heard:of><of:hr> 141 </of:hr></never:declared>",
        "<hr>141</hr>",
        "<HeartRate>141.2</HeartRate>",
    ],
)
def test_a_heart_rate_is_found_under_any_prefix(element: str) -> None:
    """A prefix is only a name for a namespace, and in files cut by hand not even declared."""
    assert [point.heart_rate for point in read(document(trkpt(0, element))).points] == [141]


def test_a_point_without_position_or_time_is_a_point() -> None:
    """Indoors there is no position; it can have a heart rate all the same."""
    recording = read(
        document("<trkpt><extensions><hr>99</hr></extensions></trkpt>" + trkpt(0, "<hr>100</hr>"))
    )
    assert recording.points[0] == Point(heart_rate=99)
    assert [sample.bpm for sample in recording.samples()] == [100]


def test_waypoints_and_routes_are_no_recording() -> None:
    """They have positions and even heart rates, but nobody recorded them as a track."""
    more = (
        '<wpt lat="1" lon="2"><extensions><hr>150</hr></extensions></wpt><rte><rtept lat="1" lon="2"/></rte>'
    )
    assert read(document(more=more)).points == []


def test_a_new_segment_ends_a_pause() -> None:
    """The receiver was off in between."""
    recording = read(document(trkpt(0) + trkpt(10), trkpt(40)))
    assert recording.pauses == [Pause(NOON_MS + 10_000, NOON_MS + 40_000)]


@pytest.mark.parametrize(("written", "sport"), [("Running", "running"), ("9", None), ("", None)])
def test_the_type_of_a_track_is_its_sport(written: str, sport: str | None) -> None:
    """A bare number means something only to the service that wrote it."""
    data = document(trkpt(0)).replace(b"<trk>", f"<trk><type>{written}</type>".encode())
    assert read(data).sport == sport


def test_a_clock_that_was_never_set_is_no_date() -> None:
    """1970 is when a chip begins to count."""
    data = document(trkpt(0) + trkpt(7)).replace(b"2023-11-15", b"1970-01-01")
    recording = read(data)
    assert not recording.dated
    assert recording.started_at is None
    assert recording.duration_s == 7


def test_a_position_off_the_globe_is_none() -> None:
    """It is counted as a value that could not be read."""
    recording = read(document(trkpt(0)).replace(b'lat="45.5"', b'lat="145.5"'))
    assert recording.points[0].lat is None
    assert recording.warnings == ["values that could not be read and were left out: 1"]


def test_spaces_before_the_declaration_do_no_harm() -> None:
    """Some exporters begin with an empty line."""
    data = b'\n  <?xml version="1.0" encoding="UTF-8"?>' + document(trkpt(0))
    assert len(read(data).points) == 1


def test_a_file_that_is_cut_says_how_many_points_could_be_read() -> None:
    """Wherever it is cut: the points that were closed, and no more."""
    whole = document("".join(trkpt(n, f"<hr>{100 + n}</hr>") for n in range(4)))
    for length in range(whole.index(b"<gpx") + 5, len(whole)):
        with pytest.raises(RecordingError) as caught:
            read(whole[:length])
        assert caught.value.reason == "truncated"
        assert caught.value.readable == whole[:length].count(b"</trkpt>")


def test_a_doctype_is_refused_even_when_parts_would_do() -> None:
    """What is refused for safety is not read at all."""
    with pytest.raises(RecordingError) as caught:
        read(b"<!DOCTYPE gpx>" + document(trkpt(0)), keep_partial=True)
    assert (caught.value.reason, caught.value.readable) == ("doctype", 0)
