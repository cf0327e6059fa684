"""The live state of one athlete: what watchers see with every sample, and the alerts it sets off."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from fittracker.alerts import (
    HIGH_HOLD_MS,
    IRREGULAR_HOLD_MS,
    IRREGULAR_REARM_MS,
    JUMP_MARGIN_BPM,
    JUMP_REARM_MS,
    LEVEL_REARM_MS,
    LOST_REARM_MS,
    LOW_HOLD_MS,
    MARGIN_BPM,
    Alert,
    AlertLimits,
    Episode,
    Kind,
)
from fittracker.heart import GAP_CAP_MS, Zones
from fittracker.hrv import RollingRmssd, follows
from fittracker.rhythm import SCATTER_LIMIT, Rhythm

__all__ = ["NOTHING", "Alert", "AlertLimits", "Pulse"]

# What `feed` answers nearly always; one object, so that a quiet sample allocates nothing.
NOTHING: Final[tuple[Alert, ...]] = ()

# A change of heart rate is measured from two marks that move on after this long, so that at one sample a
# second the look back reaches 3 to 5 s.
_MARK_MS: Final = 2_500
_JUMP_SPAN_MS: Final = 2 * _MARK_MS
# RMSSD of beats older than the window it claims to show is not shown.
_STALE_RR_MS: Final = 60_000
_NEVER: Final = 1 << 30


class Pulse:
    """One athlete's heart, live; made for tens of thousands of samples a second.

    Most samples change little: they must pass through `feed` without making an object. So everything that
    could set off an alert is folded into one band of heart rates, and only what leaves it, or comes while
    an alert is pending or given, is looked at closely.

    `t` is the newest sample's time (unix ms; 0 before the first). `bpm` is 0 without contact, `zone` then
    0. `hrr_pct` is the share of the heart-rate reserve in percent, `rmssd_ms` the RMSSD of the last minute;
    both have one decimal and are None while unknown. `contact` is None when the sensor cannot tell.
    """

    __slots__ = (
        "_band_high",
        "_band_low",
        "_beats_t",
        "_busy",
        "_calm_high",
        "_calm_low",
        "_edges",
        "_episodes",
        "_limits",
        "_mark",
        "_mark_t",
        "_older_mark",
        "_resting",
        "_rhythm",
        "_rmssd",
        "_scale",
        "bpm",
        "contact",
        "hrr_pct",
        "rmssd_ms",
        "t",
        "zone",
    )

    def __init__(self, zones: Zones | None, limits: AlertLimits) -> None:
        """`zones` is None where neither age nor highest heart rate is known: the zone stays 0."""
        self.t = self.bpm = self.zone = 0
        self.hrr_pct: float | None = None
        self.rmssd_ms: float | None = None
        self.contact: bool | None = None
        self._edges = zones.edges[:5] if zones else ()
        self._resting = self._scale = 0.0
        if zones and zones.maximum is not None and zones.resting is not None:
            self._resting = zones.resting
            self._scale = 100 / (zones.maximum - zones.resting)
        self._rmssd = RollingRmssd()
        self._rhythm = Rhythm()
        self._beats_t = 0
        self._watch(limits)

    def _watch(self, limits: AlertLimits) -> None:
        self._limits = limits
        lost_ms = 0 if limits.lost_s is None else round(limits.lost_s * 1000)
        self._episodes: dict[Kind, Episode] = {
            "high": Episode(HIGH_HOLD_MS, LEVEL_REARM_MS),
            "low": Episode(LOW_HOLD_MS, LEVEL_REARM_MS),
            "jump": Episode(0, JUMP_REARM_MS),
            "irregular": Episode(IRREGULAR_HOLD_MS, IRREGULAR_REARM_MS),
            "lost": Episode(lost_ms, LOST_REARM_MS),
        }
        self._busy = False
        self._calm_high = _NEVER if limits.high is None else limits.high - MARGIN_BPM + 1
        self._calm_low = -1 if limits.low is None else limits.low + MARGIN_BPM - 1
        self._mark = self._older_mark = self._mark_t = 0
        self._band_low, self._band_high = self._calm_low, self._calm_high

    def feed(
        self, t_ms: int, bpm: int, rr: Sequence[float] | None = None, contact: bool | None = None
    ) -> Sequence[Alert]:
        """Take a sample; the alerts that it sets off.

        A sample that is not newer than the newest changes nothing: a repetition, or one that was overtaken.
        """
        elapsed = t_ms - self.t
        if elapsed <= 0:
            return NOTHING
        self.t = t_ms
        if contact is False or bpm <= 0:
            return self._without_contact(t_ms)
        if elapsed > _JUMP_SPAN_MS or not self.bpm:
            self._resume(t_ms, bpm, elapsed)
        self.contact = contact
        if bpm != self.bpm:
            self.bpm = bpm
            self.zone = bisect_right(self._edges, bpm)
            if self._scale:
                share = (bpm - self._resting) * self._scale
                self.hrr_pct = round(share, 1) if share > 0 else 0.0
        if rr:
            self._take_beats(t_ms, rr)
        elif self.rmssd_ms is not None and t_ms - self._beats_t > _STALE_RR_MS:
            self._forget_beats()
        if t_ms - self._mark_t > _MARK_MS:
            self._move_marks(t_ms, bpm)
        if self._busy or not self._band_low < bpm < self._band_high:
            return self._judge(t_ms, bpm)
        return NOTHING

    def silence(self, t_ms: int) -> Sequence[Alert]:
        """No sample came up to this time, on the clock of the samples; the alert `lost` where it is due.

        For a device that reports lost contact once and then says nothing. That the device itself is silent
        is another matter (`hr.stale`), and sets off nothing here.
        """
        if self.contact is not False or t_ms <= self.t:
            return NOTHING
        return self._lose(t_ms)

    def _without_contact(self, t_ms: int) -> Sequence[Alert]:
        """What a sensor sends without contact is no heart rate, whatever the number says."""
        if self.contact is not False:
            self.contact = False
            self.bpm = self.zone = 0
            self.hrr_pct = self.rmssd_ms = None
            self._rmssd.gap()
            for kind in ("high", "low", "jump"):
                self._episodes[kind].interrupt()
        return self._lose(t_ms)

    def _lose(self, t_ms: int) -> Sequence[Alert]:
        lost_s = self._limits.lost_s
        if lost_s is None:
            return NOTHING
        self._busy = True
        episode = self._episodes["lost"]
        if episode.step(t_ms, on=True, off=False):
            return [Alert("lost", 0, lost_s, episode.since)]
        return NOTHING

    def _resume(self, t_ms: int, bpm: int, elapsed: int) -> None:
        """Contact is back, or nothing came for a while: what was is no measure for what comes."""
        if elapsed > GAP_CAP_MS:
            for episode in self._episodes.values():
                episode.interrupt()
        self._mark = bpm
        self._move_marks(t_ms, bpm)

    def _move_marks(self, t_ms: int, bpm: int) -> None:
        """Note the heart rate to compare the next seconds with, and the band that follows from it."""
        older, self._older_mark = self._mark, self._mark
        self._mark = bpm
        self._mark_t = t_ms
        jump = self._limits.jump or _NEVER
        self._band_low = max(self._calm_low, max(older, bpm) - jump)
        self._band_high = min(self._calm_high, min(older, bpm) + jump)

    def _take_beats(self, t_ms: int, rr: Sequence[float]) -> None:
        since_beats = t_ms - self._beats_t
        self._beats_t = t_ms
        if not follows(since_beats, rr):
            self._rmssd.gap()
            if since_beats > _STALE_RR_MS:
                self._rmssd.clear()
                self._rhythm.clear()
        for interval in rr:
            self._rmssd.push(interval)
            self._rhythm.push(interval)
        rmssd = self._rmssd.value()
        self.rmssd_ms = None if rmssd is None else round(rmssd, 1)
        if self._rhythm.irregular and self._limits.irregular:
            self._busy = True

    def _forget_beats(self) -> None:
        self.rmssd_ms = None
        self._rmssd.clear()
        self._rhythm.clear()

    def _judge(self, t_ms: int, bpm: int) -> Sequence[Alert]:
        """Look at every kind that is on; here only when something is out of the ordinary."""
        limits = self._limits
        high, low, jump = limits.high, limits.low, limits.jump
        found = []
        if high is not None:
            found.append(self._step("high", high, bpm > high, bpm <= high - MARGIN_BPM))
        if low is not None:
            found.append(self._step("low", low, bpm < low, bpm >= low + MARGIN_BPM))
        if jump is not None:
            change = max(abs(bpm - self._older_mark), abs(bpm - self._mark))
            found.append(self._step("jump", jump, change >= jump, change <= jump - JUMP_MARGIN_BPM))
        if limits.irregular:
            verdict = self._rhythm.irregular
            found.append(self._step("irregular", SCATTER_LIMIT, verdict is True, verdict is False))
        if limits.lost_s is not None:
            self._step("lost", limits.lost_s, on=False, off=True)
        self._busy = not all(episode.idle for episode in self._episodes.values())
        return [alert for alert in found if alert] or NOTHING

    def _step(self, kind: Kind, limit: float, on: bool, off: bool) -> Alert | None:
        episode = self._episodes[kind]
        if episode.step(self.t, on, off):
            return Alert(kind, self.bpm, limit, episode.since)
        return None
