"""Heart rate on the socket: open, push, close, watch, and the binary frames of devices that count bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from fittracker import ble
from fittracker.errors import Failure, Invalid, NotFound, RateLimited, Unavailable
from fittracker.observability import logger
from fittracker.policy import SIGNED_IN, Policy
from fittracker.pulse import Alert
from fittracker.stream import Owner, Sample, Stream
from fittracker.workouts import empty_summary
from ws.commands import NOTHING, Nothing, command
from ws.connection import Connection
from ws.feed import BATCH, BATCH_ITEM, SAMPLE, Feed, Feeds, update
from ws.fields import Id
from ws.heart_events import EVENTS as EVENTS
from ws.realtime import Realtime
from ws.sender import identity_of, user_of

log = logger(__name__)

BY_DEVICE: Final = Policy("signed in", scope="telemetry:write")
BINARY_KINDS: Final = frozenset({b"\x01", b"\x02"})
MOST_SAMPLES: Final = 300

Text = Annotated[str, Meta(min_length=1, max_length=100)]


class Device(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What sends: a name for people, and a kind such as "chest strap"."""

    name: Text
    kind: Text | None = None


class HrOpen(msgspec.Struct, forbid_unknown_fields=True):
    """The stream's id is the device's to choose, once a recording; the same id resumes it."""

    stream: UUID
    device: Device | None = None
    session: Id | None = None
    sport: Text | None = None


class HrOpened(msgspec.Struct):
    """`acked`: the highest stored seq, 0 for none; what lies at or below need not be sent again."""

    stream: str
    handle: int
    acked: int
    zones: list[list[int]]
    alerts: dict[str, Any]


class HrPush(msgspec.Struct, forbid_unknown_fields=True):
    """1 to 300 samples with increasing seq."""

    stream: str
    samples: Annotated[list[Sample], Meta(min_length=1, max_length=MOST_SAMPLES)]


class HrClose(msgspec.Struct, forbid_unknown_fields=True):
    """The stream to end."""

    stream: UUID


class HrClosed(msgspec.Struct):
    """The workout it became; null where it never had a sample."""

    workout: str | None
    summary: dict[str, Any]


