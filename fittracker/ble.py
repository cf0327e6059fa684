"""Bluetooth Heart Rate Measurement, characteristic 0x2A37 of the Heart Rate Service 1.0.

Byte 0 holds flags: bit 0, the value has 16 bits; bits 1 and 2, sensor contact; bit 3, energy follows (16
bits, kJ); bit 4, one or more RR intervals follow (16 bits each, 1/1024 s, oldest first, to the end). The
other bits are reserved and ignored. Everything is little endian.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, pack
from typing import Final

from msgspec import Struct as Record

from fittracker.errors import Invalid

_WIDE: Final = 0x01
_ENERGY: Final = 0x08
_RR: Final = 0x10
_MORE: Final = _WIDE | _ENERGY | _RR

# What bits 1 and 2 mean: 0 and 1 the sensor cannot tell, 2 no contact, 3 contact.
_CONTACTS: Final[tuple[bool | None, ...]] = (None, None, False, True)

# 1000/1024; the product with a whole number of 16 bits is exact.
_MS: Final = 0.9765625

# One ready reader per number of intervals: making a format string for each sample would cost more than
# reading.
_LISTS: Final = tuple(Struct(f"<{count}H") for count in range(128))


class Measurement(Record, frozen=True, gc=False):
    """What a heart-rate sensor said.

    `bpm` is taken as it came, 0..65535; `contact` is None when the sensor cannot tell; `energy_kj` counts
    since the sensor's last reset; `rr` are the intervals in ms, oldest first.
    """

    bpm: int
    contact: bool | None = None
    energy_kj: int | None = None
    rr: list[float] = []


def decode(payload: bytes | memoryview) -> Measurement:
    """Read a payload; `Invalid` where it is empty, cut short, or has bytes that belong to nothing."""
    size = len(payload)
    if size < 2:
        raise Invalid("A heart rate measurement has at least two bytes.")
    flags = payload[0]
    if not flags & _MORE and size == 2:
        return Measurement(payload[1], _CONTACTS[flags >> 1 & 3])
    return _decode_long(payload, flags, size)


def _decode_long(payload: bytes | memoryview, flags: int, size: int) -> Measurement:
    bpm, place = payload[1], 2
    if flags & _WIDE:
        if size < 3:
            raise Invalid("The heart rate measurement ends inside its heart rate.")
        bpm, place = bpm | payload[2] << 8, 3
    energy = None
    if flags & _ENERGY:
        if size < place + 2:
            raise Invalid("The heart rate measurement ends inside its energy.")
        energy, place = payload[place] | payload[place + 1] << 8, place + 2
    contact = _CONTACTS[flags >> 1 & 3]
    if flags & _RR:
        return Measurement(bpm, contact, energy, _intervals(payload, place, size))
    if place != size:
        raise Invalid("The heart rate measurement has bytes that its flags do not announce.")
    return Measurement(bpm, contact, energy)


def _intervals(payload: bytes | memoryview, place: int, size: int) -> list[float]:
    count, odd = divmod(size - place, 2)
    if odd:
        raise Invalid("The heart rate measurement ends inside an RR interval.")
    if not count:
        raise Invalid("The heart rate measurement ends before the RR intervals that it announces.")
    if count == 1:
        return [(payload[place] | payload[place + 1] << 8) * _MS]
    reader = _LISTS[count] if count < len(_LISTS) else Struct(f"<{count}H")
    return [raw * _MS for raw in reader.unpack_from(payload, place)]


def encode(
    bpm: int, contact: bool | None = None, energy_kj: int | None = None, rr: Sequence[float] = ()
) -> bytes:
    """A payload as a sensor would send it, with the RR intervals (ms) rounded to 1/1024 s.

    `Invalid` where a value does not fit its 16 bits.
    """
    numbers = [bpm, 0 if energy_kj is None else energy_kj, *(interval / _MS for interval in rr)]
    if not all(0 <= number <= 0xFFFF for number in numbers):
        raise Invalid("A heart rate measurement holds values of 16 bits.")
    raw = [round(interval / _MS) for interval in rr]
    values = [bpm, *raw] if energy_kj is None else [bpm, energy_kj, *raw]
    flags = 0 if contact is None else 6 if contact else 4
    flags |= (_WIDE if bpm > 0xFF else 0) | (0 if energy_kj is None else _ENERGY) | (_RR if raw else 0)
    head = pack("<BH" if bpm > 0xFF else "<BB", flags, bpm)
    return head + pack(f"<{len(values) - 1}H", *values[1:])
