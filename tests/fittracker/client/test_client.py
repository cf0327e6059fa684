from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from fittracker.client import Client, CommandError, HrUpdate
from tests.fittracker.client.scripted import Peer, Scripted, tokens

Make = partial[Client]


async def answered(peer: Peer, kind: str, client_call: Any, **result: Any) -> Any:
    """Run a call of the client against one answer."""
    task = asyncio.create_task(client_call)
    await peer.result(await peer.command(kind), **result)
    return await task


async def test_a_refused_command_leaves_the_connection_alone(script: Scripted, impatient: Make) -> None:
    """The error has everything that the server said."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        task = asyncio.create_task(client.call("room.join", room="x:1"))
        command = await peer.command("room.join")
        assert command["data"] == {"room": "x:1"}
        await peer.error(command, "invalid", detail="No such room.", fields={"room": "unknown"})
        with pytest.raises(CommandError) as refused:
            await task
        assert (refused.value.code, refused.value.fields) == ("invalid", {"room": "unknown"})
        assert not refused.value.retry
        assert await answered(peer, "ping", client.ping(), t=3) == 3


async def test_commands_in_parallel_get_their_own_answers(script: Scripted, impatient: Make) -> None:
    """Whatever order the answers come in."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        first, second = asyncio.create_task(client.ping()), asyncio.create_task(client.ping())
        commands = [await peer.command("ping"), await peer.command("ping")]
        await peer.result(commands[1], t=2)
        await peer.result(commands[0], t=1)
        assert (await first, await second) == (1, 2)


async def test_events_are_typed_and_can_be_waited_for_by_their_values(
    script: Scripted, impatient: Make
) -> None:
    """Others stay; they may have come before."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        for user in ("anna", "ben"):
            data = {"user": user, "t": 1, "bpm": 120, "zone": 2}
            await peer.event("hr.update", data, room=f"heart:{user}")
        ben = await client.expect("hr.update", user="ben")
        assert ben.data == HrUpdate("ben", 1, 120, 2)
        assert (await client.expect("hr.update", room="heart:anna")).data.user == "anna"


async def test_waiting_in_vain_says_what_came_instead(script: Scripted, impatient: Make) -> None:
    """So that the message of a failing test is worth reading."""
    async with impatient(script.url, token="t") as client:
        await (await script.peer()).event("chat.typing", {})
        await client.expect("client.connected")
        with pytest.raises(TimeoutError, match=r"no hr\.alert.*chat\.typing"):
            await client.expect("hr.alert", timeout=0.1)


async def test_events_can_be_iterated(script: Scripted, impatient: Make) -> None:
    """Hello is the first of them."""
    async with impatient(script.url, token="t") as client:
        await (await script.peer()).event("server.notice", {"text": "hi"})
        seen = []
        async for event in client.events():
            seen.append(event.type)
            if event.type == "server.notice":
                break
        assert seen == ["hello", "client.connected", "server.notice"]


async def test_rooms_and_watches_come_back_after_a_reconnect(script: Scripted, impatient: Make) -> None:
    """The room with the place to go on from; what was missed arrives as if it had come live."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        await answered(
            peer, "room.join", client.join("chat:1"), room="chat:1", epoch="e", seq=4, recovered=True
        )
        await answered(peer, "hr.watch", client.watch("a" * 24))
        await peer.event("chat.message", {"text": "five"}, room="chat:1", seq=5, epoch="e")
        await client.expect("chat.message", text="five")
        await peer.close(1012)

        peer = await script.peer()
        rejoin = await peer.command("room.join")
        assert rejoin["data"] == {"room": "chat:1", "since": {"epoch": "e", "seq": 5}}
        missed = {"type": "chat.message", "room": "chat:1", "seq": 6, "epoch": "e", "data": {"text": "six"}}
        await peer.event("chat.message", {"text": "six"}, room="chat:1", seq=6, epoch="e")
        await peer.result(rejoin, room="chat:1", epoch="e", seq=6, recovered=True, events=[missed])
        watch = await peer.command("hr.watch")
        assert watch["data"] == {"user": "a" * 24}
        await peer.result(watch)
        await client.expect("chat.message", text="six")
        await client.expect("client.connected", timeout=2)
        with pytest.raises(TimeoutError):
            await client.expect("chat.message", text="six", timeout=0.1)