class Athlete(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to watch."""

    user: Id


# -- opening and closing -----------------------------------------------------------------------------


@command("hr.open", HrOpen, HrOpened, policy=BY_DEVICE)
async def hr_open(realtime: Realtime, connection: Connection, data: HrOpen) -> HrOpened:
    """Begin a heart-rate stream, or go on with one after a reconnect: what is stored is told in `acked`.

    With `session`, the members of that coaching session see it too.
    """
    user = user_of(connection)
    contexts = realtime.contexts
    entered = await _enter(realtime, data, user)
    if connection.feeds is None:
        connection.feeds = Feeds()
    feeds: Feeds = connection.feeds
    stream_id = str(data.stream)
    physiology = await contexts.users.physiology(user, data.sport)
    existing = feeds.find(stream_id)
    handle = existing.handle if existing else feeds.reserve()
    # Opening again what is open here takes it from nobody; should it be refused, all stays as it is.
    owner = existing or _Opening(connection)
    stream = await realtime.telemetry.open(
        stream_id,
        user,
        physiology,
        session=data.session,
        sport=data.sport,
        device=msgspec.to_builtins(data.device) if data.device else None,
        owner=owner,
        connection=connection.id,
    )
    if stream.session and not entered and not await contexts.coaching.belongs(stream.session, user):
        stream.session = None  # the athlete has left it: the recording goes on and is not shown there
    stream.heard = realtime.wheel.now
    if stream.owner is owner:
        feed = Feed(connection, stream, handle)
        # The socket may have closed while the stream was being opened.
        stream.owner = feed if connection.open else None
        feeds.add(feed)
    zones = physiology.zones.bounds if physiology.zones else []
    return HrOpened(stream_id, handle, stream.stored, zones, physiology.limits.as_dict())


async def _enter(realtime: Realtime, data: HrOpen, user: str) -> bool:
    """Go into the session that a device names; False where it names none, or had to leave it on the way.

    NotFound for a session that neither the athlete nor the recording was ever in.
    """
    if data.session is None:
        return False
    if await realtime.contexts.coaching.enter(data.session, user):
        return True
    if await realtime.telemetry.begun_in(data.session, str(data.stream), user):
        return False
    raise NotFound("There is no such session.")


class _Opening:
    """Owns a stream between the moment it is claimed and the moment its feed exists."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def acknowledge(self, stream: Stream) -> None:
        """Nothing to say yet: the reply tells how far the stream is stored."""

    def taken(self, stream: Stream) -> None:
        """A third connection was quicker."""
        self._connection.tell("hr.taken", {"stream": stream.id})


@command("hr.close", HrClose, HrClosed, policy=BY_DEVICE)
async def hr_close(realtime: Realtime, connection: Connection, data: HrClose) -> HrClosed:
    """End a stream: what was accepted is stored, the workout made, its summary told. Twice is the same."""
    user = user_of(connection)
    stream_id = str(data.stream)
    feed: Feed | None = connection.feeds.find(stream_id) if connection.feeds else None
    if feed is None:
        workout = await realtime.contexts.workouts.of_closed_stream(stream_id, user)
    else:
        workout = await end_stream(realtime, feed.stream, feed)
        connection.feeds.drop(feed)
    if workout is None:
        return HrClosed(None, empty_summary())
    return HrClosed(workout["_id"], workout["summary"])


async def end_stream(realtime: Realtime, stream: Stream, owner: Owner | None) -> dict[str, Any] | None:
    """Store what waits, make the workout, tell whoever watches; the workout.

    NotFound where it is not this owner's any more once everything is stored.
    """
    await realtime.telemetry.store(stream)
    if stream.owner is not owner:
        raise NotFound("Another connection has taken this stream.")
    workout = await realtime.contexts.workouts.finish(stream.id, stream.user)
    realtime.telemetry.forget(stream, owner)
    if workout is not None:
        data = {"user": stream.user, "workout": workout["_id"], "summary": workout["summary"]}
        for room in _rooms(stream.user, stream.session):
            realtime.hub.publish(room, realtime.event("hr.summary", room, data), about=stream.user)
    return workout


def _rooms(user: str, session: str | None) -> list[str]:
    return [f"heart:{user}", *([f"session:{session}"] if session else [])]


# -- pushing -----------------------------------------------------------------------------------------


@command("hr.push", HrPush, Nothing, policy=BY_DEVICE, own_limit=True)
def hr_push(realtime: Realtime, connection: Connection, data: HrPush) -> Nothing:
    """Send samples; `hr.ack` follows once they are stored. Repeating is harmless, usually without `id`."""
    if connection.feeds is None:
        raise NotFound("Open this stream first.")
    feed = connection.feeds.of_stream(data.stream)
    _push(realtime, connection, feed, data.samples)
    return NOTHING


def push_binary(realtime: Realtime, connection: Connection, payload: bytes) -> None:
    """`0x01 | handle | seq | t | payload` or `0x02 | handle | n | n x (seq | t | len | payload)`.

    Big endian; the payloads are those of BLE's Heart Rate Measurement (0x2A37).
    """
    identity_of(connection)
    if connection.feeds is None:
        raise NotFound("Open this stream first.")
    if payload[0] == 1:
        if len(payload) <= SAMPLE.size + 1:
            raise Invalid("The binary frame is cut.")
        handle, seq, t = SAMPLE.unpack_from(payload, 1)
        measured = ble.decode(payload[1 + SAMPLE.size :])
        sample = Sample(seq, t, measured.bpm, measured.rr or None, measured.contact)
        _push(realtime, connection, connection.feeds.of_handle(handle), (sample,))
        return
    if len(payload) < 1 + BATCH.size:
        raise Invalid("The binary frame is cut.")
    handle, count = BATCH.unpack_from(payload, 1)
    if not count:
        raise Invalid("The binary batch is empty.")
    feed = connection.feeds.of_handle(handle)
    _push(realtime, connection, feed, list(_batch(payload, count)))


def _batch(payload: bytes, count: int) -> Iterator[Sample]:
    place = 1 + BATCH.size
    for _ in range(count):
        if place + BATCH_ITEM.size > len(payload):
            raise Invalid("The binary batch is cut.")
        seq, t, size = BATCH_ITEM.unpack_from(payload, place)
        place += BATCH_ITEM.size
        if place + size > len(payload):
            raise Invalid("The binary batch is cut.")
        measured = ble.decode(payload[place : place + size])
        place += size
        yield Sample(seq, t, measured.bpm, measured.rr or None, measured.contact)
    if place != len(payload):
        raise Invalid("The binary batch has a tail.")


def _push(realtime: Realtime, connection: Connection, feed: Feed, samples: Sequence[Sample]) -> None:
    """Accept samples of one stream, show the newest to whoever watches, and give the alerts they set off."""
    _check(realtime, connection, feed, samples)
    stream = feed.stream
    seen = stream.pulse.t
    alerts = realtime.telemetry.accept(stream, samples)
    if alerts is None:
        realtime.telemetry.repeat_ack(stream)
        return
    stream.heard = realtime.wheel.now
    if stream.pulse.t != seen:
        hub = realtime.hub
        for room in feed.rooms:
            if hub.listened(room):
                payload = update(stream.pulse, feed.athlete, room, realtime.at())
                hub.telemetry(room, feed.user, payload)
    for alert in alerts:
        tell_alert(realtime, feed.rooms, feed.user, alert)


def _check(realtime: Realtime, connection: Connection, feed: Feed, samples: Sequence[Sample]) -> None:
    """Look at all before one is accepted: a push that is refused changes nothing."""
    telemetry = realtime.telemetry
    if feed.refused is not None:
        feed.check_turn(samples[0].seq)
    try:
        connection.spend(realtime.wheel.now, 0, len(samples))
        telemetry.check_room()
    except (RateLimited, Unavailable):
        feed.refused = samples[0].seq
        raise
    telemetry.check(samples)
    feed.refused = None


def tell_alert(realtime: Realtime, rooms: Sequence[str], user: str, alert: Alert) -> None:
    """`hr.alert` to whoever watches."""
    data = {"user": user, **msgspec.to_builtins(alert)}
    for room in rooms:
        realtime.hub.publish(room, realtime.event("hr.alert", room, data))


# -- watching ----------------------------------------------------------------------------------------


@command("hr.watch", Athlete, Nothing, policy=SIGNED_IN)
async def hr_watch(realtime: Realtime, connection: Connection, data: Athlete) -> Nothing:
    """See a heart rate live: one's own, one that is public, with a grant, or in a session one shares."""
    watcher = user_of(connection)

    async def check() -> None:
        if not await realtime.may_watch(watcher, data.user):
            raise NotFound("There is nobody of that name to watch.")

    room = f"heart:{data.user}"
    await realtime.enter(connection, room, check, partial(realtime.join, connection, room))
    return NOTHING


@command("hr.unwatch", Athlete, Nothing, policy=SIGNED_IN)
def hr_unwatch(realtime: Realtime, connection: Connection, data: Athlete) -> Nothing:
    """Stop watching."""
    realtime.hub.leave(connection, f"heart:{data.user}")
    return NOTHING


# -- time --------------------------------------------------------------------------------------------


def let_go(connection: Connection) -> None:
    """The socket is gone: its streams go on without an owner, until they are resumed or fall silent."""
    feeds: Feeds | None = connection.feeds
    for feed in feeds or ():
        if feed.stream.owner is feed:
            feed.stream.owner = None


def notice_lost(realtime: Realtime, now: float) -> None:
    """A device may say once that contact is lost and then nothing: the alert comes all the same."""
    for stream in realtime.telemetry.streams.values():
        pulse = stream.pulse
        if pulse.contact is False:
            silent_ms = int((now - stream.heard) * 1000)
            for alert in pulse.silence(pulse.t + silent_ms):
                tell_alert(realtime, _rooms(stream.user, stream.session), stream.user, alert)


async def end_silent(realtime: Realtime) -> None:
    """End the streams of this worker that have been silent for 10 min, then those that nobody owns."""
    for stream in realtime.telemetry.silent(realtime.wheel.now, realtime.settings.hr_idle_s):
        try:
            await _end_silent(realtime, stream)
        except Failure as failure:
            # One that cannot be ended, or was taken at this moment, must not keep the others open.
            log.warning("silent_stream_left", stream=stream.id, reason=failure.detail)
    await realtime.telemetry.say_seen()
    for workout in await realtime.contexts.workouts.finish_silent():
        user = workout["user"]
        data = {"user": user, "workout": workout["_id"], "summary": workout["summary"]}
        for room in _rooms(user, workout["session"]):
            realtime.hub.publish(room, realtime.event("hr.summary", room, data), about=user)


async def _end_silent(realtime: Realtime, stream: Stream) -> None:
    if not await realtime.telemetry.current(stream):
        realtime.telemetry.let_go(stream.id)  # it goes on elsewhere, and nobody could tell us
        return
    owner = stream.owner
    if isinstance(owner, Feed) and owner.connection.feeds is not None:
        owner.connection.feeds.drop(owner)
    await end_stream(realtime, stream, owner)
