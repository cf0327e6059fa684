"""The inbox by REST, and what goes with it: subscriptions of browsers, and quiet hours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from fittracker.app import build_app
from fittracker.devmail import DevMails
from fittracker.mongo import Database
from fittracker.push.vapid import new_key
from tests.handlers.api import Api, Person
from tests.moving_clock import MovingClock


async def like(api: Api, user: Person, by: Person, post: str = "post:1") -> None:
    """Somebody likes a post of theirs."""
    await api.contexts.notifications.notify(
        user.id, "social", event="post.liked", key=f"{post} {by.id}", by=by.id, subject=post, data={"n": 1}
    )


async def test_an_inbox_has_pages_and_an_unread_count(api: Api) -> None:
    """Newest first."""
    anna, bert = await api.person(), await api.person("Bert")
    for number in range(3):
        await like(api, anna, bert, f"post:{number}")
    first = (await anna.get("/notifications?limit=2")).data
    assert [each["subject"] for each in first["items"]] == ["post:2", "post:1"]
    assert (first["unread"], first["items"][0]["text"]) == (3, "Bert liked your post")
    assert first["items"][0]["actors"] == [{"user": bert.id, "name": "Bert"}]
    rest = (await anna.get(f"/notifications?cursor={first['next_cursor']}")).data
    assert [each["subject"] for each in rest["items"]] == ["post:0"]
    assert rest["next_cursor"] is None


async def test_what_was_read_stays_read(api: Api) -> None:
    """One by one, and all at once; again is the same."""
    anna, bert = await api.person(), await api.person("Bert")
    for number in range(3):
        await like(api, anna, bert, f"post:{number}")
    (newest, *_) = (await anna.get("/notifications")).data["items"]
    for _ in range(2):
        answer = await anna.post("/notifications/read", {"ids": [newest["id"]]})
        assert (answer.status, answer.data["unread"]) == (200, 2)
    assert (await anna.post("/notifications/read", {"all": True})).data["unread"] == 0
    items = (await anna.get("/notifications")).data["items"]
    assert [each["read"] for each in items] == [True, True, True]


async def test_what_is_in_another_inbox_is_not_there(api: Api) -> None:
    """And stays as it was."""
    anna, bert = await api.person(), await api.person("Bert")
    await like(api, anna, bert)
    (entry,) = (await anna.get("/notifications")).data["items"]
    answer = await bert.post("/notifications/read", {"ids": [entry["id"]]})
    assert (answer.status, answer.code) == (404, "not_found")
    for body in ({}, {"all": False}, {"ids": []}, {"ids": [entry["id"]], "all": True}, {"ids": ["x"]}):
        assert (await anna.post("/notifications/read", body)).status == 422
    assert (await anna.get("/notifications")).data["unread"] == 1


# -- browsers to push to -------------------------------------------------------------------------------

KEYS = {
    "p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
    "auth": "tBHItJI5svbpez7KI4CCXg",
}


@pytest.fixture(scope="module")
async def pushing(settings: Settings, clock: MovingClock, database: Database) -> AsyncIterator[Api]:
    """A server with a key."""
    with_key = settings.with_changes(vapid_key=new_key(), vapid_contact="mailto:push@example.org")
    async with TestClient(TestServer(build_app(with_key, clock=clock))) as client:
        yield Api(client, clock, DevMails(database, clock))


async def test_a_browser_is_subscribed_seen_and_ended(pushing: Api) -> None:
    """By what it gives itself; again is the same, and neither address nor keys are shown."""
    anna = await pushing.person()
    key = (await anna.get("/notifications/push-key")).data
    assert key == {"enabled": True, "key": pushing.contexts.push_subscriptions.key}
    body = {"endpoint": "https://push.example.org/anna", "expirationTime": None, "keys": KEYS}
    made = await anna.post("/notifications/subscriptions", body)
    assert made.status == 201
    assert (await anna.post("/notifications/subscriptions", body)).data["id"] == made.data["id"]
    (listed,) = (await anna.get("/notifications/subscriptions")).data["items"]
    assert {**listed, "created_at": ""} == {
        "id": made.data["id"],
        "host": "push.example.org",
        "created_at": "",
    }
    assert (await anna.delete(f"/notifications/subscriptions/{made.data['id']}")).status == 204
    assert (await anna.get("/notifications/subscriptions")).data["items"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://push.example.org/x"},
        {"endpoint": "https://127.0.0.1/x"},
        {"endpoint": "https://localhost/x"},
        {"keys": {**KEYS, "p256dh": "B" + "x" * 86}},
        {"keys": {**KEYS, "auth": "short"}},
        {"keys": {"auth": KEYS["auth"]}},
        {"user": "f" * 24},
    ],
)
async def test_what_is_no_subscription_is_refused(pushing: Api, change: dict[str, Any]) -> None:
    """And nothing is kept of it."""
    anna = await pushing.person()
    body = {"endpoint": "https://push.example.org/x", "keys": KEYS, **change}
    assert (await anna.post("/notifications/subscriptions", body)).status == 422
    assert (await anna.get("/notifications/subscriptions")).data["items"] == []


async def test_without_a_key_push_is_off_and_says_so(api: Api) -> None:
    """To who asks for the key, and to who subscribes all the same."""
    anna = await api.person()
    assert (await anna.get("/notifications/push-key")).data == {"enabled": False, "key": None}
    body = {"endpoint": "https://push.example.org/x", "keys": KEYS}
    answer = await anna.post("/notifications/subscriptions", body)
    assert (answer.status, answer.code) == (409, "conflict")


# -- quiet hours ---------------------------------------------------------------------------------------


async def test_quiet_hours_are_two_times_of_the_day_or_none(api: Api) -> None:
    """Null takes them back."""
    anna = await api.person()
    assert (await anna.get("/users/me/preferences")).data["quiet_hours"] is None
    hours = {"from": "22:00", "to": "07:00"}
    answer = await anna.put("/users/me/preferences", {"quiet_hours": hours})
    assert (answer.status, answer.data["quiet_hours"]) == (200, hours)
    bad: list[Any] = [
        {"from": "22:00"},
        {"from": "22:00", "to": "22:00"},
        {"from": "24:00", "to": "07:00"},
        {"from": "9:00", "to": "17:00"},
        {"from": 22, "to": 7},
        {**hours, "zone": "UTC"},
        "22:00-07:00",
    ]
    for each in bad:
        assert (await anna.put("/users/me/preferences", {"quiet_hours": each})).status == 422, each
    assert (await anna.get("/users/me/preferences")).data["quiet_hours"] == hours
    await anna.put("/users/me/preferences", {"quiet_hours": None})
    assert (await anna.get("/users/me/preferences")).data["quiet_hours"] is None
