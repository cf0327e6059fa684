from __future__ import annotations

import asyncio

import pytest

from fittracker.client.errors import Disconnected
from fittracker.client.inbox import Inbox
from fittracker.client.messages import Event


def anything(_event: Event) -> bool:
    return True


def of(kind: str):
    return lambda event: event.type == kind


async def test_events_are_taken_oldest_first() -> None:
    """Those that came before anybody asked are still there."""
    inbox = Inbox(10)
    for kind in "abc":
        inbox.put(Event(kind))
    assert [(await inbox.take(anything)).type for _ in range(3)] == ["a", "b", "c"]


async def test_what_does_not_suit_stays_for_others() -> None:
    """Waiting for one type does not eat the others."""
    inbox = Inbox(10)
    for kind in "abc":
        inbox.put(Event(kind))
    assert (await inbox.take(of("b"))).type == "b"
    assert inbox.kinds() == ["a", "c"]


async def test_each_event_goes_to_one_taker() -> None:
    """Two who wait for the same type get one each, in the order they asked."""
    inbox = Inbox(10)
    takers = [asyncio.create_task(inbox.take(of("x"))) for _ in range(2)]
    await asyncio.sleep(0)
    inbox.put(Event("x", {"n": 1}))
    inbox.put(Event("x", {"n": 2}))
    assert [event.data["n"] for event in await asyncio.gather(*takers)] == [1, 2]


async def test_a_full_inbox_loses_the_oldest_and_counts() -> None:
    """A program that never looks must not grow without end."""
    inbox = Inbox(2)
    for kind in "abc":
        inbox.put(Event(kind))
    assert inbox.dropped == 1
    assert (await inbox.take(anything)).type == "b"


async def test_an_event_for_a_taker_that_gave_up_is_not_lost() -> None:
    """It may be handed over in the very moment of the timeout."""
    inbox = Inbox(10)
    taker = asyncio.create_task(inbox.take(anything))
    await asyncio.sleep(0)
    inbox.put(Event("late"))
    taker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taker
    assert (await inbox.take(anything)).type == "late"


async def test_the_end_is_told_to_all_but_the_backlog_can_be_read() -> None:
    """First what came, then the reason why nothing will."""
    inbox = Inbox(10)
    waiting = asyncio.create_task(inbox.take(of("never")))
    await asyncio.sleep(0)
    inbox.put(Event("last"))
    inbox.end(Disconnected(4503, "banned"))
    with pytest.raises(Disconnected):
        await waiting
    assert (await inbox.take(anything)).type == "last"
    with pytest.raises(Disconnected, match="banned"):
        await inbox.take(anything)
