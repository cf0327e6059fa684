from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from fittracker.client import (
    Client,
    ClientError,
    CommandError,
    Device,
    Disconnected,
    HeartStream,
    Sample,
    StreamTaken,
)
from tests.fittracker.client.scripted import Peer, Scripted

Make = partial[Client]
SUMMARY = {"samples": 3, "duration_s": 2.0, "avg_bpm": 61.0}


def samples(*rates: int, start: int = 1_000) -> list[Sample]:
    return [Sample(start + place * 1000, bpm) for place, bpm in enumerate(rates)]


async def opened(client: Client, peer: Peer, *, acked: int = 0, **options: Any) -> HeartStream:
    task = asyncio.create_task(client.open_stream(**options))
    await peer.opened(acked)
    return await task


def numbers(push: dict[str, Any]) -> list[int]:
    return [each["seq"] for each in push["data"]["samples"]]


async def accept(peer: Peer) -> list[int]:
    """Take a push and say yes to it; the numbers in it."""
    push = await peer.command("hr.push")
    await peer.result(push)
    return numbers(push)


async def ack(peer: Peer, stream: HeartStream, seq: int) -> None:
    await peer.event("hr.ack", {"stream": stream.id, "seq": seq})


async def test_samples_are_numbered_sent_and_held_until_they_are_stored(
    script: Scripted, impatient: Make
) -> None:
    """Accepted is not stored: only hr.ack lets go of a sample."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        task = asyncio.create_task(client.open_stream(sport="running", device=Device("Strap", "chest strap")))
        command = await peer.opened()
        stream = await task
        assert command["data"] == {
            "stream": stream.id,
            "sport": "running",
            "device": {"name": "Strap", "kind": "chest strap"},
        }
        await stream.push(samples(60, 61))
        push = await peer.command("hr.push")
        assert push["data"]["samples"] == [{"seq": 1, "t": 1000, "bpm": 60}, {"seq": 2, "t": 2000, "bpm": 61}]
        await peer.result(push)
        flushing = asyncio.create_task(stream.flush())
        await ack(peer, stream, 1)
        await asyncio.sleep(0.05)
        assert [each.bpm for each in stream.unacknowledged] == [61]
        assert not flushing.done()
        await ack(peer, stream, 2)
        await flushing
        assert stream.unacknowledged == []
        assert stream.acked == 2


async def test_there_is_never_more_than_one_push_on_its_way(script: Scripted, impatient: Make) -> None:
    """What is pushed meanwhile goes together with the next."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push(samples(60))
        first = await peer.command("hr.push")
        await stream.push(samples(61, 62))
        await asyncio.sleep(0.05)
        assert peer.received.empty()
        await peer.result(first)
        assert await accept(peer) == [2, 3]


async def test_a_refused_push_is_sent_again_before_anything_else(script: Scripted, impatient: Make) -> None:
    """Were a later one accepted first, the refused samples would count as repetitions."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push(samples(60, 61))
        for code in ("rate_limited", "unavailable"):
            await peer.error(await peer.command("hr.push"), code, retry=True, retry_after_ms=10)
        await stream.push(samples(62))
        assert await accept(peer) == [1, 2]
        assert await accept(peer) == [3]


async def test_after_a_reconnect_all_that_is_not_stored_is_sent_again(
    script: Scripted, impatient: Make
) -> None:
    """From where the server says it stands, in order, accepted or not."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push(samples(60, 61, 62, 63))
        assert await accept(peer) == [1, 2, 3, 4]
        await peer.close(1012)
        await stream.push(samples(64))
        peer = await script.peer()
        command = await peer.opened(acked=2)
        assert command["data"]["stream"] == stream.id
        assert await accept(peer) == [3, 4, 5]
        await ack(peer, stream, 5)
        await stream.flush()


