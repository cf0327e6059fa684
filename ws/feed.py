"""The heart-rate streams of one socket: whom to acknowledge, and in which rooms the athlete is seen."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from fittracker.errors import NotFound, TooLarge, Unavailable
from fittracker.pulse import Pulse
from fittracker.stream import Stream
from ws.connection import Connection
from ws.frames import TEXT, Encoding, frame

MOST_FEEDS: Final = 16

SAMPLE: Final = struct.Struct(">HIQ")
BATCH: Final = struct.Struct(">HB")
BATCH_ITEM: Final = struct.Struct(">IQB")


class Feed:
    """One stream on one socket; the `Owner` that telemetry tells what became of the samples."""

    __slots__ = ("_ack", "athlete", "connection", "handle", "refused", "rooms", "stream", "user")

    def __init__(self, connection: Connection, stream: Stream, handle: int) -> None:
        self.connection = connection
        self.stream = stream
        self.handle = handle
        self.refused: int | None = None
        """Where a push began that could not be taken at that moment, and was not sent again yet."""
        self.user = stream.user
        self.athlete = stream.user.encode()
        self.rooms = [f"heart:{stream.user}"]
        if stream.session is not None:
            self.rooms.append(f"session:{stream.session}")
        self._ack = b'{"type":"hr.ack","data":{"stream":"%b","seq":' % stream.id.encode()

    def leave(self, room: str) -> None:
        """The athlete is not seen in this room any more."""
        if room in self.rooms:
            self.rooms.remove(room)

    def check_turn(self, seq: int) -> None:
        """Unavailable for a push from `seq` on, while an earlier one is owed.

        Acknowledging the later one would say that the earlier one is stored, too.
        """
        if self.refused is not None and seq > self.refused:
            raise Unavailable(
                "A push before this one was refused: send that again first, or open the stream again.",
                fields={"seq": f"send from {self.refused} on"},
                retry_after_ms=1_000,
            )

    def acknowledge(self, stream: Stream) -> None:
        """Everything up to `stream.stored` is on the disks of a majority."""
        connection = self.connection
        if connection.encoding is Encoding.JSON:
            # At once: a flush has one for each socket, and nothing comes that it could be joined with.
            connection.pass_on(frame(TEXT, b"%b%d}}" % (self._ack, stream.stored)))
        else:
            connection.tell("hr.ack", {"stream": stream.id, "seq": stream.stored})

    def taken(self, stream: Stream) -> None:
        """Another connection owns the stream now."""
        feeds = self.connection.feeds
        if feeds is not None:
            feeds.drop(self)
        self.connection.tell("hr.taken", {"stream": stream.id})


class Feeds:
    """The open streams of a socket, by their id (JSON) and by their handle (binary frames)."""

    __slots__ = ("_by_handle", "_by_stream", "_next")

    def __init__(self) -> None:
        self._by_stream: dict[str, Feed] = {}
        self._by_handle: dict[int, Feed] = {}
        self._next = 0

    def __iter__(self) -> Iterator[Feed]:
        """All of them; they may be dropped on the way."""
        return iter(tuple(self._by_stream.values()))

    def find(self, stream_id: str) -> Feed | None:
        """The feed of this stream, if this socket owns it."""
        return self._by_stream.get(stream_id)

    def of_stream(self, stream_id: str) -> Feed:
        """The same; NotFound where it was not opened here, or was taken."""
        feed = self._by_stream.get(stream_id) or self._by_stream.get(_canonical(stream_id))
        if feed is None:
            raise NotFound("Open this stream first; another connection may have taken it.")
        return feed

    def of_handle(self, handle: int) -> Feed:
        """The feed that a binary frame speaks of; NotFound as above."""
        feed = self._by_handle.get(handle)
        if feed is None:
            raise NotFound("Open this stream first; another connection may have taken it.")
        return feed

    def reserve(self) -> int:
        """The next free handle, 0..65535."""
        if len(self._by_stream) >= MOST_FEEDS:
            raise TooLarge(f"A connection may have {MOST_FEEDS} open streams.")
        while self._next in self._by_handle:
            self._next = (self._next + 1) % 65_536
        handle, self._next = self._next, (self._next + 1) % 65_536
        return handle

    def add(self, feed: Feed) -> None:
        """A stream was opened here."""
        self._by_stream[feed.stream.id] = feed
        self._by_handle[feed.handle] = feed

    def drop(self, feed: Feed) -> None:
        """It was closed here, or taken elsewhere."""
        self._by_stream.pop(feed.stream.id, None)
        self._by_handle.pop(feed.handle, None)


def _canonical(stream_id: str) -> str:
    """A UUID as we write it: some devices use capitals."""
    try:
        return str(UUID(stream_id))
    except ValueError:
        return stream_id


def update(pulse: Pulse, athlete: bytes, room: str, at: bytes) -> bytes:
    """`hr.update` as JSON; written out by hand, because this is made for every sample and room."""
    share = b"null" if pulse.hrr_pct is None else b"%.1f" % pulse.hrr_pct
    more = b"" if pulse.rmssd_ms is None else b',"rmssd_ms":%.1f' % pulse.rmssd_ms
    if pulse.contact is not None:
        more += b',"contact":true' if pulse.contact else b',"contact":false'
    return (
        b'{"type":"hr.update","room":"%b","at":"%b","data":'
        b'{"user":"%b","t":%d,"bpm":%d,"zone":%d,"hrr_pct":%b%b}}'
        % (room.encode(), at, athlete, pulse.t, pulse.bpm, pulse.zone, share, more)
    )
