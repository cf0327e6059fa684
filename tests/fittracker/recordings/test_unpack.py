"""Archives of strangers: what is inside, and what is refused."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from fittracker.recordings import Limits, RecordingError, read
from fittracker.recordings.unpack import unpack
from tests.fittracker.recordings.fit_bytes import fit_file, records

SMALL = Limits(max_bytes=1 << 20, max_unpacked_bytes=1 << 20)
RIDE = fit_file(records(*range(100, 200)))


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return whole.getvalue()


def reason_of(data: bytes, limits: Limits = SMALL) -> str:
    with pytest.raises(RecordingError) as caught:
        unpack(data, limits)
    assert caught.value.readable == 0
    return caught.value.reason


def test_what_is_not_packed_stays_as_it_is() -> None:
    """Whatever it is."""
    assert unpack(b"<gpx/>", SMALL).data == b"<gpx/>"


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(RIDE),
        gzip.compress(RIDE[:50]) + gzip.compress(RIDE[50:]),
        gzip.compress(RIDE) + b"\0" * 512,
        zipped(("ride.fit", RIDE)),
        zipped(("folder/", b""), ("folder/ride.fit", RIDE), method=zipfile.ZIP_STORED),
    ],
    ids=["gzip", "two members", "padded", "zip", "stored zip"],
)
def test_one_packed_recording_is_unpacked(packed: bytes) -> None:
    """Members of a gzip are one file; a folder in a zip is none."""
    unpacked = unpack(packed, SMALL)
    assert unpacked.data == RIDE
    assert unpacked.fault is None
    assert len(read(packed).points) == 100


def test_a_file_above_the_limit_is_refused_unread() -> None:
    """By its length, before anything looks inside."""
    assert reason_of(b"<" * ((1 << 20) + 1)) == "oversize"
    assert unpack(b"<" * (1 << 20), SMALL).fault is None


@pytest.mark.parametrize(
    "pack", [gzip.compress, lambda data: zipped(("bomb.fit", data))], ids=["gzip", "zip"]
)
def test_a_bomb_is_refused_without_exploding(pack) -> None:  # type: ignore[no-untyped-def]
    """A thousand to one: the limit ends it, and memory stays near the limit."""
    bomb = pack(bytes(200 << 20))
    assert len(bomb) < SMALL.max_bytes
    tracemalloc.start()
    try:
        assert reason_of(bomb) == "oversize"
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_bomb_of_many_members_is_refused() -> None:
    """Each is small, and they are one file."""
    assert reason_of(gzip.compress(bytes(100_000)) * 100) == "oversize"


def test_the_size_that_a_zip_claims_is_not_believed() -> None:
    """A claim of 10 bytes: what comes out is checked against the checksum, and is not the file."""
    data = bytearray(zipped(("bomb.fit", bytes(4 << 20))))
    directory = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, directory + 24, 10)
    assert reason_of(bytes(data)) == "archive"


def test_an_archive_in_an_archive_stays_packed() -> None:
    """Nobody sends it, except to multiply a bomb."""
    with pytest.raises(RecordingError) as caught:
        read(gzip.compress(gzip.compress(RIDE)))
    assert caught.value.reason == "unknown_format"


def test_a_zip_of_none_or_of_several_is_no_recording() -> None:
    """One file, one recording."""
    assert reason_of(zipped()) == "archive"
    assert reason_of(zipped(("a.fit", RIDE), ("b.fit", RIDE))) == "archive"


def test_a_zip_that_cannot_be_opened_is_refused() -> None:
    """Cut, locked, damaged inside, or packed in a way that can take any amount of memory."""
    whole = zipped(("ride.fit", RIDE))
    assert reason_of(whole[:-30]) == "archive"

    locked = bytearray(whole)
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert reason_of(bytes(locked)) == "archive"

    damaged = bytearray(whole)
    damaged[60] ^= 0xFF
    assert reason_of(bytes(damaged)) == "archive"
    assert reason_of(zipped(("ride.fit", RIDE), method=zipfile.ZIP_LZMA)) == "archive"


def test_a_gzip_that_is_cut_gives_what_came_before() -> None:
    """The recording in it is then cut as well, and counted as such."""
    noise = bytes(zlib.crc32(bytes([n % 256, n // 256])) & 0xFF for n in range(2000))
    ride = fit_file(records(*(100 + byte % 100 for byte in noise)))
    packed = gzip.compress(ride)
    unpacked = unpack(packed[: len(packed) // 2], SMALL)
    assert unpacked.fault == "truncated"
    assert ride.startswith(unpacked.data)

    with pytest.raises(RecordingError, match="the gzip is cut off; ") as caught:
        read(packed[: len(packed) // 2])
    assert caught.value.reason == "truncated"
    assert 500 < caught.value.readable < 1500


def test_a_gzip_without_its_last_bytes_has_every_point() -> None:
    """Only its checksum is missing; the recording is whole, and the fault is told."""
    with pytest.raises(RecordingError) as caught:
        read(gzip.compress(RIDE)[:-8])
    assert (caught.value.reason, caught.value.readable) == ("truncated", 100)


def test_a_damaged_gzip_is_damaged_whatever_could_be_read() -> None:
    """Its own checksum is wrong."""
    packed = bytearray(gzip.compress(RIDE) + gzip.compress(b""))
    packed[-8] ^= 0xFF
    with pytest.raises(RecordingError, match="the gzip is damaged") as caught:
        read(bytes(packed), name="ride.fit.gz")
    assert caught.value.reason == "corrupt"
