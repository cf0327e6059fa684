"""Reports, as the contexts see them; the stories are in tests/handlers/test_people.py."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.caller import Caller
from fittracker.contexts import Contexts
from fittracker.errors import Conflict, Invalid, NotFound, RateLimited
from fittracker.ids import new_id
from fittracker.mongo import Document
from fittracker.reports import MOST_A_DAY, STATES
from tests.fittracker.auth.conftest import Settle
from tests.moving_clock import MovingClock


def by(person: Document) -> Caller:
    """This person, from somewhere."""
    return Caller(person["_id"], "192.0.2.7", "request")


async def made(contexts: Contexts, reporter: Document) -> list[Document]:
    """What this person has reported, newest first."""
    every, _ = await contexts.reports.page(None, None, 100)
    return [each for each in every if each["reporter"] == reporter["_id"]]


async def audited(contexts: Contexts, event: str, target: str) -> list[Document]:
    """What the audit log has of it."""
    return await contexts.database.audit.find({"event": event, "target": target}, sort=[("_id", 1)]).to_list()


async def test_fifty_of_the_same_complaint_at_once_are_one(contexts: Contexts, settle: Settle) -> None:
    """And one line of the audit log, which names who, about whom and why, and not what was written."""
    anna, ben = await settle(), await settle("Ben")
    make = contexts.reports.make
    await asyncio.gather(
        *(make(ben["_id"], "harassment", "He wrote to me\nall night.", by(anna)) for _ in range(50))
    )
    (report,) = await made(contexts, anna)
    assert (report["user"], report["user_name"], report["reporter_name"]) == (ben["_id"], "Ben", "Anna")
    assert (report["state"], report["text"]) == ("open", "He wrote to me\nall night.")
    (line,) = await audited(contexts, "report.made", ben["_id"])
    assert (line["actor"], line["address"]) == (anna["_id"], "192.0.2.7")
    assert line["detail"] == {"report": report["_id"], "reason": "harassment"}


async def test_another_reason_or_another_person_is_another_report(contexts: Contexts, settle: Settle) -> None:
    """Only the same one is the same."""
    anna, ben, cleo = await settle(), await settle("Ben"), await settle("Cleo")
    for about, reason, who in ((ben, "spam", anna), (ben, "other", anna), (cleo, "spam", anna)):
        await contexts.reports.make(about["_id"], reason, None, by(who))
    await contexts.reports.make(ben["_id"], "spam", None, by(cleo))
    assert len(await made(contexts, anna)) == 3
    assert len(await made(contexts, cleo)) == 1


async def test_who_reports_all_day_is_asked_to_stop(
    contexts: Contexts, settle: Settle, clock: MovingClock
) -> None:
    """What was already reported costs nothing, and others are not held up."""
    anna, ben = await settle(), await settle("Ben")
    crowd = [await settle("Cleo") for _ in range(MOST_A_DAY + 1)]
    for each in crowd[:-1]:
        await contexts.reports.make(each["_id"], "spam", None, by(anna))
    with pytest.raises(RateLimited):
        await contexts.reports.make(crowd[-1]["_id"], "spam", None, by(anna))
    await contexts.reports.make(crowd[0]["_id"], "spam", None, by(anna))
    await contexts.reports.make(crowd[-1]["_id"], "spam", None, by(ben))
    clock.advance(86_400)
    await contexts.reports.make(crowd[-1]["_id"], "spam", None, by(anna))


async def test_only_people_who_are_there_are_reported(contexts: Contexts, settle: Settle) -> None:
    """Nobody, oneself, somebody who never verified, somebody who is disabled already."""
    anna = await settle()
    hidden = [await settle(verified_at=None), await settle(disabled_at=contexts.clock.utc())]
    for user in ("nonsense", new_id(), *[each["_id"] for each in hidden]):
        with pytest.raises(NotFound):
            await contexts.reports.make(user, "spam", None, by(anna))
    with pytest.raises(Invalid):
        await contexts.reports.make(anna["_id"], "spam", None, by(anna))
    assert await made(contexts, anna) == []


async def test_a_report_is_taken_up_decided_and_made_anew(contexts: Contexts, settle: Settle) -> None:
    """Who decided is kept and audited; afterwards the same complaint is a new report."""
    anna, ben, ada = await settle(), await settle("Ben"), await settle("Ada", "admin")
    await contexts.reports.make(ben["_id"], "spam", None, by(anna))
    (report,) = await made(contexts, anna)
    change = contexts.reports.change
    taken = await change(report["_id"], "in_review", "Asked him.", by(ada))
    assert (taken["state"], taken["note"], taken["handled_by"]) == ("in_review", "Asked him.", ada["_id"])
    await contexts.reports.make(ben["_id"], "spam", None, by(anna))
    decided = await change(report["_id"], "resolved", None, by(ada))
    assert (decided["state"], decided["note"], decided["user_name"]) == ("resolved", "Asked him.", "Ben")
    lines = await audited(contexts, "report.changed", ben["_id"])
    assert [(each["actor"], each["detail"]["state"]) for each in lines] == [
        (ada["_id"], "in_review"),
        (ada["_id"], "resolved"),
    ]
    await contexts.reports.make(ben["_id"], "spam", None, by(anna))
    assert sorted(each["state"] for each in await made(contexts, anna)) == ["open", "resolved"]
    with pytest.raises(Conflict):
        await change(report["_id"], "open", None, by(ada))
    assert (await change(report["_id"], None, "Said sorry.", by(ada)))["state"] == "resolved"


async def test_what_is_no_report_or_no_state_changes_nothing(contexts: Contexts, settle: Settle) -> None:
    """NotFound and Invalid."""
    ada = await settle("Ada", "admin")
    for report in ("nonsense", new_id()):
        with pytest.raises(NotFound):
            await contexts.reports.change(report, "resolved", None, by(ada))
    with pytest.raises(Invalid):
        await contexts.reports.change(new_id(), "burnt", None, by(ada))


async def test_reports_come_by_state_and_page_newest_first(contexts: Contexts, settle: Settle) -> None:
    """Each once, whatever the size of the page; of somebody who was deleted without a name."""
    anna, ada = await settle(), await settle("Ada", "admin")
    await contexts.database.reports.delete_many({})
    for _ in range(5):
        await contexts.reports.make((await settle("Ben"))["_id"], "spam", None, by(anna))
    everything, _ = await contexts.reports.page(None, None, 100)
    await contexts.reports.change(everything[0]["_id"], "dismissed", None, by(ada))
    await contexts.database.users.delete_one({"_id": everything[4]["user"]})
    seen: list[Document] = []
    cursor: str | None = None
    while not seen or cursor is not None:
        some, cursor = await contexts.reports.page("open", cursor, 2)
        seen += some
    assert [each["_id"] for each in seen] == [each["_id"] for each in everything[1:]]
    assert [each["user_name"] for each in seen] == ["Ben", "Ben", "Ben", ""]
    counts = [len((await contexts.reports.page(state, None, 100))[0]) for state in STATES]
    assert counts == [4, 0, 0, 1]
