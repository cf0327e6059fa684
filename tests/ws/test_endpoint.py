"""The door of `/ws`: three ways in, and everything that is refused before there is a socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, WSServerHandshakeError

from config.settings import Settings
from fittracker.app import drain
from tests.handlers.api import eventually
from tests.house import House, open_house
from tests.peer import JSON, MSGPACK, Peer, connect
from tests.people import People
from tests.ws.conftest import ORIGIN

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
}


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[ClientSession]:
    """Plain HTTP, to look at what a refused upgrade answers."""
    async with ClientSession() as session:
        yield session


async def knock(http: ClientSession, url: str, **headers: str) -> tuple[ClientResponse, Any]:
    """Ask for an upgrade that is not granted; the response and its body."""
    async with http.get(f"{url}/ws", headers={**UPGRADE, **headers}) as response:
        assert response.headers["Content-Type"] == "application/problem+json", await response.text()
        body = await response.json(content_type=None)
        assert body["status"] == response.status
        assert body["type"] == f"urn:fittracker:error:{body['code']}"
        assert response.headers["Cache-Control"] == "no-store"
        return response, body


# -- ways in -----------------------------------------------------------------------------------------


async def test_an_access_token_in_the_header_opens_a_socket(house: House, people: People) -> None:
    """The first frame says for whom, and what to expect of the connection."""
    ada = await people.athlete()
    async with connect(house.url, ada.token, greet=False) as peer:
        hello = await peer.next()
        assert hello["type"] == "hello"
        data = hello["data"]
        assert (data["user"], data["role"], data["ping_s"], data["version"]) == (ada.id, "user", 25, 1)
        assert 0 < data["expires_at"] - people.contexts.clock.now() <= 900
        assert data["connection"] in house.realtime.hub.connections


async def test_a_device_token_in_the_header_opens_a_socket(house: House, people: People) -> None:
    """It lives until it is revoked."""
    ada = await people.athlete()
    _, token = await people.device(ada)
    async with connect(house.url, token, greet=False) as peer:
        data = (await peer.next())["data"]
        assert data["user"] == ada.id
        assert data["expires_at"] > people.contexts.clock.now() + 365 * 86_400


async def test_a_ticket_opens_one_socket_and_no_second(
    house: House, people: People, http: ClientSession
) -> None:
    """Browsers cannot send a header; the ticket ends with the token that asked for it."""
    ada = await people.trainer()
    ticket = await people.ticket(ada)
    async with connect(house.url, ticket=ticket, greet=False) as peer:
        data = (await peer.next())["data"]
        assert (data["user"], data["role"]) == (ada.id, "trainer")
        assert data["expires_at"] <= people.contexts.clock.now() + 900
    async with http.get(f"{house.url}/ws?ticket={ticket}", headers=UPGRADE) as response:
        assert response.status == 401


async def test_without_a_token_the_first_frame_signs_in(house: House, people: People) -> None:
    """`hello` comes then, and not before."""
    ada = await people.athlete()
    async with connect(house.url) as peer:
        await peer.call("ping")
        assert not peer.backlog
        await peer.call("auth", token=ada.token)
        assert (await peer.expect("hello"))["user"] == ada.id


# -- refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization", ["Bearer nonsense", "Bearer ", "Bearer", "Basic YTpi", "Bearer ftd_" + "A" * 43, ""]
)
async def test_a_bad_token_gets_a_401_and_no_socket(
    house: House, http: ClientSession, authorization: str
) -> None:
    """The same for one of the wrong form and one that nobody has."""
    response, body = await knock(http, house.url, Authorization=authorization)
    assert (response.status, body["code"]) == (401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("ticket", ["", "nonsense", "ftt_" + "A" * 43])
async def test_a_bad_ticket_gets_a_401(house: House, http: ClientSession, ticket: str) -> None:
    """Also an empty one: whoever sends a ticket means to be somebody."""
    async with http.get(f"{house.url}/ws?ticket={ticket}", headers=UPGRADE) as response:
        assert response.status == 401


async def test_a_sign_in_that_ended_opens_nothing(house: House, people: People, http: ClientSession) -> None:
    """Nor do a ticket that was asked for before, and a device token that was revoked."""
    ada = await people.athlete()
    ticket = await people.ticket(ada)
    device, token = await people.device(ada)
    await people.contexts.sessions.end(ada.id, ada.sid)
    await people.contexts.device_tokens.end(ada.id, device)
    for each in (ada.token, token):
        response, _ = await knock(http, house.url, Authorization=f"Bearer {each}")
        assert response.status == 401
    async with http.get(f"{house.url}/ws?ticket={ticket}", headers=UPGRADE) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://app.example.org", ORIGIN + ":8443", ""]
)
async def test_a_foreign_origin_gets_a_403_and_costs_no_ticket(
    house: House, people: People, http: ClientSession, origin: str
) -> None:
    """A page of somebody else's must not use who is signed in here; the ticket stays good."""
    ada = await people.athlete()
    ticket = await people.ticket(ada)
    async with http.get(f"{house.url}/ws?ticket={ticket}", headers={**UPGRADE, "Origin": origin}) as response:
        assert response.status == 403
        assert (await response.json(content_type=None))["code"] == "forbidden"
    async with connect(house.url, ticket=ticket, headers={"Origin": ORIGIN}) as peer:
        await peer.call("ping")


