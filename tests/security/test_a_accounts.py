"""Part A of the security requirements, through the front door of a running server.

What is told more closely elsewhere: test_auth.py, test_credentials.py and test_second_factor.py in
tests/handlers, and tests/fittracker/auth.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from fittracker.app import build_app
from fittracker.auth.sessions import Pair
from fittracker.devmail import DevMails
from fittracker.mongo import Database
from tests.fittracker.auth.effort import Effort
from tests.handlers.api import PASSWORD, Answer, Api, Person, eventually
from tests.moving_clock import MovingClock

NEXT = "badgers-dig-tunnels-at-41"
WRONG = "something else entirely"


@pytest.fixture(scope="module")
async def strict(settings: Settings, clock: MovingClock, database: Database) -> AsyncIterator[Api]:
    """The same with the limits and (half) the hashing cost of production."""
    app = build_app(settings.with_changes(auth_rate=20, bcrypt_cost=6), clock=clock)
    async with TestClient(TestServer(app)) as client:
        yield Api(client, clock, DevMails(database, clock))


async def forget_tries(api: Api) -> None:
    """As if nobody had tried anything."""
    redis = api.contexts.redis
    keys = [key for name in ("lockout:*", "limit:*") for key in await redis.keys(name)]
    if keys:
        await redis.delete(*keys)


async def reset(api: Api, person: Person, password: str = NEXT) -> Answer:
    """Ask for a link and follow it."""
    await api.post("/auth/password/forgot", {"email": person.email})
    mail = await api.mail_to(person.email, "Choose a new password")
    token = str(mail["text"]).split("?token=")[1].split()[0]
    return await api.post("/auth/password/reset", {"token": token, "password": password})


@pytest.mark.parametrize("length", [64, 128])
async def test_A2_long_passwords_sign_in(api: Api, length: int) -> None:
    """Of 64 and 128 characters, each of which may take several bytes."""
    anna = api.stranger()
    anna.password = ("Fischotter schwömmen früher flußaufwärts; heute nicht 7 " * 3)[:length]
    await anna.register()
    await anna.verify()
    await anna.sign_in()


async def test_A2_passphrases_that_share_their_first_72_bytes_are_two(api: Api) -> None:
    """bcrypt alone would take one for the other."""
    shared = "many words make a good pass phrase and this one goes on for quite a while "
    assert len(shared.encode()) > 72
    anna = api.stranger()
    anna.password = shared + "to its end"
    await anna.register()
    await anna.verify()
    assert (await anna.try_to_sign_in(shared + "to another")).status == 401
    assert (await anna.try_to_sign_in()).status == 200


async def test_A3_all_who_sign_in_at_once_when_the_cost_rose_get_in(api: Api, strict: Api) -> None:
    """One of them stores the new hash; none of the others takes that for another password."""
    anna = await api.person()
    body = {"email": anna.email, "password": anna.password}
    answers = await asyncio.gather(*(strict.post("/auth/login", body) for _ in range(4)))
    assert {answer.status for answer in answers} == {200}
    stored = await api.contexts.database.users.find_one({"_id": anna.id})
    assert stored is not None
    assert stored["password"].startswith("$2b$06$")
    await forget_tries(api)


async def test_A4_every_refusal_looks_and_costs_the_same(
    api: Api, strict: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown, wrong, locked, unverified and disabled: status, headers, body, and the work behind it."""
    people = {name: await api.person() for name in ("wrong", "locked", "disabled")}
    people |= {"unknown": api.stranger(), "unverified": api.stranger()}
    await people["unverified"].register()
    now = api.contexts.clock.utc()
    await api.contexts.database.users.update_one(
        {"_id": people["disabled"].id}, {"$set": {"disabled_at": now}}
    )
    for _ in range(6):
        await people["locked"].try_to_sign_in(WRONG)
    answers: dict[str, Answer] = {}

    async def refused(name: str) -> None:
        password = WRONG if name == "wrong" else PASSWORD
        answers[name] = await strict.post("/auth/login", {"email": people[name].email, "password": password})

    efforts = await Effort(monkeypatch).of({name: lambda name=name: refused(name) for name in people})
    assert efforts == dict.fromkeys(people, 2**6)
    assert {each.status for each in answers.values()} == {401}
    assert len({tuple(sorted(each.headers)) for each in answers.values()}) == 1
    bodies = [{**each.data, "request_id": ""} for each in answers.values()]
    assert all(body == bodies[0] for body in bodies)
    await forget_tries(api)


async def test_A5_registering_looks_the_same_for_a_taken_address(api: Api) -> None:
    """Status, headers and body; and so does asking for a new password."""
    anna = await api.person()
    for path, more in (
        ("/auth/register", {"password": PASSWORD, "name": "A"}),
        ("/auth/password/forgot", {}),
    ):
        looks = []
        for email in (anna.email, api.stranger().email):
            answer = await api.post(path, {"email": email, **more})
            looks.append((answer.status, answer.raw, tuple(sorted(answer.headers))))
        assert looks[0] == looks[1]
    await api.mail_to(anna.email, "You have an account already")
    await api.mail_to(anna.email, "Choose a new password")