async def test_a_push_that_was_cut_off_is_sent_again(script: Scripted, impatient: Make) -> None:
    """Nobody knows whether it arrived; sending it twice is harmless."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push(samples(60))
        await peer.command("hr.push")
        await peer.close(1012)
        peer = await script.peer()
        await peer.opened(acked=0)
        assert await accept(peer) == [1]


async def test_push_waits_while_too_much_is_not_acknowledged(script: Scripted, impatient: Make) -> None:
    """A wearable's memory is small."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer, unacknowledged=2)
        pushing = asyncio.create_task(stream.push(samples(60, 61, 62)))
        sent = await accept(peer)
        while sent[-1] < 2:
            sent += await accept(peer)
        await asyncio.sleep(0.05)
        assert not pushing.done()
        await ack(peer, stream, 1)
        await pushing
        assert await accept(peer) == [3]


async def test_a_large_backlog_goes_in_pieces(script: Scripted, impatient: Make) -> None:
    """300 samples, and less than a frame may hold."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push([Sample(place, 100) for place in range(700)])
        sizes = [len(await accept(peer)) for _ in range(3)]
        assert sizes == [300, 300, 100]
        await stream.push([Sample(place, 100, [333.333] * 60) for place in range(100)])
        push = await peer.command("hr.push")
        assert len(numbers(push)) < 100
        await peer.result(push)


async def test_going_on_with_a_stream_begins_after_what_is_stored(script: Scripted, impatient: Make) -> None:
    """`acked` tells the program which of its samples need not be pushed."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer, acked=40, stream="7a6f0f7e-6a37-4d3c-9f0e-0d8d2b3c4d5e")
        assert stream.acked == 40
        await stream.push(samples(60))
        assert await accept(peer) == [41]


async def test_closing_waits_for_the_last_ack_and_gives_the_workout(
    script: Scripted, impatient: Make
) -> None:
    """A workout without its last seconds would be wrong for good."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push(samples(60))
        closing = asyncio.create_task(stream.close())
        assert await accept(peer) == [1]
        await asyncio.sleep(0.05)
        assert peer.received.empty()
        await ack(peer, stream, 1)
        await peer.result(await peer.command("hr.close"), workout="w" * 24, summary=SUMMARY)
        closed = await closing
        assert closed.workout == "w" * 24
        assert closed.summary.avg_bpm == 61.0
        with pytest.raises(ClientError, match="closed"):
            await stream.push(samples(70))
        assert await stream.close() is closed


async def test_a_close_whose_answer_was_lost_is_asked_for_again(script: Scripted, impatient: Make) -> None:
    """The stream is gone by then: that is what opening says, and closing twice gives the same."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        closing = asyncio.create_task(stream.close())
        await peer.command("hr.close")
        await peer.close(1012)
        peer = await script.peer()
        await peer.error(await peer.command("hr.open"), "gone")
        await peer.result(await peer.command("hr.close"), workout="w" * 24, summary=SUMMARY)
        assert (await closing).workout == "w" * 24


async def test_a_stream_that_ended_by_silence_is_no_error_when_all_is_stored(
    script: Scripted, impatient: Make
) -> None:
    """Ten minutes without a sample end it on the server; closing it then gives the workout."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await peer.close(1012)
        peer = await script.peer()
        await peer.error(await peer.command("hr.open"), "gone")
        await peer.result(await peer.command("hr.close"), workout="w" * 24, summary=SUMMARY)
        assert (await stream.close()).workout == "w" * 24


async def test_samples_for_a_stream_that_ended_are_given_back(script: Scripted, impatient: Make) -> None:
    """The program can push them into a new one."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push(samples(60, 61))
        await peer.error(await peer.command("hr.push"), "not_found")
        await peer.error(await peer.command("hr.open"), "gone", fields={"workout": "w"})
        with pytest.raises(CommandError) as refused:
            await stream.flush()
        assert refused.value.code == "gone"
        assert [each.bpm for each in stream.unacknowledged] == [60, 61]
        with pytest.raises(ClientError):
            await stream.push(samples(62))