async def test_a_window_that_was_too_short_is_told(script: Scripted, impatient: Make) -> None:
    """The program then reloads by REST."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        await answered(peer, "room.join", client.join("chat:1"), room="chat:1", epoch="e", seq=4)
        await peer.close(1012)
        peer = await script.peer()
        await peer.result(await peer.command("room.join"), room="chat:1", epoch="f", seq=90, recovered=False)
        assert (await client.expect("client.gap")).data.room == "chat:1"


async def test_a_room_that_is_closed_to_us_meanwhile_is_told_and_forgotten(
    script: Scripted, impatient: Make
) -> None:
    """A grant may have ended while we were away."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        await answered(peer, "hr.watch", client.watch("a" * 24))
        await peer.close(1012)
        peer = await script.peer()
        await peer.error(await peer.command("hr.watch"), "not_found")
        left = await client.expect("client.left")
        assert (left.data.room, left.data.code) == ("heart:" + "a" * 24, "not_found")
        await peer.close(1012)
        await script.peer()
        await client.expect("client.connected")


async def test_entering_again_waits_where_the_server_is_busy(script: Scripted, impatient: Make) -> None:
    """Somebody in a hundred rooms runs into the rate limit when coming back."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        await answered(peer, "hr.watch", client.watch("a" * 24))
        await peer.close(1012)
        peer = await script.peer()
        await peer.error(await peer.command("hr.watch"), "rate_limited", retry=True, retry_after_ms=10)
        await peer.result(await peer.command("hr.watch"))
        await client.expect("client.connected")


async def test_a_command_that_is_sent_while_away_waits_for_the_connection(
    script: Scripted, impatient: Make
) -> None:
    """Nobody has to ask first whether there is one."""
    async with impatient(script.url, token="t") as client:
        script.refusals = [web.Response(status=503)]
        await (await script.peer()).close(1012)
        await client.expect("client.disconnected")
        task = asyncio.create_task(client.ping())
        peer = await script.peer()
        await peer.result(await peer.command("ping"), t=8)
        assert await task == 8


async def test_rest_goes_by_the_same_sign_in_and_renews_it(script: Scripted, impatient: Make) -> None:
    """A 401 over REST leads to a refresh, once."""
    script.logins = [tokens("first"), web.json_response({"code": "unauthenticated"}, status=401)]
    script.logins += [tokens("second"), web.json_response({"ok": True})]
    async with impatient(script.url, email="a@example.org", password="secret") as client:
        assert await client.rest("POST", "/auth/anything", json={}) == {"ok": True}
    assert script.asked[1:] == ["/api/v1/auth/anything", "/api/v1/auth/refresh", "/api/v1/auth/anything"]


def test_a_client_needs_something_to_sign_in_with() -> None:
    """An e-mail address alone is not enough."""
    with pytest.raises(ValueError, match="token"):
        Client("http://127.0.0.1", email="a@example.org")


@pytest.mark.parametrize("url", ["ftp://x", "fit.example.org", "http://"])
def test_an_address_must_be_one(url: str) -> None:
    """A slip in the configuration is said at once."""
    with pytest.raises(ValueError, match="address"):
        Client(url, token="t")


async def test_what_is_said_is_sent_again_as_the_same_until_its_outcome_is_known(
    script: Scripted, impatient: Make
) -> None:
    """Over a server that is busy and a connection that breaks; nobody says anything twice."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        task = asyncio.create_task(client.say("chat:1", "hello", reply_to="m"))
        first = await peer.command("chat.send")
        assert first["data"].items() >= {"room": "chat:1", "text": "hello", "reply_to": "m"}.items()
        await peer.error(first, "unavailable", retry=True)
        second = await peer.command("chat.send")
        await peer.close(1012)
        peer = await script.peer()
        third = await peer.command("chat.send")
        assert first["data"] == second["data"] == third["data"]
        await peer.result(third, id="m1", seq=1)
        assert await task == {"id": "m1", "seq": 1}


async def test_what_the_server_refuses_for_good_is_not_sent_again(script: Scripted, impatient: Make) -> None:
    """And what nobody ever answers ends with the caller's patience."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        task = asyncio.create_task(client.say("chat:1", "hello"))
        await peer.error(await peer.command("chat.send"), "not_found")
        with pytest.raises(CommandError, match="not_found"):
            await task
        with pytest.raises(TimeoutError):
            await client.say("chat:1", "hello", patience_s=0.05)