async def test_a_foreign_origin_is_written_down(http: ClientSession, house: House, people: People) -> None:
    """From where, and nothing that the page has chosen."""
    await people.contexts.database.audit.delete_many({"event": "access.denied"})
    await knock(http, house.url, Origin="https://app.example.org.evil.example")

    async def told() -> Any:
        return await people.contexts.database.audit.find_one({"event": "access.denied"})

    entry = await eventually(told, "the refusal is in the log")
    assert (entry["actor"], entry["address"], entry["detail"]) == (None, "127.0.0.1", {"upgrade": "origin"})


async def test_the_origins_of_the_list_and_our_own_may_come(house: House, people: People) -> None:
    """And devices, which send none."""
    ada = await people.athlete()
    for origin in (ORIGIN, "https://fit.example.org"):
        async with connect(house.url, ada.token, headers={"Origin": origin}) as peer:
            await peer.call("ping")


@pytest.mark.parametrize("missing", [*UPGRADE])
async def test_what_is_no_upgrade_is_a_bad_request(
    house: House, people: People, http: ClientSession, missing: str
) -> None:
    """With a problem document, like everything that is refused."""
    ada = await people.athlete()
    headers = {name: value for name, value in UPGRADE.items() if name != missing}
    headers["Authorization"] = f"Bearer {ada.token}"
    async with http.get(f"{house.url}/ws", headers=headers) as response:
        assert response.status == 400
        assert response.headers["Content-Type"] == "application/problem+json"
        assert (await response.json(content_type=None))["code"] == "bad_request"


# -- the handshake -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        ((), None),
        ((JSON,), JSON),
        ((MSGPACK,), MSGPACK),
        ((MSGPACK, JSON), MSGPACK),
        (("chat.v9", JSON), JSON),
    ],
)
async def test_the_first_subprotocol_that_we_know_is_agreed(
    house: House, people: People, offered: tuple[str, ...], agreed: str | None
) -> None:
    """JSON where none was offered."""
    ada = await people.athlete()
    async with connect(house.url, ada.token, protocols=offered) as peer:
        assert peer.socket.protocol == agreed
        await peer.call("ping")


async def test_nothing_is_ever_compressed(house: House, people: People) -> None:
    """The same bytes go to every member of a room, so no socket may have a state of its own."""
    ada = await people.athlete()
    async with (
        ClientSession() as http,
        http.ws_connect(
            f"{house.url}/ws", headers={"Authorization": f"Bearer {ada.token}"}, compress=15
        ) as socket,
    ):
        assert "Sec-WebSocket-Extensions" not in socket._response.headers
        assert "Server" not in socket._response.headers


