"""Tells Redis, once a second, how the hearts beat that are shown in coaching sessions: for `session.roster`.

It costs nothing for a sample: what has changed since the last second is looked for among the open streams.
"""

from __future__ import annotations

from typing import Final

from fittracker.coaching.roster import beat
from fittracker.redis import pulses_key
from ws.realtime import Realtime

FORGOTTEN_S: Final = b"120"


class Pulses:
    """The streams of one worker that belong to sessions."""

    def __init__(self, realtime: Realtime) -> None:
        self._realtime = realtime
        self._before = float("-inf")

    def each_second(self, now: float) -> None:
        """Write the heart of each athlete who was heard since the last time; `now` is that of the wheel."""
        before, self._before = self._before, now
        at = self._realtime.contexts.clock.now_ms()
        written: dict[str, list[bytes]] = {}
        for stream in self._realtime.telemetry.streams.values():
            pulse = stream.pulse
            if stream.session is not None and stream.heard >= before and pulse.t:
                row = written.setdefault(stream.session, [])
                row += (stream.user.encode(), beat(pulse.t, pulse.bpm, pulse.zone, at))
        command = self._realtime.broker.command
        for session, row in written.items():
            key = pulses_key(session).encode()
            command(b"HSET", key, *row)
            command(b"EXPIRE", key, FORGOTTEN_S)
