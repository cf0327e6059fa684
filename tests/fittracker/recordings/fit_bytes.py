"""Writes small FIT files for tests, message by message, by the published protocol."""

from __future__ import annotations

import struct

from fitdecode.utils import compute_crc

FILE_ID, SESSION, LAP, RECORD, EVENT, DEVICE_INFO, HRV, HR = 0, 18, 19, 20, 21, 23, 78, 132
FIELD_DESCRIPTION, DEVELOPER_DATA_ID = 206, 207
ENUM, UINT8, UINT16, SINT32, UINT32, BYTE, STRING = 0x00, 0x02, 0x84, 0x85, 0x86, 0x0D, 0x07
START = 1_100_000_000
"""A FIT time in 2024."""
UNIX_START_MS = (START + 631_065_600) * 1000

Field = tuple[int, int, int]
"""Its number, its size in bytes, its base type."""

TIME: Field = (253, 4, UINT32)
HEART_RATE: Field = (3, 1, UINT8)


def define(local: int, message: int, *fields: Field, developer: tuple[Field, ...] = ()) -> bytes:
    """A definition message; developer fields are (number, size, index of the app)."""
    head = struct.pack("<BBBHB", 0x40 | local | (0x20 if developer else 0), 0, 0, message, len(fields))
    body = b"".join(struct.pack("<BBB", *field) for field in fields)
    if developer:
        body += bytes([len(developer)]) + b"".join(struct.pack("<BBB", *field) for field in developer)
    return head + body


def values(local: int, layout: str, *content: float | bytes) -> bytes:
    """A data message, its fields packed as `struct` says."""
    return bytes([local]) + struct.pack(f"<{layout}", *content)


def compressed(local: int, time_offset: int, layout: str, *content: int) -> bytes:
    """A data message whose head holds the last five bits of its time."""
    return bytes([0x80 | local << 5 | time_offset]) + struct.pack(f"<{layout}", *content)


def records(*heart_rates: int | None, start: int = START, local: int = 0) -> bytes:
    """A record a second; None is the invalid value."""
    return define(local, RECORD, TIME, HEART_RATE) + b"".join(
        values(local, "IB", start + second, 255 if bpm is None else bpm)
        for second, bpm in enumerate(heart_rates)
    )


def fit_file(*messages: bytes) -> bytes:
    """The messages between a header of 14 bytes and a checksum."""
    body = b"".join(messages)
    head = struct.pack("<BBHI4s", 14, 0x20, 2140, len(body), b".FIT")
    head += struct.pack("<H", compute_crc(head))
    return head + body + struct.pack("<H", compute_crc(head + body))
