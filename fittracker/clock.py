"""Time, in one place, so that tests can hold it still.

Wall time is for what is stored and shown, monotonic time for every timeout and interval:
a machine whose clock is set back must not keep a socket open for an hour.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The machine's clock. Tests pass a subclass whose time they set."""

    def now(self) -> float:
        """Wall time, seconds since 1970, UTC."""
        return time.time()

    def now_ms(self) -> int:
        """Wall time, whole milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go backwards; only differences mean anything."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Wall time as an aware datetime, cut to the millisecond that MongoDB keeps."""
        ms = self.now_ms()
        return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


def rfc3339(moment: datetime) -> str:
    """`2026-11-23T10:00:00.123Z`; the moment must be aware."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def of_ms(ms: int) -> datetime:
    """The moment so many milliseconds after 1970, UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
