"""Which format a file is, by its content."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from fittracker.recordings import RecordingError, read
from tests.fittracker.recordings.fit_bytes import fit_file, records
from tests.fittracker.recordings.real_files import recording_bytes

FIT = fit_file(records(100, 101))
TCX = b"<TrainingCenterDatabase/>"
GPX = b"<gpx/>"


@pytest.mark.parametrize("name", ["", "run.fit", "run.gpx", "run.txt", "run.fit.gz"])
def test_the_name_of_a_file_does_not_matter(name: str) -> None:
    """People rename files, and browsers do."""
    assert read(FIT, name=name).format == "fit"
    assert read(TCX, name=name).format == "tcx"
    assert read(GPX, name=name).format == "gpx"
    assert read(gzip.compress(FIT), name=name).format == "fit"


def test_utf_16_is_xml_as_well() -> None:
    """Written by some programs on Windows."""
    assert read('<?xml version="1.0" encoding="UTF-16"?><gpx/>'.encode("utf-16")).format == "gpx"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"time,bpm\n0,70\n", "unknown_format"),
        (b"\xff\xd8\xff\xe0", "unknown_format"),
        (b"   ", "unknown_format"),
        (b"<html><body>Not found</body></html>", "unknown_format"),
        (b"<kml/>", "unknown_format"),
        (b"<!DOCTYPE html><html></html>", "doctype"),
        (b"<", "truncated"),
        (b'<?xml version="1.0"?>', "truncated"),
        (b"<>", "corrupt"),
        (b"\x0e", "header"),
        (b"\x0c\x10\x64\x00 something else altogether", "header"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    """Even when parts would do: there are none."""
    with pytest.raises(RecordingError) as caught:
        read(data, keep_partial=True)
    assert (caught.value.reason, caught.value.readable) == (reason, 0)


def test_the_name_tells_what_an_unreadable_file_was_meant_to_be() -> None:
    """That is all it is for."""
    with pytest.raises(RecordingError) as caught:
        read(b"no header", name="Run.FIT")
    assert caught.value.reason == "header"


def test_a_packed_recording_reads_as_the_plain_one() -> None:
    """Strava hands its exports out gzipped."""
    data = recording_bytes("garmin-fenix2-run.fit")
    assert read(gzip.compress(data)) == read(data)


def test_a_large_file_takes_memory_in_proportion_to_its_points() -> None:
    """No tree of the XML is kept: sixty thousand elements that are no points leave nothing behind."""
    data = b"<gpx>" + b"<trk><name>x</name></trk>" * 30_000 + b"</gpx>"
    tracemalloc.start()
    try:
        assert read(data).points == []
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data)
    finally:
        tracemalloc.stop()
