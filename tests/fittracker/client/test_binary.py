from __future__ import annotations

from fittracker import ble
from fittracker.client.binary import frame
from fittracker.client.sample import Sample, number


def test_one_sample_is_the_short_frame() -> None:
    """0x01, handle, seq, time and a payload as a strap sends it, byte by byte."""
    made = frame(0x0102, [number(Sample(0x0B0C0D0E0F, 75, [], True), 0x03040506)])
    assert made.hex(" ") == "01 01 02 03 04 05 06 00 00 00 0b 0c 0d 0e 0f 06 4b"


def test_several_samples_are_one_batch() -> None:
    """0x02, handle, count, and each with its length before the payload."""
    samples = [number(Sample(1, 60), 1), number(Sample(2, 300, [500.0]), 2)]
    made = frame(9, samples)
    assert made[:4].hex(" ") == "02 00 09 02"
    first, rest = made[4 : 4 + 13 + 2], made[4 + 13 + 2 :]
    assert first.hex(" ") == "00 00 00 01 00 00 00 00 00 00 00 01 02 00 3c"
    assert rest[12] == len(rest) - 13
    assert ble.decode(rest[13:]).bpm == 300
    assert ble.decode(rest[13:]).rr == [500.0]


def test_the_largest_batch_fits_its_count() -> None:
    """255 samples with the most beats that a sample may hold stay below the frame limit."""
    many = [number(Sample(1_700_000_000_000, 180, [333.0] * 64), seq) for seq in range(1, 256)]
    made = frame(0, many)
    assert made[3] == 255
    assert len(made) < 65_536