# -- limits ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def narrow(settings: Settings) -> AsyncIterator[House]:
    """Three sockets a person, five an address."""
    changed = settings.with_changes(ws_sockets_per_user=3, ws_sockets_per_address=5)
    async with open_house(changed) as house:
        yield house


async def crowd_in(house: House, tokens: list[str | None]) -> tuple[int, list[int]]:
    """All at once; how many sockets opened, and the status of each refusal, which says when to come back."""
    leave = asyncio.Event()
    opened: list[Peer] = []
    refused: list[WSServerHandshakeError] = []

    async def one(token: str | None) -> None:
        try:
            async with connect(house.url, token) as peer:
                opened.append(peer)
                await leave.wait()
        except WSServerHandshakeError as error:
            refused.append(error)

    tasks = [asyncio.create_task(one(token)) for token in tokens]
    async with asyncio.timeout(10):
        while len(opened) + len(refused) < len(tokens):
            await asyncio.sleep(0.01)
    leave.set()
    await asyncio.gather(*tasks)
    assert all(int((error.headers or {"Retry-After": "0"})["Retry-After"]) > 0 for error in refused)
    return len(opened), [error.status for error in refused]


async def nobody_left(house: House) -> None:
    """Wait until the server has seen that all are gone."""
    async with asyncio.timeout(10):
        while house.realtime.hub.connections:
            await asyncio.sleep(0.01)


async def test_E5_a_person_may_have_so_many_sockets_even_when_all_come_at_once(narrow: House) -> None:
    """Two too many are told when to come back; those who leave make room."""
    ada = await narrow.people.athlete()
    for _ in range(2):
        assert await crowd_in(narrow, [ada.token] * 5) == (3, [429] * 2)
        await nobody_left(narrow)


async def test_E5_an_address_may_have_so_many_sockets_even_when_all_come_at_once(narrow: House) -> None:
    """Whoever they belong to, and also while they belong to nobody yet."""
    people = await narrow.people.crowd(5)
    for _ in range(2):
        tokens = [*(each.token for each in people), None, None, None]
        assert await crowd_in(narrow, tokens) == (5, [429] * 3)
        await nobody_left(narrow)


async def test_signing_in_on_one_socket_too_many_is_refused_in_band(narrow: House) -> None:
    """The socket may try again when another one is closed."""
    ada = await narrow.people.athlete()
    async with (
        connect(narrow.url) as late,
        connect(narrow.url, ada.token),
        connect(narrow.url, ada.token),
        connect(narrow.url, ada.token) as third,
    ):
        assert (await late.refused("auth", token=ada.token))["code"] == "rate_limited"
        await third.close()
        async with asyncio.timeout(10):
            while len(narrow.realtime.hub.of_user(ada.id)) > 2:
                await asyncio.sleep(0.01)
        await late.call("auth", token=ada.token)
    await nobody_left(narrow)


async def test_refused_upgrades_leave_nothing_behind(narrow: House, http: ClientSession) -> None:
    """More refusals than an address may have sockets, and there is still room."""
    for _ in range(10):
        response, _ = await knock(http, narrow.url, Authorization="Bearer nonsense")
        assert response.status == 401
    ada = await narrow.people.athlete()
    async with connect(narrow.url, ada.token) as peer:
        await peer.call("ping")
    await nobody_left(narrow)
    assert not narrow.realtime.hub.rooms


# -- the end -----------------------------------------------------------------------------------------


async def test_a_server_that_drains_lets_nobody_in(settings: Settings) -> None:
    """It says when to come back."""
    async with open_house(settings.with_changes(drain_s=0.1)) as house, ClientSession() as http:
        ada = await house.people.athlete()
        await drain(house.app)
        response, body = await knock(http, house.url, Authorization=f"Bearer {ada.token}")
        assert (response.status, body["code"]) == (503, "unavailable")
        assert int(response.headers["Retry-After"]) > 0
