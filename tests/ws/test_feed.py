"""The streams of one socket, and what watchers are shown of them."""

from __future__ import annotations

import json
from uuid import uuid4

import msgspec
import pytest

from fittracker.alerts import AlertLimits
from fittracker.errors import NotFound, TooLarge, Unavailable
from fittracker.heart import Zones
from fittracker.pulse import Pulse
from fittracker.stream import Stream
from tests.ws.lines import End
from ws.feed import MOST_FEEDS, Feed, Feeds, update
from ws.frames import Encoding

T0 = 1_700_000_000_000
ATHLETE = "5f" * 12


def a_stream(session: str | None = None) -> Stream:
    """One that nobody owns."""
    return Stream(
        str(uuid4()),
        ATHLETE,
        session=session,
        stored=0,
        pulse=Pulse(None, AlertLimits()),
        time_zone="UTC",
        heard=0.0,
        owner=None,
    )


def a_feed(end: End, session: str | None = None) -> Feed:
    """An open stream of this socket."""
    feeds = end.connection.feeds = end.connection.feeds or Feeds()
    feed = Feed(end.connection, a_stream(session), feeds.reserve())
    feeds.add(feed)
    return feed


def said(end: End) -> list[dict[str, object]]:
    """The frames that were written, read as JSON; all of them are short ones."""
    end.connection.flush()
    frames, written = [], b"".join(end.line.written)
    while written:
        size = written[1]
        start = 2
        if size == 126:
            size, start = int.from_bytes(written[2:4], "big"), 4
        frames.append(json.loads(written[start : start + size]))
        written = written[start + size :]
    return frames


# -- where a stream is seen, and who is told -----------------------------------------------------------


def test_a_stream_is_seen_in_the_room_of_its_athlete_and_in_that_of_its_session() -> None:
    """Until the athlete leaves the session."""
    end = End(ATHLETE)
    assert a_feed(end).rooms == [f"heart:{ATHLETE}"]
    feed = a_feed(end, "s1")
    assert feed.rooms == [f"heart:{ATHLETE}", "session:s1"]
    feed.leave("session:s1")
    feed.leave("session:s1")
    assert feed.rooms == [f"heart:{ATHLETE}"]


def test_an_acknowledgement_says_how_far_is_stored() -> None:
    """Written by hand for JSON: it is the most frequent frame of all."""
    end = End(ATHLETE)
    feed = a_feed(end)
    feed.stream.stored = 4_711
    feed.acknowledge(feed.stream)
    assert said(end) == [{"type": "hr.ack", "data": {"stream": feed.stream.id, "seq": 4_711}}]


def test_an_acknowledgement_in_msgpack_says_the_same() -> None:
    """In a binary frame."""
    end = End(ATHLETE)
    end.connection.encoding = Encoding.MSGPACK
    feed = a_feed(end)
    feed.stream.stored = 4_711
    feed.acknowledge(feed.stream)
    end.connection.flush()
    (written,) = end.line.written
    assert written[0] == 0x82
    event = msgspec.msgpack.decode(written[2:])
    assert event == {"type": "hr.ack", "data": {"stream": feed.stream.id, "seq": 4_711}}


def test_a_stream_that_was_taken_is_gone_from_the_socket() -> None:
    """By its id and by its handle."""
    end = End(ATHLETE)
    feed, other = a_feed(end), a_feed(end)
    feed.taken(feed.stream)
    assert said(end) == [{"type": "hr.taken", "data": {"stream": feed.stream.id}}]
    feeds: Feeds = end.connection.feeds
    assert list(feeds) == [other]
    with pytest.raises(NotFound):
        feeds.of_stream(feed.stream.id)
    with pytest.raises(NotFound):
        feeds.of_handle(feed.handle)


def test_a_stream_that_is_taken_after_its_socket_went_hurts_nobody() -> None:
    """The socket forgot its streams when it went."""
    end = End(ATHLETE)
    feed = a_feed(end)
    end.connection.close(1000, "")
    end.connection.feeds = None
    feed.taken(feed.stream)
    feed.acknowledge(feed.stream)
    assert said(end) == []


