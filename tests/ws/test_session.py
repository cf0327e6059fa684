"""Signing in, staying signed in, and being signed out, on an open socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from config.settings import Settings
from fittracker.auth.tokens import AccessTokens
from fittracker.clock import Clock
from tests.handlers.api import eventually
from tests.house import House, open_house
from tests.peer import Peer, connect
from tests.people import People, Person


@pytest.fixture(scope="module")
async def house(settings: Settings) -> AsyncIterator[House]:
    """No pings: nobody answers them while a test makes minutes pass."""
    async with open_house(settings.with_changes(ws_ping_s=100_000.0)) as house:
        yield house


def token_for(people: People, person: Person, life_s: int) -> str:
    """An access token of this person's sign-in that ends so soon."""
    settings = people.contexts.settings
    tokens = AccessTokens(
        settings.token_keys,
        Clock(),
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        life_s=life_s,
    )
    return tokens.issue(person.id, person.sid, "user")[0]


async def test_the_first_auth_says_hello_and_answers_the_same(house: House, people: People) -> None:
    """One is the event everybody waits for, the other the result of the command."""
    ada = await people.athlete()
    async with connect(house.url) as peer:
        result = await peer.call("auth", token=ada.token)
        assert await peer.expect("hello") == result
        assert (result["user"], result["role"]) == (ada.id, "user")


async def test_a_bad_token_in_band_is_an_error_and_the_next_one_may_be_good(
    house: House, people: People
) -> None:
    """A failed command never closes the socket."""
    ada = await people.athlete()
    async with connect(house.url) as peer:
        for token in ("", "nonsense", ada.token[:-4] + "AAAA", "ftd_" + "A" * 43):
            assert (await peer.refused("auth", token=token))["code"] == "unauthenticated"
        await peer.call("auth", token=ada.token)


async def test_E2_who_does_not_sign_in_is_closed_with_4501(house: House) -> None:
    """After ten seconds; being busy does not help."""
    async with connect(house.url) as peer:
        await peer.call("ping")
        assert house.look(house.newest, 9.5) == pytest.approx(0.5)
        await peer.call("ping")
        assert house.look(house.newest, 10) is None
        assert await peer.ending() == 4501


async def test_who_signs_in_in_time_stays(house: House, people: People) -> None:
    """The deadline is over for them."""
    ada = await people.athlete()
    async with connect(house.url) as peer:
        await peer.call("auth", token=ada.token)
        assert house.look(house.newest, 10) is not None
        await peer.call("ping")


async def test_a_socket_cannot_change_hands(house: House, people: People) -> None:
    """It belongs to who signed in on it, whatever tokens come later."""
    ada, bob = await people.crowd(2)
    async with connect(house.url, ada.token) as peer:
        assert (await peer.refused("auth", token=bob.token))["code"] == "forbidden"
        assert house.connection(ada.id).identity is not None
        assert house.realtime.hub.of_user(bob.id) == ()


async def expirings(peer: Peer) -> list[int]:
    """The seconds of every auth.expiring that has come."""
    return [each["data"]["in_s"] for each in await peer.settle() if each["type"] == "auth.expiring"]


async def test_the_end_of_a_token_is_announced_and_then_it_ends(house: House, people: People) -> None:
    """Sixty seconds before, once; without a fresh one the socket closes with 4009."""
    ada = await people.athlete()
    async with connect(house.url, token_for(people, ada, 300)) as peer:
        connection = house.connection(ada.id)
        assert house.look(connection, 230) == pytest.approx(10, abs=2)
        assert await expirings(peer) == []
        assert house.look(connection, 242) == pytest.approx(58, abs=2)
        house.look(connection, 280)
        (told,) = await expirings(peer)
        assert 56 <= told <= 60
        assert house.look(connection, 302) is None
        assert await peer.ending() == 4009


async def test_a_token_that_ends_soon_ends_soon(house: House, people: People) -> None:
    """The wheel looks when it ends, not only when a ping is due or the time for signing in is over."""
    ada = await people.athlete()
    began = house.realtime.loop.time()
    async with connect(house.url, token_for(people, ada, 3)) as peer:
        assert (await peer.expect("auth.expiring"))["in_s"] <= 3
        assert await peer.ending() == 4009
        assert house.realtime.loop.time() - began < house.realtime.settings.ws_auth_s / 2


