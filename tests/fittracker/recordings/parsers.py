"""A parser that misbehaves, for the reading processes: what a hostile file might make of a good one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from fittracker.recordings import Limits, Recording, read


def misbehave(data: bytes, *, name: str, keep_partial: bool, limits: Limits) -> Recording:
    """Does what the bytes say: hang, eat memory, or fall over. Anything else is read as a recording."""
    if data == b"hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if name:
            Path(name).touch()
        while True:
            pass
    if data == b"eat":
        bytearray(8 << 30)
    if data == b"fall":
        os._exit(3)
    return read(data, name=name, keep_partial=keep_partial, limits=limits)
