"""The one writer of a worker: once at the end of a loop turn, and now and then for the slow ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.ws.lines import End
from ws.frames import Outgoing
from ws.writer import SLOW_POLL_S, Writer


@pytest.fixture
async def writer() -> AsyncIterator[Writer]:
    """One on the running loop."""
    writer = Writer(asyncio.get_running_loop())
    yield writer
    writer.close()


async def test_all_that_is_sent_in_a_turn_leaves_in_one_write(writer: Writer) -> None:
    """In order, for each connection; what is sent in the next turn leaves with that."""
    one, two = End(writer=writer), End(writer=writer)
    for frame in (b"a", b"b", b"c"):
        one.connection.send(frame)
    two.connection.send(b"d")
    assert one.line.written == two.line.written == []
    await asyncio.sleep(0)
    assert (one.line.written, two.line.written) == ([b"abc"], [b"d"])
    one.connection.send(b"e")
    await asyncio.sleep(0)
    assert one.line.written == [b"abc", b"e"]


async def test_what_closes_before_the_end_of_the_turn_writes_nothing_more(writer: Writer) -> None:
    """After a close frame nothing may follow."""
    end = End(writer=writer)
    end.connection.send(b"late")
    end.connection.close(4010, "signed out")
    await asyncio.sleep(0)
    assert (end.line.written, end.codes) == ([], [4010])


async def test_what_was_flushed_already_is_not_written_twice(writer: Writer) -> None:
    """A drain flushes before it closes."""
    end = End(writer=writer)
    end.connection.send(b"last words")
    end.connection.flush()
    await asyncio.sleep(0)
    assert end.line.written == [b"last words"]


async def writes(written: list[bytes], count: int) -> None:
    """Wait for so many writes."""
    async with asyncio.timeout(20 * SLOW_POLL_S):
        while len(written) < count:
            await asyncio.sleep(SLOW_POLL_S / 10)


async def test_a_slow_reader_is_offered_what_was_held_when_it_has_caught_up(writer: Writer) -> None:
    """The newest of each athlete, once; then it is no slow reader any more."""
    end = End(writer=writer, ws_outbox_soft_bytes=100)
    end.line.reads, end.line.unread = False, 101
    for number in range(5):
        for athlete in ("ada", "bob"):
            end.connection.hold(athlete, Outgoing(f"{athlete}{number}".encode()))
    assert writer.slow == 1
    await asyncio.sleep(2 * SLOW_POLL_S)
    assert end.line.written == []
    end.line.reads, end.line.unread = True, 50
    await writes(end.line.written, 1)
    (write,) = end.line.written
    assert b"ada4" in write
    assert b"bob4" in write
    assert b"ada3" not in write
    assert writer.slow == 0


async def test_a_slow_reader_that_closes_is_looked_after_no_more(writer: Writer) -> None:
    """And gets nothing of what was held."""
    gone, slow = (End(writer=writer, ws_outbox_soft_bytes=100) for _ in range(2))
    for end in (gone, slow):
        end.line.unread = 101
        end.connection.hold("ada", Outgoing(b"held"))
    gone.connection.close(4008, "reading too slowly")
    async with asyncio.timeout(20 * SLOW_POLL_S):
        while writer.slow != 1:
            await asyncio.sleep(SLOW_POLL_S / 10)
    slow.line.unread = 0
    await writes(slow.line.written, 1)
    assert gone.line.written == []
