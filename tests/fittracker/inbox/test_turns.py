"""Turns: one at a time for each person, shared by those who ask meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.inbox.turns import Turns


async def test_who_asks_while_a_turn_goes_on_shares_the_next_one() -> None:
    """So fifty who ask at once are two turns, and none that began before it was asked for."""
    turns: list[str] = []
    going_on, go_on = asyncio.Event(), asyncio.Event()

    async def work(person: str) -> None:
        turns.append(person)
        going_on.set()
        await go_on.wait()

    shared = Turns(work, "test")
    async with shared.running():
        first = shared.ask("anna")
        await going_on.wait()
        later = [shared.ask("anna") for _ in range(50)]
        assert not first.done()
        go_on.set()
        await asyncio.gather(first, *later)
    assert turns == ["anna", "anna"]


async def test_people_do_not_wait_for_each_other() -> None:
    """The turn of one is not that of another."""
    held = asyncio.Event()

    async def work(person: str) -> None:
        if person == "anna":
            await held.wait()

    turns = Turns(work, "test")
    async with turns.running():
        anna = turns.ask("anna")
        await turns.ask("bert")
        assert not anna.done()
        held.set()


async def test_a_turn_that_fails_fails_for_those_who_wait_and_for_nobody_else() -> None:
    """The next one is a new one."""
    faults = [RuntimeError("once")]

    async def work(_person: str) -> None:
        if faults:
            raise faults.pop()

    turns = Turns(work, "test")
    async with turns.running():
        with pytest.raises(RuntimeError, match="once"):
            await turns.ask("anna")
        await turns.ask("anna")


async def test_at_the_end_nobody_is_left_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that does not come to its end is ended, and whoever waits for it or the next one hears of it."""
    monkeypatch.setattr("fittracker.inbox.turns.LAST_TURNS_S", 0.01)

    async def work(_person: str) -> None:
        await asyncio.Event().wait()

    turns = Turns(work, "test")
    async with turns.running():
        first = turns.ask("anna")
        await asyncio.sleep(0)
        second = turns.ask("anna")
    assert first.cancelled()
    assert second.cancelled()