async def test_A8_a_reset_closes_all_sockets_of_the_account(api: Api) -> None:
    """On whatever device; nobody else's."""
    anna, bob = await api.person(), await api.person("Bob")
    first = anna.access
    await anna.sign_in()

    async def connect(token: str) -> aiohttp.ClientWebSocketResponse:
        socket = await api.client.ws_connect("/ws", headers={"Authorization": f"Bearer {token}"})
        assert (await socket.receive_json(timeout=10))["type"] == "hello"
        return socket

    async def close_code(socket: aiohttp.ClientWebSocketResponse) -> int:
        while (message := await socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
            assert message.type is aiohttp.WSMsgType.TEXT
        return int(message.data)

    sockets = [await connect(token) for token in (first, anna.access)]
    others = await connect(bob.access)
    assert (await reset(api, anna)).status == 204
    async with asyncio.timeout(5):  # the promise, generous for a machine that is busy
        assert [await close_code(socket) for socket in sockets] == [4010, 4010]
    await others.send_json({"id": 1, "type": "ping", "data": {}})
    assert (await others.receive_json(timeout=10))["id"] == 1
    await others.close()


async def test_A8_who_is_being_let_in_during_a_reset_stays_out(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old password was right when it was looked at; the session begins when it is no more."""
    anna = await api.person()
    sessions = api.contexts.sessions
    really, begun = sessions.begin, []

    async def slowly(person: dict[str, Any], *, device: str, address: str) -> Pair:
        monkeypatch.setattr(sessions, "begin", really)
        assert (await reset(api, anna)).status == 204
        pair = await really(person, device=device, address=address)
        begun.append(pair.access_token)
        return pair

    monkeypatch.setattr(sessions, "begin", slowly)
    answer = await anna.try_to_sign_in()
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert (await api.call("GET", "/users/me", begun[0])).status == 401


async def test_A9_fifty_wrong_sign_ins_at_once_count_fifty(api: Api) -> None:
    """Each is counted before anything is looked at; the right password then waits like the wrong ones."""
    anna = await api.person()
    await asyncio.gather(*(anna.try_to_sign_in(f"wrong guess {n}") for n in range(50)))
    redis = api.contexts.redis
    tries = [await redis.hget(key, "tries") async for key in redis.scan_iter("lockout:*")]
    assert "50" in tries
    assert (await anna.try_to_sign_in()).status == 401
    await api.mail_to(anna.email, "Your account is locked for a while")


async def test_A9_one_password_against_five_hundred_accounts_is_stopped(strict: Api) -> None:
    """By the limit of the address it comes from: a few are looked at, hardly any of the rest."""
    await forget_tries(strict)
    bodies = [{"email": f"target{n}@example.org", "password": "Summer2026!"} for n in range(500)]
    answers = [await strict.post("/auth/login", body) for body in bodies]
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {401, 429}
    # 20 at once, and what 20 a minute give back while the test runs.
    assert statuses.count(401) <= 100
    assert "Retry-After" in next(each for each in answers if each.status == 429).headers
    await forget_tries(strict)


async def test_A10_neither_password_nor_address_change_without_the_current_password(api: Api) -> None:
    """A stolen session alone takes no account over."""
    anna = await api.person()
    before = await api.contexts.database.users.find_one({"_id": anna.id}, {"devices": 0})
    for path, wish in (
        ("/auth/password/change", {"password": NEXT}),
        ("/auth/email/change", {"email": "x@y.zz"}),
    ):
        for current in ("", WRONG, PASSWORD + "x", PASSWORD.upper()):
            answer = await anna.post(path, {"current": current, **wish})
            assert (answer.status, answer.fields.keys()) == (422, {"current"})
            await forget_tries(api)
        assert (await anna.post(path, wish)).fields.keys() == {"current"}
    await api.contexts.background.idle()
    assert await api.contexts.database.users.find_one({"_id": anna.id}, {"devices": 0}) == before


async def test_a_sign_in_from_a_device_not_seen_before_is_told(api: Api) -> None:
    """Not the first one of all, and each device once."""
    anna = await api.person()
    body = {"email": anna.email, "password": anna.password}
    for device in ("Tablet 1.0", "Tablet 1.1"):
        assert (await api.post("/auth/login", body, headers={"User-Agent": device})).status == 200
    mail = await api.mail_to(anna.email, "A new device signed in")
    assert "Tablet 1.0" in mail["text"]
    mails = api.contexts.database.mails

    async def all_sent() -> bool:
        return await mails.count_documents({}) == 0

    await eventually(all_sent, "the outbox is empty")
    subjects = [each["subject"] for each in await api.mails.newest(anna.email)]
    assert subjects.count("A new device signed in") == 1


async def test_what_happens_to_an_account_is_audited(api: Api) -> None:
    """From the registration to the end of a session, by whom and from where; nothing personal in it."""
    anna = await api.person()
    made = await anna.post("/auth/device-tokens", {"name": "Chest strap", "scopes": ["telemetry:write"]})
    assert (await anna.delete(f"/auth/device-tokens/{made.data['id']}")).status == 204
    await anna.try_to_sign_in(WRONG)
    assert (await anna.post("/auth/logout")).status == 204
    expected = {
        "account.registered": None,
        "account.verified": None,
        "login.succeeded": anna.id,
        "device_token.created": anna.id,
        "device_token.revoked": anna.id,
        "login.failed": None,
        "session.ended": anna.id,
    }

    async def entries() -> list[dict[str, Any]]:
        found = await api.contexts.database.audit.find({"target": anna.id}).to_list()
        return found if expected.keys() <= {each["event"] for each in found} else []

    found = await eventually(entries, "all of it is written down")
    assert {each["event"]: each["actor"] for each in found} == expected
    assert {each["address"] for each in found} == {"127.0.0.1"}
    assert all(len(each["request"]) == 24 for each in found)
    for secret in (anna.email, anna.name, "Chest strap", made.data["token"]):
        assert secret not in str(found)
