"""Events that are rewritten: what is recovered is what is there now, and nobody loses their place."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pymongo.errors import AutoReconnect
from redis.asyncio import Redis

from fittracker.mongo import Database
from fittracker.roomlog.log import Confirmed, RoomLog
from fittracker.roomlog.record import Entry, Place
from fittracker.roomlog.window import Window, window_key

KIND = "chat.message"


async def say(log: RoomLog, room: str, text: str) -> Confirmed:
    """Something durable."""
    return await log.say(room, KIND, {"text": text}, by="a" * 24, client_id=text)


def texts(entries: list[Entry] | None) -> list[str]:
    """What was said."""
    assert entries is not None
    return [json.loads(each.record.data)["text"] for each in entries]


async def rewrite(log: RoomLog, event: str, text: str, **more: Any) -> bool:
    """Let an event say something else."""
    kept = await log.amendments.find(event)
    assert kept is not None
    return await log.amendments.rewrite(kept, {"text": text}, **more)


async def test_whoever_recovers_a_room_gets_what_is_there_now(
    log: RoomLog, other: RoomLog, room: str, redis: Redis
) -> None:
    """In its old place, on every worker; the window holds the rest, and MongoDB fills the hole."""
    said = [await say(log, room, text) for text in "abc"]
    assert await rewrite(log, said[1].id, "B")
    assert await redis.xlen(window_key(room)) == 2
    recovered = await other.recover(room, Place(said[0].place.epoch, 0))
    assert texts(recovered.entries) == ["a", "B", "c"]
    assert [each.place.seq for each in recovered.entries or ()] == [1, 2, 3]


async def test_what_is_only_in_the_window_yet_is_recovered_beside_what_has_left_it(
    log: RoomLog, other: RoomLog, room: str, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that waits for MongoDB, behind one that was deleted: both are told, in order."""
    said = [await say(log, room, text) for text in "ab"]
    assert await rewrite(log, said[0].id, "A")

    async def away(*_: Any) -> Any:
        raise AutoReconnect("nobody there")

    with monkeypatch.context() as unreachable:
        unreachable.setattr(log.archive, "store", away)
        waiting = asyncio.ensure_future(say(log, room, "c"))
        while (await log.head(room)).seq < 3:
            await asyncio.sleep(0.01)
        recovered = await other.recover(room, Place(said[0].place.epoch, 0))
        assert texts(recovered.entries) == ["A", "b", "c"]
    assert (await waiting).place.seq == 3


async def test_of_two_changes_at_once_one_sees_the_other(log: RoomLog, room: str) -> None:
    """Whoever has seen an older version is told so, and nothing is undone."""
    said = await say(log, room, "a")
    seen = await log.amendments.find(said.id)
    assert seen is not None
    assert await log.amendments.rewrite(seen, {"text": "b"})
    assert not await log.amendments.rewrite(seen, {"text": "c"})
    assert not await log.amendments.lay_over(seen, b"x", ["a" * 24])
    now = await log.amendments.find(said.id)
    assert now is not None
    assert (json.loads(now.entry.record.data), now.overlay, now.version) == ({"text": "b"}, None, 1)


async def test_what_lies_over_an_event_goes_with_it(log: RoomLog, room: str, database: Database) -> None:
    """An edit leaves it, a deletion does not; readers who go on do not fetch it."""
    said = await say(log, room, "a")
    kept = await log.amendments.find(said.id)
    assert kept is not None
    assert await log.amendments.lay_over(kept, b"over", ["a" * 24])
    assert await rewrite(log, said.id, "b")
    kept = await log.amendments.find(said.id)
    assert kept is not None
    assert kept.overlay == b"over"
    assert await rewrite(log, said.id, "c", bare=True)
    stored = await database.room_events.find_one({"_id": said.id})
    assert stored is not None
    assert not {"overlay", "people"} & stored.keys()
    assert texts(await log.archive.before(room, KIND, None, 5)) == ["c"]


async def test_a_worker_that_dies_in_between_has_changed_nothing(
    log: RoomLog, room: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window has let go of it already, MongoDB says the same as before."""
    said = await say(log, room, "a")

    async def dies(*_: Any, **__: Any) -> bool:
        raise AutoReconnect("gone")

    with monkeypatch.context() as dying:
        dying.setattr(log.archive, "rewrite", dies)
        with pytest.raises(AutoReconnect):
            await rewrite(log, said.id, "b")
    assert await redis.xlen(window_key(room)) == 0
    recovered = await log.recover(room, Place(said.place.epoch, 0))
    assert texts(recovered.entries) == ["a"]
    assert await rewrite(log, said.id, "b")
    assert (await say(log, room, "a")).place == said.place, "sent again, it is the same event"


async def test_an_event_that_is_just_being_stored_is_found(
    log: RoomLog, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is heard some milliseconds before; what never was is not found a little later either."""
    said = await say(log, room, "a")
    find, tries = log.archive.find, 0

    async def late(event: str) -> Any:
        nonlocal tries
        tries += 1
        return await find(event) if tries > 2 else None

    monkeypatch.setattr(log.archive, "find", late)
    assert await log.amendments.find(said.id) is not None
    assert await log.amendments.find("f" * 24) is None
