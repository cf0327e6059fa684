from __future__ import annotations

import asyncio
from functools import partial

import pytest
from aiohttp import web

from fittracker.client import Backoff, Client, CommandError, ConnectionLost, Disconnected, Password
from tests.fittracker.client.scripted import Scripted, tokens

Make = partial[Client]


async def test_the_token_goes_into_the_upgrade_and_hello_says_who_we_are(
    script: Scripted, impatient: Make
) -> None:
    """A wearable needs one round trip to be in."""
    async with impatient(script.url, token="t-1") as client:
        peer = await script.peer()
        assert peer.token == "t-1"
        assert client.user == "u" * 24


@pytest.mark.parametrize("code", [1001, 1012, 4008])
async def test_the_client_comes_back(script: Scripted, impatient: Make, code: int) -> None:
    """After a restart, after being too slow: a new socket, and work goes on."""
    async with impatient(script.url, token="t") as client:
        await (await script.peer()).close(code)
        assert (await client.expect("client.disconnected")).data.code == code
        peer = await script.peer()
        answer = asyncio.create_task(client.call("ping"))
        await peer.result(await peer.command("ping"), t=5)
        assert await answer == {"t": 5}


async def test_a_connection_that_breaks_off_is_opened_again(script: Scripted, impatient: Make) -> None:
    """No close frame, just an end."""
    async with impatient(script.url, token="t") as client:
        peer = await script.peer()
        assert peer.socket._req is not None
        peer.socket._req.transport.abort()
        assert (await client.expect("client.disconnected")).data.code == 1006
        await script.peer()
        await client.expect("client.connected")


@pytest.mark.parametrize("code", [4500, 4503, 4529, 1009])
async def test_the_client_stays_away_when_told_to(script: Scripted, impatient: Make, code: int) -> None:
    """Whoever waits hears why; no second socket is opened."""
    async with impatient(script.url, token="t") as client:
        waiting = asyncio.create_task(client.call("ping"))
        peer = await script.peer()
        await peer.command("ping")
        await peer.close(code)
        with pytest.raises(ConnectionLost):
            await waiting
        with pytest.raises(Disconnected) as ended:
            await client.expect("never")
        assert ended.value.code == code
        with pytest.raises(Disconnected):
            await client.call("ping")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(script.peer(), 0.2)


@pytest.mark.parametrize("code", [4009, 4010])
async def test_an_ended_token_is_replaced_before_coming_back(
    script: Scripted, impatient: Make, code: int
) -> None:
    """The refresh token gives the next one."""
    script.logins = [tokens("first", "r-1"), tokens("second", "r-2")]
    async with impatient(script.url, email="a@example.org", password="secret") as client:
        peer = await script.peer()
        assert peer.token == "first"
        await peer.close(code)
        assert (await script.peer()).token == "second"
        await client.expect("client.connected")
    assert script.asked == ["/api/v1/auth/login", "/api/v1/auth/refresh"]


async def test_a_single_token_that_ended_is_the_end(script: Scripted, impatient: Make) -> None:
    """There is nothing to sign in with, and the same token would be refused again."""
    async with impatient(script.url, token="t") as client:
        await (await script.peer()).close(4009)
        with pytest.raises(Disconnected) as ended:
            await client.expect("never")
        assert ended.value.code == 4009


async def test_a_restart_is_waited_for_as_long_as_the_server_says(script: Scripted) -> None:
    """`server.draining` spreads the clients over the time of the restart; the back-off has no say."""
    async with Client(script.url, token="t", backoff=Backoff(first_s=60, most_s=60)) as client:
        peer = await script.peer()
        await peer.event("server.draining", {"retry_after_ms": 150, "reason": "restart"})
        began = asyncio.get_running_loop().time()
        await peer.close(1012)
        await script.peer()
        waited = asyncio.get_running_loop().time() - began
        await client.expect("client.connected")
        assert 0.15 <= waited < 5


async def test_a_refused_upgrade_is_tried_again_where_that_may_help(
    script: Scripted, impatient: Make
) -> None:
    """503 while a worker starts, 429 while there are too many."""
    script.refusals = [web.Response(status=503), web.Response(status=429, headers={"Retry-After": "0"})]
    async with impatient(script.url, token="t") as client:
        assert client.user == "u" * 24
    assert script.refusals == []


async def test_a_forbidden_upgrade_is_the_end(script: Scripted, impatient: Make) -> None:
    """403 will be 403 tomorrow."""
    script.refusals = [web.Response(status=403)]
    with pytest.raises(Disconnected) as ended:
        await impatient(script.url, token="t").__aenter__()
    assert ended.value.code == 403


async def test_a_token_that_is_refused_is_renewed_once(script: Scripted, impatient: Make) -> None:
    """A second refusal is final: there is no use in asking for token after token."""
    script.logins = [tokens("first"), tokens("second")]
    script.refusals = [web.Response(status=401), web.Response(status=401)]
    with pytest.raises(Disconnected) as ended:
        await impatient(script.url, email="a@example.org", password="secret").__aenter__()
    assert ended.value.code == 401
    assert len(script.asked) == 2


async def test_a_wrong_password_is_said_as_the_server_says_it(script: Scripted, impatient: Make) -> None:
    """The problem document becomes a CommandError; nothing is tried again."""
    script.logins = [
        web.json_response({"code": "unauthenticated", "title": "Sign in first", "detail": "No."}, status=401)
    ]
    with pytest.raises(CommandError) as refused:
        await impatient(script.url, email="a@example.org", password="wrong").__aenter__()
    assert refused.value.code == "unauthenticated"
    assert refused.value.detail == "No."


async def test_signing_in_is_tried_again_while_the_server_is_busy(script: Scripted, impatient: Make) -> None:
    """The password is not wrong only because the server cannot look at it now."""
    script.logins = [web.Response(status=503), tokens("first")]
    async with impatient(script.url, credentials=Password("a@example.org", "secret")):
        assert (await script.peer()).token == "first"


async def test_a_token_is_renewed_in_band(script: Scripted, impatient: Make) -> None:
    """Before it ends, on the open socket, without a reconnect."""
    script.logins = [tokens("first", "r-1"), tokens("second", "r-2")]
    async with impatient(script.url, email="a@example.org", password="secret") as client:
        peer = await script.peer()
        await peer.event("auth.expiring", {"in_s": 60})
        renewal = await peer.command("auth")
        assert renewal["data"] == {"token": "second"}
        await peer.result(renewal)
        assert (await client.expect("auth.expiring")).data.in_s == 60
        assert not peer.socket.closed


async def test_a_server_that_is_not_there_is_named(impatient: Make, unused_tcp_port: int) -> None:
    """After the time to connect; the message says where and why."""
    client = impatient(f"http://127.0.0.1:{unused_tcp_port}", token="t", connect_timeout_s=0.2)
    with pytest.raises(ConnectionLost, match=f"{unused_tcp_port}.*[Cc]onnect"):
        await client.__aenter__()


async def test_a_server_that_sends_garbage_is_left(script: Scripted, impatient: Make) -> None:
    """Whatever it is, it does not speak this protocol."""
    async with impatient(script.url, token="t") as client:
        await (await script.peer()).socket.send_str("<html>")
        with pytest.raises(Disconnected, match="cannot be read"):
            await client.expect("never")
