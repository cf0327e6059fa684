"""The audit log: what is recorded is stored, in one chain, however many write at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from fittracker import audit as module
from fittracker.audit import Audit
from fittracker.audit_chain import Fault, Head
from fittracker.audit_keeping import AuditKeeping
from fittracker.caller import SYSTEM, Caller
from fittracker.contexts import Contexts
from fittracker.errors import BadRequest, Conflict
from fittracker.ids import new_id
from fittracker.mongo import Session, transact
from tests.moving_clock import MovingClock


def caller(user: str | None = None) -> Caller:
    """Somebody somewhere."""
    return Caller(user or new_id(), "192.0.2.7", new_id(), "Firefox")


async def intact(contexts: Contexts) -> Head:
    """The head of a log in which all is well."""
    found = await contexts.audit_keeping.verify()
    assert isinstance(found, Head), found
    return found


async def test_an_entry_says_who_did_what_to_whom_from_where_and_when(contexts: Contexts) -> None:
    """The address and the id of the request with it."""
    anna, bob = new_id(), new_id()
    who, before = caller(anna), contexts.clock.utc()
    await contexts.audit.record("role.changed", who, target=bob, role="trainer")
    (entry,) = (await contexts.audit_reading.page({"actor": anna}, None, None, 10, None))[0]
    assert before <= entry["at"] <= contexts.clock.utc()
    expected = {
        "event": "role.changed",
        "actor": anna,
        "target": bob,
        "address": "192.0.2.7",
        "request": who.request,
        "detail": {"role": "trainer"},
    }
    assert {name: entry[name] for name in expected} == expected
    await intact(contexts)


async def test_two_workers_at_once_make_one_chain(contexts: Contexts, other: Contexts) -> None:
    """Alone, in transactions, and as notes that nobody waits for: every one is there, once, in one order."""
    before = (await intact(contexts)).seq
    database = contexts.database

    async def in_transaction(worker: Contexts, number: int) -> None:
        async def work(session: Session) -> None:
            await worker.audit.record("email.changed", SYSTEM, session=session, n=number)

        await transact(worker.database, work)

    work: list[Any] = []
    for number in range(40):
        for worker in (contexts, other):
            work.append(worker.audit.record("login.succeeded", SYSTEM, n=number))
            worker.audit.note("access.denied", SYSTEM, n=number)
        if number < 5:
            work += [in_transaction(contexts, number), in_transaction(other, number)]
    await asyncio.gather(*work)
    await contexts.audit.record("login.succeeded", SYSTEM)
    await other.audit.record("login.succeeded", SYSTEM)
    assert (await intact(contexts)).seq == before + 4 * 40 + 10 + 2
    for event, count in (("login.succeeded", 82), ("access.denied", 80), ("email.changed", 10)):
        assert await database.audit.count_documents({"_id": {"$gt": before}, "event": event}) == count


async def test_what_is_undone_is_not_in_the_log(contexts: Contexts) -> None:
    """The entry is a part of the transaction."""
    before = await intact(contexts)

    async def work(session: Session) -> None:
        await contexts.audit.record("password.changed", SYSTEM, session=session)
        raise Conflict("no")

    with pytest.raises(Conflict):
        await transact(contexts.database, work)
    assert await intact(contexts) == before


async def test_an_event_nobody_knows_is_a_mistake_of_ours(contexts: Contexts) -> None:
    """It shows in the first test that causes it."""
    with pytest.raises(ValueError, match="party is no event"):
        await contexts.audit.record("party", SYSTEM)


async def test_a_flood_of_notes_is_cut_short(
    contexts: Contexts, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody waits for is written all the same."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    before = (await intact(contexts)).seq
    audit = Audit(contexts.database, clock)
    dropped = module.unrecorded._value.get()
    for _ in range(10):
        audit.note("access.denied", SYSTEM)
    async with audit.running():
        await audit.record("login.succeeded", SYSTEM)
    assert module.unrecorded._value.get() == dropped + 7
    assert (await intact(contexts)).seq == before + 4


async def test_the_end_of_a_worker_loses_no_entry(contexts: Contexts, clock: MovingClock) -> None:
    """What still waits is written before it ends."""
    before = (await intact(contexts)).seq
    audit = Audit(contexts.database, clock)
    async with audit.running():
        for _ in range(1_200):
            audit.note("access.denied", SYSTEM)
    assert (await intact(contexts)).seq == before + 1_200


async def test_who_waits_is_told_when_nothing_can_be_written(contexts: Contexts, clock: MovingClock) -> None:
    """And the next one may succeed."""
    audit = Audit(contexts.database, clock)
    entry = {"detail": {"x": object()}}
    async with audit.running():
        with pytest.raises(TypeError):
            await audit.record("login.succeeded", SYSTEM, **entry["detail"])
        await audit.record("login.succeeded", SYSTEM)


# -- reading -------------------------------------------------------------------------------------------


async def test_a_page_holds_what_matches_newest_first(contexts: Contexts, clock: MovingClock) -> None:
    """By any filter, by time, and page by page."""
    anna = new_id()
    who = caller(anna)
    began = contexts.clock.utc()
    for number in range(5):
        await contexts.audit.record("login.succeeded", who, n=number)
        clock.advance(600)
    page = contexts.audit_reading.page

    async def numbers(*args: Any) -> list[int]:
        return [each["detail"]["n"] for each in (await page(*args))[0]]

    assert await numbers({"actor": anna}, None, None, 100, None) == [4, 3, 2, 1, 0]
    assert await numbers({"actor": anna, "event": "login.failed"}, None, None, 100, None) == []
    assert await numbers({"address": who.address, "actor": anna}, None, None, 2, None) == [4, 3]
    middle = began + timedelta(minutes=10), began + timedelta(minutes=30)
    assert await numbers({"actor": anna}, *middle, 100, None) == [2, 1]
    assert await numbers({"request": who.request}, began + timedelta(hours=2), None, 100, None) == []
    assert await numbers({"request": who.request}, None, began - timedelta(hours=2), 100, None) == []
    seen: list[int] = []
    cursor = None
    while True:
        found, cursor = await page({"actor": anna}, began, None, 2, cursor)
        seen += [each["detail"]["n"] for each in found]
        if cursor is None:
            break
    assert seen == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("cursor", ["x", "-1", "1.0", "", "9" * 40, "１"])
async def test_a_forged_cursor_is_refused(contexts: Contexts, cursor: str) -> None:
    """It is no number of ours."""
    with pytest.raises(BadRequest):
        await contexts.audit_reading.page({}, None, None, 10, cursor)


# -- keeping -------------------------------------------------------------------------------------------


async def test_what_is_old_goes_and_the_rest_still_verifies(
    contexts: Contexts, other: Contexts, clock: MovingClock
) -> None:
    """Two workers prune at once, as they do; a head noted before is found, one that is gone is no fault."""
    for _ in range(3):
        await contexts.audit.record("login.succeeded", SYSTEM)
    gone = await intact(contexts)
    clock.advance(200 * 86_400)
    await contexts.audit.record("login.succeeded", SYSTEM)
    kept = await intact(contexts)
    clock.advance(201 * 86_400)
    removed = await asyncio.gather(contexts.audit_keeping.prune(), other.audit_keeping.prune())
    assert sum(removed) == gone.seq
    assert (await contexts.database.audit.find_one(sort=[("_id", 1)]) or {})["_id"] == kept.seq
    head = await intact(contexts)
    assert head.seq - kept.seq == await contexts.database.audit.count_documents({"event": "audit.pruned"}) > 0
    assert await contexts.audit_keeping.verify(kept) == head
    assert await contexts.audit_keeping.verify(gone) == head
    assert await contexts.audit_keeping.verify(Head(kept.seq, "0" * 64)) == Fault(
        kept.seq, "is not the one that was noted"
    )
    assert await contexts.audit_keeping.prune() == 0


async def test_the_newest_entry_is_never_removed(contexts: Contexts, clock: MovingClock) -> None:
    """Something has to be there for the next one to follow."""
    await contexts.audit.record("login.succeeded", SYSTEM)
    clock.advance(5_000 * 86_400)
    await contexts.audit_keeping.prune()
    assert await contexts.database.audit.count_documents({}) >= 1
    await contexts.audit.record("login.succeeded", SYSTEM)
    await intact(contexts)


async def test_F7_removing_the_beginning_is_found_whoever_moves_the_mark(contexts: Contexts) -> None:
    """Somebody deletes old entries and writes down that the log begins later."""
    for _ in range(4):
        await contexts.audit.record("login.succeeded", SYSTEM)
    database, before = contexts.database, await contexts.database.audit_start.find_one({"_id": "start"})
    entries = await database.audit.find(sort=[("_id", 1)]).to_list()
    removed = entries[:-2]
    await database.audit.delete_many({"_id": {"$lte": removed[-1]["_id"]}})
    mark = {"seq": removed[-1]["_id"], "hash": removed[-1]["hash"]}
    await database.audit_start.replace_one({"_id": "start"}, mark, upsert=True)
    assert await contexts.audit_keeping.verify() == Fault(mark["seq"], "was removed by nobody")
    await database.audit.insert_many(removed)
    await database.audit_start.delete_one({"_id": "start"})
    if before is not None:
        await database.audit_start.insert_one(before)
    await intact(contexts)


async def test_the_head_is_logged_when_it_has_moved(contexts: Contexts) -> None:
    """Whoever keeps the logs keeps a copy of the seal."""
    await contexts.audit.record("login.succeeded", SYSTEM)
    keeping = AuditKeeping(contexts.database, contexts.audit, contexts.clock, days=400)
    with capture_logs() as logs:
        await keeping.announce()
        await keeping.announce()
    assert [each["head"] for each in logs] == [str(await intact(contexts))]
