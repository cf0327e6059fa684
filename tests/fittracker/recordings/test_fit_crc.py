"""The checksum of FIT files."""

from __future__ import annotations

from fitdecode.utils import compute_crc
from hypothesis import given
from hypothesis import strategies as st

from fittracker.recordings.fit_crc import crc16


def test_the_checksum_of_the_test_string_is_the_published_one() -> None:
    """CRC-16/ARC of "123456789" in every catalogue of checksums."""
    assert crc16(b"123456789") == 0xBB3D
    assert crc16(b"") == 0


@given(st.binary(min_size=1, max_size=300))
def test_the_table_gives_what_the_slower_way_gives(data: bytes) -> None:
    """fitdecode works by nibbles."""
    assert crc16(memoryview(data)) == compute_crc(data)