async def test_a_fresh_token_renews_in_band(house: House, people: People) -> None:
    """The socket and its rooms go on, and the next end is announced as well."""
    ada = await people.athlete()
    async with connect(house.url, token_for(people, ada, 300)) as peer:
        connection = house.connection(ada.id)
        await peer.call("hr.watch", user=ada.id)
        house.look(connection, 242)
        assert len(await expirings(peer)) == 1
        renewed = await peer.call("auth", token=token_for(people, ada, 900))
        assert renewed["expires_at"] > people.contexts.clock.now() + 890
        assert [each["type"] for each in await peer.settle()] == []
        house.look(connection, 830)
        assert f"heart:{ada.id}" in connection.rooms
        assert await expirings(peer) == []
        house.look(connection, 842)
        assert len(await expirings(peer)) == 1
        assert house.look(connection, 902) is None
        assert await peer.ending() == 4009


async def test_signing_out_closes_the_sockets_of_that_sign_in_alone(house: House, people: People) -> None:
    """With 4010: sign in again first."""
    ada = await people.athlete()
    elsewhere = await people.sign_in(ada)
    async with connect(house.url, ada.token) as peer, connect(house.url, elsewhere.token) as other:
        await people.contexts.sessions.end(ada.id, ada.sid)
        assert await peer.ending() == 4010
        await other.call("ping")


async def test_a_renewed_socket_belongs_to_the_new_sign_in(house: House, people: People) -> None:
    """The end of the old one does not touch it any more, the end of the new one does."""
    ada = await people.athlete()
    again = await people.sign_in(ada)
    async with connect(house.url, ada.token) as peer, connect(house.url, again.token) as witness:
        await peer.call("auth", token=again.token)
        await people.contexts.sessions.end(ada.id, ada.sid)
        await witness.call("ping")
        await peer.call("ping")
        await people.contexts.sessions.end(again.id, again.sid)
        assert await peer.ending() == 4010


async def test_a_disabled_person_is_closed_with_4503(house: House, people: People) -> None:
    """All their sockets, however they came."""
    ada = await people.athlete()
    _, device = await people.device(ada)
    async with connect(house.url, ada.token) as one, connect(house.url, device) as two:
        await people.contexts.users._liveness.changed(ada.id, banned=True)
        assert (await one.ending(), await two.ending()) == (4503, 4503)


async def test_a_revoked_device_token_closes_its_sockets(house: House, people: People) -> None:
    """The person's own sign-in goes on."""
    ada = await people.athlete()
    device, token = await people.device(ada)
    async with connect(house.url, token) as strap, connect(house.url, ada.token) as phone:
        await people.contexts.device_tokens.end(ada.id, device)
        assert await strap.ending() == 4010
        await phone.call("ping")


async def test_a_device_token_may_push_and_nothing_else(house: House, people: People) -> None:
    """Its scope is telemetry:write; watching, even oneself, is not part of it."""
    ada = await people.athlete()
    _, token = await people.device(ada)
    forbidden: dict[str, dict[str, Any]] = {
        "hr.watch": {"user": ada.id},
        "room.join": {"room": f"heart:{ada.id}"},
        "room.members": {"room": f"heart:{ada.id}"},
    }
    async with connect(house.url, token) as strap:
        for command, data in forbidden.items():
            assert (await strap.refused(command, **data))["code"] == "forbidden"
        await strap.call("ping")
        opened = await strap.call("hr.open", stream="0f8fad5b-d9cb-469f-a165-70867728950e")
        assert opened["acked"] == 0


async def test_a_command_that_is_refused_is_written_down(house: House, people: People) -> None:
    """Who sent which, on which socket; not what was in it."""
    ada = await people.athlete()
    _, token = await people.device(ada)
    async with connect(house.url, token) as strap:
        await strap.refused("room.join", room="heart:$secret")
        connection = house.connection(ada.id).id

    async def told() -> Any:
        log = people.contexts.database.audit
        return await log.find_one({"event": "access.denied", "actor": ada.id})

    entry = await eventually(told, "the refusal is in the log")
    assert (entry["detail"], entry["request"]) == ({"command": "room.join"}, connection)


async def test_ping_tells_the_time_of_the_server(house: House) -> None:
    """Also to somebody who has not signed in yet."""
    async with connect(house.url) as peer:
        assert abs((await peer.call("ping"))["t"] - Clock().now_ms()) < 60_000


async def test_a_sign_out_while_a_socket_is_being_opened_is_not_lost(house: House, people: People) -> None:
    """Whoever is let in at the very moment of the revocation is out again at once."""
    ada = await people.athlete()
    device, token = await people.device(ada)

    async def strap() -> int | None:
        async with connect(house.url, token, greet=False) as peer:
            return await peer.ending()

    openings = [asyncio.create_task(strap()) for _ in range(10)]
    await asyncio.sleep(0)
    await people.contexts.device_tokens.end(ada.id, device)
    async with asyncio.timeout(10):
        results = await asyncio.gather(*openings, return_exceptions=True)
    # Either refused before the upgrade, or closed after it.
    assert {each for each in results if not isinstance(each, Exception)} <= {4010}
    assert house.realtime.hub.of_user(ada.id) == ()
