"""Denied access is written down: who was refused what. Anybody may cause it, so it is bounded."""

from __future__ import annotations

from typing import Any, Final

from fittracker.audit import Audit, unrecorded
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.limits import Bucket, LocalBuckets

MOST_A_MINUTE: Final = 60
"""Of one person, or of one address while nobody is signed in, on one worker; the rest is only counted."""


class Denials:
    """The refusals of one worker."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._buckets = LocalBuckets(clock)

    def note(self, caller: Caller, **detail: Any) -> None:
        """Somebody was refused; `detail` says what, in words of ours: a route's pattern, a command's name."""
        whom = caller.user or caller.address
        (allowance,) = self._buckets.take([Bucket("denied", whom, MOST_A_MINUTE)])
        if allowance.wait_ms > 0:
            unrecorded.inc()
        else:
            self._audit.note("access.denied", caller, **detail)
