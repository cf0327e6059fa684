"""TCX files, written here."""

from __future__ import annotations

import pytest

from fittracker.recordings import Device, Lap, Pause, Point, RecordingError, Session, read

HEAD = b"""<?xml version="1.0" encoding="UTF-8"?>
<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"
 xmlns:ns3="http://www.garmin.com/xmlschemas/ActivityExtension/v2">"""
TAIL = b"</TrainingCenterDatabase>"
NOON_MS = 1_700_049_600_000


def trackpoint(second: int, heart_rate: str = "", more: str = "") -> str:
    pulse = f"<HeartRateBpm><Value>{heart_rate}</Value></HeartRateBpm>" if heart_rate else ""
    return f"<Trackpoint><Time>2023-11-15T12:00:{second:02}Z</Time>{pulse}{more}</Trackpoint>"


def activity(*laps: str, sport: str = "Running", more: str = "") -> str:
    return f'<Activity Sport="{sport}"><Id>2023-11-15T12:00:00Z</Id>{"".join(laps)}{more}</Activity>'


def lap(*tracks: str, totals: str = "") -> str:
    inside = "".join(f"<Track>{track}</Track>" for track in tracks)
    return f'<Lap StartTime="2023-11-15T12:00:00Z">{totals}{inside}</Lap>'


def document(*activities: str) -> bytes:
    return HEAD + f"<Activities>{''.join(activities)}</Activities>".encode() + TAIL


def test_a_trackpoint_gives_every_sensor() -> None:
    """The extension with its prefix, whichever it is."""
    point = trackpoint(
        1,
        "140",
        "<Position><LatitudeDegrees>45.5</LatitudeDegrees><LongitudeDegrees>-3.25</LongitudeDegrees></Position>"
        "<AltitudeMeters>120.5</AltitudeMeters><DistanceMeters>10</DistanceMeters><Cadence>88</Cadence>"
        "<Extensions><ns3:TPX><ns3:Speed>3.5</ns3:Speed><ns3:Watts>250</ns3:Watts></ns3:TPX></Extensions>",
    )
    assert read(document(activity(lap(point)))).points == [
        Point(
            time_ms=NOON_MS + 1000,
            heart_rate=140,
            lat=45.5,
            lon=-3.25,
            altitude_m=120.5,
            distance_m=10,
            cadence_rpm=88,
            speed_mps=3.5,
            power_w=250,
        )
    ]


def test_a_point_without_a_position_is_a_point() -> None:
    """Pool, gym, turbo trainer."""
    recording = read(document(activity(lap(trackpoint(0, "100") + trackpoint(1, "101")))))
    assert [sample.bpm for sample in recording.samples()] == [100, 101]


def test_laps_keep_their_totals_apart_from_those_of_their_points() -> None:
    """Both have a DistanceMeters."""
    totals = (
        "<TotalTimeSeconds>60.5</TotalTimeSeconds><DistanceMeters>200</DistanceMeters><Calories>15</Calories>"
        "<AverageHeartRateBpm><Value>130</Value></AverageHeartRateBpm>"
        "<MaximumHeartRateBpm><Value>150</Value></MaximumHeartRateBpm>"
    )
    points = trackpoint(1, more="<DistanceMeters>10</DistanceMeters>")
    recording = read(document(activity(lap(points, totals=totals))))
    assert recording.laps == [
        Lap(
            start_ms=NOON_MS,
            moving_s=60.5,
            distance_m=200,
            calories_kcal=15,
            average_heart_rate=130,
            max_heart_rate=150,
        )
    ]
    assert recording.points[0].distance_m == 10


def test_a_second_track_in_a_lap_ends_a_pause() -> None:
    """A track in a new lap does not."""
    first = lap(trackpoint(0) + trackpoint(5), trackpoint(20))
    recording = read(document(activity(first, lap(trackpoint(30)))))
    assert recording.pauses == [Pause(NOON_MS + 5_000, NOON_MS + 20_000)]


def test_sport_and_device_are_named() -> None:
    """By the names of FIT; the author of the file is not its device."""
    more = "<Creator><Name>a watch</Name></Creator>"
    data = document(activity(lap(trackpoint(0)), sport="Biking", more=more))
    data = data.replace(TAIL, b"<Author><Name>some software</Name></Author>" + TAIL)
    recording = read(data)
    assert recording.sport == "cycling"
    assert recording.device == Device(name="a watch")


def test_several_activities_are_sessions_of_one_recording() -> None:
    """The points of the transition between them are not lost."""
    transition = f"<Transition><Track>{trackpoint(20, '120')}</Track></Transition>"
    data = (
        HEAD
        + (
            "<Activities><MultiSportSession>"
            f"<FirstSport>{activity(lap(trackpoint(0, '110')), sport='Running')}</FirstSport>"
            f"<NextSport>{transition}{activity(lap(trackpoint(40, '130')), sport='Biking')}</NextSport>"
            "</MultiSportSession></Activities>"
        ).encode()
        + TAIL
    )
    recording = read(data)
    assert [point.heart_rate for point in recording.points] == [110, 120, 130]
    assert recording.sessions == [Session(sport="running"), Session(sport="cycling")]
    assert recording.sport == "multisport"


def test_a_course_is_no_recording() -> None:
    """Its points are a plan."""
    course = f"<Courses><Course><Name>x</Name><Track>{trackpoint(0)}</Track></Course></Courses>".encode()
    recording = read(HEAD + course + TAIL)
    assert recording.points == []
    assert recording.sport is None


def test_values_that_are_no_values_are_left_out_and_counted() -> None:
    """The rest of the point stays."""
    more = "<Cadence>many</Cadence><AltitudeMeters>nan</AltitudeMeters><DistanceMeters>5</DistanceMeters>"
    point = read(document(activity(lap(trackpoint(99, "1e9", more)))))
    assert point.points == [Point(distance_m=5)]
    assert point.warnings == ["values that could not be read and were left out: 4"]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_file_that_is_cut_says_how_many_points_could_be_read(kept: int) -> None:
    """A point that is not closed is not one of them."""
    whole = document(activity(lap("".join(trackpoint(n, str(100 + n)) for n in range(3)))))
    end = -1
    for _ in range(kept + 1):
        end = whole.index(b"</HeartRateBpm>", end + 1)
    cut = whole[:end]
    with pytest.raises(RecordingError, match=f"cut off .*{kept} points? could be read") as caught:
        read(cut)
    assert (caught.value.reason, caught.value.readable) == ("truncated", kept)

    recording = read(cut, keep_partial=True)
    assert [point.heart_rate for point in recording.points] == list(range(100, 100 + kept))
    assert recording.sport == "running"


def test_a_file_that_is_damaged_gives_what_came_before() -> None:
    """A tag that closes nothing."""
    data = document(activity(lap(trackpoint(0, "100") + "</Nothing>" + trackpoint(1, "101"))))
    with pytest.raises(RecordingError, match="mismatched tag, line 3") as caught:
        read(data)
    assert (caught.value.reason, caught.value.readable) == ("corrupt", 1)
    assert len(read(data, keep_partial=True).points) == 1