# -- finding -------------------------------------------------------------------------------------------


def test_a_stream_is_found_however_its_id_is_written() -> None:
    """Some devices write capitals; what is no id at all is simply not there."""
    end = End(ATHLETE)
    feed = a_feed(end)
    feeds: Feeds = end.connection.feeds
    for written in (feed.stream.id, feed.stream.id.upper(), feed.stream.id.replace("-", "")):
        assert feeds.of_stream(written) is feed
    for other in ("", "x", str(uuid4())):
        with pytest.raises(NotFound):
            feeds.of_stream(other)


def test_handles_are_given_out_in_turn_and_never_twice_at_once() -> None:
    """A frame that was sent before a stream was closed must not land in the next one: old handles rest."""
    end = End(ATHLETE)
    first = a_feed(end)
    feeds: Feeds = end.connection.feeds
    seen = []
    for _ in range(65_536):
        handle = feeds.reserve()
        assert handle != first.handle
        seen.append(handle)
    assert seen[:3] == [1, 2, 3]
    assert max(seen) == 65_535
    assert len(set(seen)) == 65_535  # all but the one that is in use, and then from the beginning


def test_a_socket_has_so_many_streams() -> None:
    """Dropping one makes room."""
    end = End(ATHLETE)
    feeds_of = [a_feed(end) for _ in range(MOST_FEEDS)]
    feeds: Feeds = end.connection.feeds
    with pytest.raises(TooLarge):
        feeds.reserve()
    feeds.drop(feeds_of[5])
    feeds.drop(feeds_of[5])
    assert feeds.reserve() == MOST_FEEDS


def test_after_a_refused_push_only_that_one_or_an_earlier_one_is_next() -> None:
    """Anything later would be acknowledged over the heads of what is missing."""
    feed = a_feed(End(ATHLETE))
    feed.check_turn(1)
    feed.refused = 100
    for seq in (1, 99, 100):
        feed.check_turn(seq)
    with pytest.raises(Unavailable) as refused:
        feed.check_turn(101)
    assert refused.value.fields == {"seq": "send from 100 on"}


# -- what watchers see ---------------------------------------------------------------------------------


def shown(pulse: Pulse) -> dict[str, object]:
    """The update, which must be JSON although no encoder made it."""
    event = json.loads(update(pulse, ATHLETE.encode(), "heart:x", b"2026-11-23T10:00:00.123Z"))
    assert {name: event[name] for name in ("type", "room", "at")} == {
        "type": "hr.update",
        "room": "heart:x",
        "at": "2026-11-23T10:00:00.123Z",
    }
    data: dict[str, object] = event["data"]
    assert data.pop("user") == ATHLETE
    return data


def test_an_update_shows_what_is_known_and_nothing_else() -> None:
    """Of somebody without age or highest heart rate: no zone, no share of a reserve, no variability."""
    pulse = Pulse(None, AlertLimits())
    pulse.feed(T0, 100)
    assert shown(pulse) == {"t": T0, "bpm": 100, "zone": 0, "hrr_pct": None}


def test_an_update_shows_zone_reserve_variability_and_contact() -> None:
    """With one decimal where there is one."""
    pulse = Pulse(Zones.of_reserve(190, 50), AlertLimits())
    for second in range(40):
        pulse.feed(T0 + second * 1000, 120, [500.0 if second % 2 else 520.0] * 2, contact=True)
    data = shown(pulse)
    assert (data["bpm"], data["hrr_pct"], data["contact"]) == (120, 50.0, True)
    assert data["zone"] == 1
    assert isinstance(data["rmssd_ms"], float)
    assert 5 < data["rmssd_ms"] < 30


def test_an_update_without_contact_shows_no_heart_rate() -> None:
    """Whatever number the sensor sends with it."""
    pulse = Pulse(Zones.of_reserve(190, 50), AlertLimits())
    pulse.feed(T0, 120, None, contact=True)
    pulse.feed(T0 + 1000, 77, None, contact=False)
    assert shown(pulse) == {"t": T0 + 1000, "bpm": 0, "zone": 0, "hrr_pct": None, "contact": False}