async def test_a_stream_that_was_dropped_and_is_open_goes_on(script: Scripted, impatient: Make) -> None:
    """Not found, opened again, sent again."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push(samples(60))
        await peer.error(await peer.command("hr.push"), "not_found")
        await peer.opened(acked=0)
        assert await accept(peer) == [1]


async def test_a_taken_stream_says_so(script: Scripted, impatient: Make) -> None:
    """Another device sends it now; this one must not fight for it."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        flushing = asyncio.create_task(stream.flush())
        await peer.event("hr.taken", {"stream": stream.id})
        assert (await client.expect("hr.taken")).data.stream == stream.id
        with pytest.raises(StreamTaken):
            await stream.close()
        await flushing


async def test_a_refused_opening_is_the_callers_to_handle(script: Scripted, impatient: Make) -> None:
    """Such as a session one does not belong to."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        task = asyncio.create_task(client.open_stream(session="s" * 24))
        await peer.error(await peer.command("hr.open"), "not_found")
        with pytest.raises(CommandError) as refused:
            await task
        assert refused.value.code == "not_found"


async def test_a_push_that_is_wrong_ends_the_stream_with_the_reason(
    script: Scripted, impatient: Make
) -> None:
    """Sending it again would be refused again."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push([Sample(1, 60)])
        await peer.error(await peer.command("hr.push"), "invalid", fields={"t": "must be unix milliseconds"})
        with pytest.raises(CommandError) as refused:
            await stream.flush()
        assert refused.value.fields == {"t": "must be unix milliseconds"}


async def test_binary_frames_wait_for_their_ack(script: Scripted, impatient: Make) -> None:
    """They have no answer of their own, so the ack is what the next one waits for."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer, binary=True)
        await stream.push([Sample(1, 75, [], True)])
        frame = await peer.binary()
        assert frame[0] == 1
        assert frame[-1] == 75
        await stream.push(samples(80, 81))
        await asyncio.sleep(0.05)
        assert peer.received.empty()
        await ack(peer, stream, 1)
        assert (await peer.binary())[:4].hex() == "02000702"
        await ack(peer, stream, 3)
        await stream.flush()


async def test_a_refused_binary_frame_is_sent_again(script: Scripted, impatient: Make) -> None:
    """The error names no command; the next frame is the same one."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer, binary=True)
        await stream.push(samples(60))
        first = await peer.binary()
        await peer.error(None, "unavailable", retry=True, retry_after_ms=10)
        assert await peer.binary() == first
        await ack(peer, stream, 1)
        await stream.flush()


async def test_a_binary_frame_that_is_wrong_is_asked_about_as_a_command(
    script: Scripted, impatient: Make
) -> None:
    """So that the error reaches the stream it is about, and not its neighbour."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        one, two = await opened(client, peer, binary=True), await opened(client, peer, binary=True)
        await one.push(samples(60))
        await two.push(samples(70))
        for _ in range(2):
            await peer.binary()
        await peer.error(None, "invalid")
        for _ in range(2):
            push = await peer.command("hr.push")
            if push["data"]["stream"] == one.id:
                await peer.error(push, "invalid", detail="implausible")
            else:
                await peer.result(push)
        await ack(peer, two, 1)
        await two.flush()
        with pytest.raises(CommandError, match="implausible"):
            await one.flush()


async def test_leaving_the_block_closes_the_stream(script: Scripted, impatient: Make) -> None:
    """All that a wearable has to do."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)

        async def wear() -> None:
            async with stream:
                await stream.push(samples(60))

        wearing = asyncio.create_task(wear())
        assert await accept(peer) == [1]
        await ack(peer, stream, 1)
        await peer.result(await peer.command("hr.close"), workout="w" * 24, summary=SUMMARY)
        await wearing


async def test_the_end_of_the_client_is_the_end_of_its_streams(script: Scripted, impatient: Make) -> None:
    """Whoever waits for a flush must not wait forever."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push(samples(60))
        flushing = asyncio.create_task(stream.flush())
        await asyncio.sleep(0)
    with pytest.raises(Disconnected):
        await flushing


async def test_being_banned_ends_a_stream(script: Scripted, impatient: Make) -> None:
    """4503: there is no connection to come."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        stream = await opened(client, peer)
        await stream.push(samples(60))
        await peer.close(4503)
        with pytest.raises(Disconnected) as ended:
            await stream.flush()
        assert ended.value.code == 4503
