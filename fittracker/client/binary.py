"""Binary heart-rate frames, for devices that count bytes: samples as a Bluetooth strap would send them.

`0x01 | handle u16 | seq u32 | t unix ms u64 | payload`, or for several
`0x02 | handle u16 | n u8 | n x (seq u32 | t u64 | length u8 | payload)`; big endian, payloads of 0x2A37.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from fittracker import ble
from fittracker.client.sample import Numbered

MOST_IN_A_FRAME: Final = 255

_SINGLE: Final = Struct(">BHIQ")
_BATCH: Final = Struct(">BHB")
_ITEM: Final = Struct(">IQB")


def frame(handle: int, samples: Sequence[Numbered]) -> bytes:
    """One frame of 1 to 255 samples; RR intervals lose what is finer than 1/1024 s."""
    if len(samples) == 1:
        return _SINGLE.pack(1, handle, samples[0].seq, samples[0].t) + _payload(samples[0])
    parts = [_BATCH.pack(2, handle, len(samples))]
    for sample in samples:
        payload = _payload(sample)
        parts += (_ITEM.pack(sample.seq, sample.t, len(payload)), payload)
    return b"".join(parts)


def _payload(sample: Numbered) -> bytes:
    return ble.encode(sample.bpm, sample.contact, rr=sample.rr or ())
