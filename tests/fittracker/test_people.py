"""Whom one may write to: the same for many as for one, and for the price of one."""

from __future__ import annotations

from typing import Any

from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from tests.fittracker.auth.conftest import Settle


async def test_whoever_shows_themselves_to_nobody_is_reached_by_those_they_know(
    contexts: Contexts, settle: Settle
) -> None:
    """By a grant, by having entered a session or having invited; not a stranger, nor who is only invited."""
    shown = {"preferences": {"privacy": {"profile": "private"}}}
    tina = (await settle("Tina", "trainer"))["_id"]
    given, entered, invited, stranger, open_one = [(await settle(name))["_id"] for name in "abcde"]
    hidden = [tina, given, entered, invited, stranger]
    await contexts.database.users.update_many({"_id": {"$in": hidden}}, {"$set": shown})
    await contexts.grants.give(given, tina, ["heart_rate"], caller=SYSTEM)
    made = await contexts.coaching.create(tina, title="Hills", capacity=5, athletes=[entered, invited])
    await contexts.coaching.enter(made["_id"], entered)
    reachable = contexts.people.reachable
    everybody = [*hidden, open_one]
    assert await reachable(tina, everybody) - {tina} == {given, entered, open_one}
    assert await reachable(given, everybody) - {given} == {tina, open_one}
    assert await reachable(invited, everybody) - {invited} == {tina, entered, open_one}
    assert await reachable(stranger, everybody) - {stranger} == {open_one}
    await contexts.coaching.life.step(tina, made["_id"], "end")
    assert await reachable(invited, everybody) - {invited} == {open_one}


async def test_a_thousand_who_are_hidden_cost_as_many_queries_as_one(
    contexts: Contexts, settle: Settle
) -> None:
    """Whoever begins a group names up to 999, and may do so as often as requests are let in."""
    anna = (await settle())["_id"]
    shown: dict[str, Any] = {"preferences": {"privacy": {"profile": "private"}}}
    strangers = [(await settle(f"P{number}"))["_id"] for number in range(20)]
    await contexts.database.users.update_many({"_id": {"$in": strangers}}, {"$set": shown})

    async def asked(others: list[str]) -> int:
        before = (await contexts.database.command("serverStatus"))["opcounters"]["query"]
        await contexts.people.reachable(anna, others)
        return int((await contexts.database.command("serverStatus"))["opcounters"]["query"] - before)

    # The worker's own rounds ask something now and then, too.
    assert min([await asked(strangers) for _ in range(5)]) == min(
        [await asked(strangers[:1]) for _ in range(5)]
    )
