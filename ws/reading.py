"""How far a worker has read the log of one room: in order, each event once, no hole passed over silently."""

from __future__ import annotations

from collections.abc import Callable

from fittracker.roomlog.record import Place
from ws.connection import Connection

Emit = Callable[[bytes], None]
Tell = Callable[[Place], None]


class Reading:
    """One room. Events go to `emit` in their order; `tell` is called where some cannot be had any more.

    Until the place is known (`begin`), and while events are missing before them, events are held.
    """

    __slots__ = ("_emit", "_recent", "_tell", "ahead", "epochs", "healing", "held", "joining", "place")

    def __init__(self, emit: Emit, tell: Tell) -> None:
        self._emit = emit
        self._tell = tell
        self.place: Place | None = None
        self.held: dict[int, tuple[str, bytes]] = {}
        self.ahead = 0
        """The highest number that is known to exist."""
        self.epochs: set[str] = set()
        """Those that were heard of while the place is not known."""
        self.healing = False
        self.joining: set[Connection] = set()
        """Who is just coming in: they are told what was said with their answer, and not before it."""
        self._recent: list[tuple[int, bytes]] = []

    # -- what comes in -------------------------------------------------------------------------------

    def hear(self, place: Place, payload: bytes) -> None:
        """An event came, in whatever order."""
        now = self.place
        if now is None:
            self.epochs.add(place.epoch)
            self.held[place.seq] = (place.epoch, payload)
        elif place.epoch != now.epoch:
            # The word of the new epoch was lost on its way.
            self.renew(Place(place.epoch, place.seq - 1))
            self.hear(place, payload)
        elif place.seq == now.seq + 1:
            self._pass(place, payload)
            self._drain()
        elif place.seq > now.seq:
            self.held[place.seq] = (place.epoch, payload)
            self.ahead = max(self.ahead, place.seq)

    def renew(self, place: Place) -> None:
        """The room has a new epoch, or goes on from there after a hole that nobody can fill: tell so."""
        if self.place is None:
            self.epochs.add(place.epoch)
            return  # nobody has been told of an older one
        self._set(place)
        self._tell(place)
        self._drain()

    def begin(self, place: Place) -> None:
        """Where the room is now, for whoever comes first. What has come meanwhile follows."""
        if self.place is None:
            self._set(place)
            self._drain()

    def reach(self, place: Place) -> None:
        """The room was seen to be there: what lies between is missing."""
        if self.place is None:
            self.begin(place)
        elif place.epoch != self.place.epoch:
            self.renew(place)
        else:
            self.ahead = max(self.ahead, place.seq)

    @property
    def missing(self) -> tuple[int, int] | None:
        """The first hole: the numbers from its first to its last event."""
        if self.place is None:
            return None
        first = self.place.seq + 1
        last = min(self.held, default=self.ahead + 1) - 1
        return (first, last) if first <= last else None

    # -- whoever is just coming in -------------------------------------------------------------------

    def since(self, seq: int) -> list[bytes]:
        """What was passed on after that number since somebody began to come in."""
        return [payload for number, payload in self._recent if number > seq]

    def arrived(self, connection: Connection) -> None:
        """Somebody has come in, or has given up."""
        self.joining.discard(connection)
        if not self.joining:
            self._recent.clear()

    # -- inside --------------------------------------------------------------------------------------

    def _set(self, place: Place) -> None:
        self.place = place
        self.ahead = place.seq
        self.epochs.clear()
        self._recent.clear()
        self.held = {
            seq: (epoch, payload)
            for seq, (epoch, payload) in self.held.items()
            if epoch == place.epoch and seq > place.seq
        }

    def _pass(self, place: Place, payload: bytes) -> None:
        self.place = place
        self.ahead = max(self.ahead, place.seq)
        if self.joining:
            self._recent.append((place.seq, payload))
        self._emit(payload)

    def _drain(self) -> None:
        while self.place is not None and (found := self.held.pop(self.place.seq + 1, None)) is not None:
            self._pass(Place(self.place.epoch, self.place.seq + 1), found[1])
