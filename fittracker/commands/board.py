"""What `watch` knows about the athletes, and how it looks in a terminal."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from rich.table import Table
from rich.text import Text

from fittracker.client import Event, HrAlert, HrStale, HrSummary, HrUpdate
from fittracker.commands.figures import curve

CURVE: Final = 40
LEAST_BPM: Final = 20
LINES: Final = 5
"""So many of the things that were said are shown."""
SAYINGS: Final = frozenset({"chat.message", "session.cue", "session.feedback"})
COLOURS: Final = ("dim", "bright_blue", "green", "yellow", "dark_orange", "red")


@dataclass(slots=True)
class Row:
    """One athlete."""

    name: str
    latest: HrUpdate | None = None
    stale: bool = False
    note: str = ""
    curve: deque[int] = field(default_factory=lambda: deque(maxlen=CURVE))

    @property
    def state(self) -> str:
        """`lost contact`, `silent`, or nothing."""
        if self.stale:
            return "silent"
        return "lost contact" if self.latest and self.latest.contact is False else ""


class Board:
    """All athletes who were heard of."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self.rows: dict[str, Row] = {}
        self.updates = 0
        self.connected = True
        self._said: deque[str] = deque(maxlen=LINES)

    def take(self, event: Event) -> str | None:
        """Note an event; the line that says it, None for what is of no concern here."""
        match event.data:
            case HrUpdate():
                return self._update(event.data)
            case HrAlert(user=user, kind=kind, bpm=bpm, limit=limit):
                return self._note(user, f"{kind} at {bpm} bpm (limit {limit:g})", "alert: ")
            case HrStale(user=user):
                self._row(user).stale = True
                return f"{self._row(user).name}: silent"
            case HrSummary(user=user, summary=summary):
                average = "-" if summary.avg_bpm is None else f"{summary.avg_bpm:.1f}"
                return self._note(user, f"finished, average {average}, maximum {summary.max_bpm or '-'}")
        if event.type in SAYINGS and event.get("text"):
            return self._hear(event)
        if event.type in {"client.connected", "client.disconnected"}:
            self.connected = event.type == "client.connected"
            return "connected" if self.connected else f"connection lost: {event.get('reason')}"
        return None

    def _row(self, user: str) -> Row:
        if user not in self.rows:
            self.rows[user] = Row(self._names.get(user, user))
        return self.rows[user]

    def _update(self, update: HrUpdate) -> str:
        row = self._row(update.user)
        row.latest, row.stale = update, False
        if update.bpm:
            row.curve.append(update.bpm)
        self.updates += 1
        return f"{row.name}: {' '.join(filter(None, _values(update)))}"

    def _hear(self, event: Event) -> str:
        """Somebody said something: in the chat, or as the coach."""
        speaker = event.get("user") or event.get("by") or ""
        # What people write must not move the cursor of whoever watches.
        text = "".join(each if each.isprintable() else " " for each in event.get("text"))
        line = f"{event.get('name') or self._names.get(speaker, speaker)}: {text}"
        self._said.append(line)
        return line

    def _note(self, user: str, note: str, kind: str = "") -> str:
        row = self._row(user)
        row.note = note
        return f"{row.name}: {kind}{note}"

    def table(self) -> Table:
        """Everybody, by name."""
        lines = list(self._said) if self.connected else ["connection lost, coming back ..."]
        caption = Text("\n".join(lines)) if lines else None
        table = Table(caption=caption, caption_justify="left", expand=False)
        for heading in ("athlete", "bpm", "zone", "% reserve", "RMSSD ms", "curve", "note"):
            right = heading in {"bpm", "zone", "% reserve", "RMSSD ms"}
            table.add_column(heading, justify="right" if right else "left", no_wrap=True)
        for row in sorted(self.rows.values(), key=lambda each: each.name):
            table.add_row(*_cells(row))
        return table


def _values(update: HrUpdate) -> tuple[str, ...]:
    """Heart rate, zone, share of reserve and RMSSD, as far as they are known."""
    if not update.bpm:
        return ("no contact",)
    share = "" if update.hrr_pct is None else f"{update.hrr_pct:.0f} %"
    rmssd = "" if update.rmssd_ms is None else f"RMSSD {update.rmssd_ms:.1f}"
    return (f"{update.bpm} bpm", f"zone {update.zone}", share, rmssd)


def _cells(row: Row) -> tuple[Text, ...]:
    update = row.latest
    if update is None:
        return (Text(row.name), *(Text("-") for _ in range(4)), Text(""), Text(row.note))
    colour = "dim" if row.state else COLOURS[min(update.zone, len(COLOURS) - 1)]
    share = "-" if update.hrr_pct is None else f"{update.hrr_pct:.0f}"
    rmssd = "-" if update.rmssd_ms is None else f"{update.rmssd_ms:.1f}"
    return (
        Text(row.name),
        Text(str(update.bpm or "-"), style=f"bold {colour}"),
        Text(str(update.zone), style=colour),
        Text(share),
        Text(rmssd),
        Text(curve(row.curve, LEAST_BPM), style=colour),
        Text(", ".join(filter(None, (row.state, row.note)))),
    )
