"""What administrators do to accounts and to reports, as their console uses it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from fittracker.app import build_app
from fittracker.devmail import DevMails
from handlers.keys import CONTEXTS
from tests.handlers.api import Api, Person, eventually
from tests.moving_clock import MovingClock


@pytest.fixture
async def ada(api: Api) -> Person:
    """An administrator."""
    return await api.admin("Ada")


async def entries(api: Api, **query: Any) -> list[dict[str, Any]]:
    """What the audit log says, newest first."""
    return await api.contexts.database.audit.find(query, sort=[("_id", -1)]).to_list()


async def change(admin: Person, person: Person, **body: Any) -> Any:
    """Change somebody's account."""
    return await admin.patch(f"/admin/users/{person.id}", {"reason": "staff", **body})


# -- looking -------------------------------------------------------------------------------------------


async def test_people_are_found_by_their_address_or_the_beginning_of_their_name(
    api: Api, ada: Person
) -> None:
    """In any spelling; what is found says what an administrator needs, and nothing secret."""
    olive, oliver = await api.person("Olive"), await api.person("Oliver", role="trainer")
    by_address = await ada.get("/admin/users", params={"query": olive.email.upper()})
    (found,) = by_address.data["items"]
    assert found == {
        "id": olive.id,
        "email": olive.email,
        "name": "Olive",
        "role": "user",
        "created_at": found["created_at"],
        "verified_at": found["verified_at"],
        "disabled_at": None,
        "deletion_due_at": None,
        "last_sign_in_at": found["last_sign_in_at"],
    }
    assert found["created_at"] <= found["verified_at"] <= found["last_sign_in_at"]
    for query in ("Oliv", "oliv", "OLIV"):
        both = await ada.get("/admin/users", params={"query": query})
        assert [each["id"] for each in both.data["items"]] == [oliver.id, olive.id]
    alone = await ada.get("/admin/users", params={"query": "Oliv", "role": "trainer"})
    assert [each["id"] for each in alone.data["items"]] == [oliver.id]


async def test_what_is_searched_for_is_text_and_no_pattern(api: Api, ada: Person) -> None:
    """Dots and stars stand for themselves, half an address for nobody."""
    dot = await api.person("Zacharias")
    assert (await dot.patch("/users/me", {"name": "A.*(Z"})).status == 200
    for query, expected in (("A.*(", [dot.id]), (".*", []), ("^A", [])):
        found = await ada.get("/admin/users", params={"query": query})
        assert [each["id"] for each in found.data["items"]] == expected
    refused = await ada.get("/admin/users", params={"query": "olive@"})
    assert (refused.status, refused.fields) == (422, {"query": "is no e-mail address"})


async def test_filters_go_together(api: Api, ada: Person) -> None:
    """Disabled, waiting for deletion, verified, registered between two moments."""
    anna, ben, carl = [await api.person("Quentin") for _ in range(3)]
    await api.stranger("Quentin").register()
    assert (await change(ada, ben, disabled=True)).status == 200
    await waits_for_deletion(api, carl)
    registered = (await ada.get(f"/admin/users/{ben.id}")).data["created_at"]

    async def names(**params: str) -> list[str]:
        answer = await ada.get("/admin/users", params={"query": "Quentin", **params})
        assert answer.status == 200, answer.raw
        return [each["id"] for each in answer.data["items"]]

    assert await names(disabled="true") == [carl.id, ben.id]
    assert await names(disabled="true", deleting="false") == [ben.id]
    assert await names(deleting="true") == [carl.id]
    assert await names(disabled="false", verified="true") == [anna.id]
    assert len(await names(verified="false")) == 1
    assert await names(verified="true", to=registered) == [anna.id]
    assert await names(verified="true", **{"from": registered}) == [carl.id, ben.id]
    assert (await ada.get("/admin/users", params={"disabled": "1"})).status == 422


async def test_pages_hold_everybody_once(api: Api, ada: Person) -> None:
    """Newest first, whatever happens in between."""
    people = [(await api.person("Paginata")).id for _ in range(5)]
    found: list[str] = []
    params = {"query": "Paginata", "limit": "2"}
    while True:
        page = (await ada.get("/admin/users", params=params)).data
        found += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
        await api.person("Paginata")
    assert found == people[::-1]
    forged = await ada.get("/admin/users", params={"cursor": "1-x"})
    assert (forged.status, forged.code) == (400, "bad_request")


async def test_every_look_is_written_down(api: Api, ada: Person) -> None:
    """With whom, where it was one person; never with what was typed."""
    olga = await api.person("Olga")
    await ada.get("/admin/users", params={"query": olga.email})
    await ada.get("/admin/users", params={"role": "admin", "limit": "1"})
    await ada.get(f"/admin/users/{olga.id}")
    await ada.get(f"/admin/users/{olga.id}/sessions")
    looked = await entries(api, event="admin.looked", actor=ada.id)
    assert [(each["target"], each["detail"]) for each in reversed(looked)] == [
        (olga.id, {"what": "users", "filters": ["query"]}),
        (looked[2]["target"], {"what": "users", "filters": ["role"]}),
        (olga.id, {"what": "user"}),
        (olga.id, {"what": "sessions"}),
    ]


# -- changing ------------------------------------------------------------------------------------------


async def waits_for_deletion(api: Api, person: Person) -> None:
    """As the deletion of an account leaves it behind."""
    now = api.contexts.clock.utc()
    deletion = {"requested_at": now, "due_at": now + timedelta(days=30), "fingerprint": person.id}
    await api.contexts.database.users.update_one(
        {"_id": person.id}, {"$set": {"disabled_at": now, "deletion": deletion}}
    )


async def test_who_is_disabled_is_out_and_comes_back_when_enabled(api: Api, ada: Person) -> None:
    """Access and refresh tokens, device tokens and the password all open nothing; both are audited."""
    olga = await api.person("Olga")
    device = await olga.post("/auth/device-tokens", {"name": "Watch", "scopes": ["telemetry:write"]})
    out = await ada.patch(f"/admin/users/{olga.id}", {"disabled": True, "reason": "abuse"})
    assert out.status == 200
    assert out.data["disabled_at"] is not None
    assert not await olga.is_signed_in()
    assert (await olga.try_to_sign_in()).status == 401
    assert (await api.post("/auth/refresh", {"refresh_token": olga.refresh})).status == 401
    assert await api.contexts.database.device_tokens.count_documents({"_id": device.data["id"]}) == 0
    back = await ada.patch(f"/admin/users/{olga.id}", {"disabled": False, "reason": "mistake"})
    assert back.data["disabled_at"] is None
    assert not await olga.is_signed_in()
    assert (await api.post("/auth/refresh", {"refresh_token": olga.refresh})).status == 401
    await olga.sign_in()
    told = await entries(api, target=olga.id, event={"$in": ["account.disabled", "account.enabled"]})
    assert [(each["event"], each["actor"], each["detail"]) for each in told] == [
        ("account.enabled", ada.id, {"reason": "mistake"}),
        ("account.disabled", ada.id, {"reason": "abuse"}),
    ]
    assert all(each["address"] and each["request"] for each in told)


async def test_the_same_change_twice_is_one(api: Api, ada: Person) -> None:
    """It succeeds, and the log has it once."""
    olga = await api.person("Olga")
    answers = await asyncio.gather(*(change(ada, olga, disabled=True) for _ in range(5)))
    assert {each.status for each in answers} == {200}
    assert len({each.data["disabled_at"] for each in answers}) == 1
    assert len(await entries(api, event="account.disabled", target=olga.id)) == 1


async def test_a_new_role_counts_at_the_next_sign_in(api: Api, ada: Person) -> None:
    """The old tokens are dead: nobody goes on with a role they do not have."""
    olga = await api.person("Olga")
    promoted = await change(ada, olga, role="trainer")
    assert (promoted.status, promoted.data["role"]) == (200, "trainer")
    assert not await olga.is_signed_in()
    assert (await olga.sign_in())["user"]["role"] == "trainer"
    assert (await olga.post("/sessions", {"title": "Hills", "capacity": 3})).status == 201
    (told,) = await entries(api, event="role.changed", target=olga.id)
    assert told["detail"] == {"reason": "staff", "before": "user", "after": "trainer"}


async def test_a_trainer_who_is_none_any_more_sees_nobody(api: Api, ada: Person) -> None:
    """The grants they had end, those they gave stay; the sessions they lead are over."""
    tina, other = await api.person("Tina", role="trainer"), await api.person("Tom", role="trainer")
    anna = await api.person("Anna")
    await anna.post("/grants", {"trainer": tina.id, "data": ["workouts"]})
    await tina.post("/grants", {"trainer": other.id, "data": ["workouts"]})
    session = (await tina.post("/sessions", {"title": "Hills", "capacity": 3, "athletes": [anna.id]})).data
    assert (await change(ada, tina, role="user")).status == 200
    await tina.sign_in()
    assert (await anna.get("/grants")).data["items"] == []
    assert [each["trainer"] for each in (await tina.get("/grants")).data["items"]] == [other.id]
    assert not await api.contexts.coaching.belongs(session["id"], anna.id)
    assert not await api.contexts.coaching.belongs(session["id"], tina.id)
    (ended,) = await entries(api, event="grant.ended", target=anna.id)
    assert ended["actor"] == ada.id


async def test_nobody_demotes_or_disables_themselves(api: Api, ada: Person) -> None:
    """So there is always an administrator left."""
    for body in ({"role": "user"}, {"disabled": True}, {"role": "admin"}):
        answer = await change(ada, ada, **body)
        assert (answer.status, answer.code) == (409, "conflict")
    assert (await ada.get("/admin/users")).status == 200


async def test_administrators_who_all_demote_each_other_at_once_leave_one(api: Api) -> None:
    """Twenty requests in a ring: whoever has lost the role meanwhile changes nobody any more."""
    await api.contexts.database.users.update_many({"role": "admin"}, {"$set": {"role": "user"}})
    ring = [await api.admin(f"Ring {place}") for place in range(5)]
    bodies = [{"role": "user"}, {"disabled": True}]
    answers = await asyncio.gather(
        *(
            change(ring[place % 5], ring[(place + step) % 5], **bodies[place % 2])
            for step in range(1, 5)
            for place in range(5)
        )
    )
    assert {each.status for each in answers} <= {200, 401, 403}
    left = await api.contexts.database.users.count_documents({"role": "admin", "disabled_at": None})
    assert left >= 1
    changed = await entries(
        api, actor={"$in": [each.id for each in ring]}, event={"$in": ["role.changed", "account.disabled"]}
    )
    assert len(changed) >= 1
    for place in range(5):
        stored = await api.contexts.database.users.find_one({"_id": ring[place].id})
        assert stored is not None
        gone = stored["role"] != "admin" or stored["disabled_at"] is not None
        assert gone == any(each["target"] == ring[place].id for each in changed)


async def test_an_account_that_waits_for_its_deletion_is_its_owners(api: Api, ada: Person) -> None:
    """Neither enabled nor disabled by anybody else."""
    olga = await api.person("Olga")
    await waits_for_deletion(api, olga)
    for disabled in (False, True):
        answer = await change(ada, olga, disabled=disabled)
        assert (answer.status, answer.code) == (409, "conflict")
    stored = await api.contexts.database.users.find_one({"_id": olga.id})
    assert stored is not None
    assert stored["deletion"]["fingerprint"] == olga.id
    assert await entries(api, target=olga.id, event={"$in": ["account.enabled", "account.disabled"]}) == []


async def test_what_cannot_be_changed_is_said(api: Api, ada: Person) -> None:
    """Nothing at all, nobody, no reason, an unknown role, an address that nobody proved."""
    olga = await api.person("Olga")
    assert (await change(ada, olga)).status == 422
    assert (await ada.patch(f"/admin/users/{olga.id}", {"role": "trainer"})).fields.keys() == {"reason"}
    assert (await change(ada, olga, role="root")).status == 422
    assert (await change(ada, olga, email="x@example.org")).fields.keys() == {"email"}
    assert (await ada.patch(f"/admin/users/{'f' * 24}", {"role": "user", "reason": "staff"})).status == 404
    stranger = api.stranger("Ulf")
    await stranger.register()
    found = await ada.get("/admin/users", params={"query": stranger.email})
    stranger.id = found.data["items"][0]["id"]
    assert (await change(ada, stranger, role="admin")).code == "conflict"


async def test_nothing_is_changed_that_could_not_be_written_down(api: Api, ada: Person) -> None:
    """The entry is a part of the transaction: one that fails takes the change with it."""
    olga = await api.person("Olga")
    database = api.contexts.database
    last = await database.audit.find_one({}, sort=[("_id", -1)])
    assert last is not None
    rule = {"validator": {"event": {"$ne": "account.disabled"}}, "validationLevel": "strict"}
    await database.command("collMod", "audit", **rule)
    try:
        assert (await change(ada, olga, disabled=True)).status == 500
    finally:
        await database.command("collMod", "audit", validator={}, validationLevel="off")
    assert await olga.is_signed_in()
    stored = await database.users.find_one({"_id": olga.id})
    assert stored is not None
    assert stored["disabled_at"] is None


# -- reports -------------------------------------------------------------------------------------------


async def test_a_report_is_read_taken_up_and_decided(api: Api, ada: Person) -> None:
    """Who said what about whom; each step is audited with its state and without its text."""
    anna, ben = await api.person("Anna"), await api.person("Ben")
    await anna.post(f"/users/{ben.id}/report", {"reason": "spam", "text": "Buys\nand sells"})
    newest = (await ada.get("/admin/reports", params={"state": "open", "limit": "1"})).data["items"][0]
    assert (newest["reporter_name"], newest["user_name"], newest["text"]) == (
        "Anna",
        "Ben",
        "Buys\nand sells",
    )
    taken = await ada.patch(f"/admin/reports/{newest['id']}", {"state": "in_review"})
    assert (taken.status, taken.data["state"], taken.data["handled_by"]) == (200, "in_review", ada.id)
    done = await ada.patch(f"/admin/reports/{newest['id']}", {"state": "resolved", "note": "Warned."})
    assert (done.data["state"], done.data["note"]) == ("resolved", "Warned.")
    decided = (await ada.get("/admin/reports", params={"state": "resolved"})).data["items"]
    assert newest["id"] in [each["id"] for each in decided]
    told = await entries(api, event="report.changed", target=ben.id)
    assert [each["detail"]["state"] for each in told] == ["resolved", "in_review"]
    assert "Warned" not in str(told)
    assert (await entries(api, event="admin.looked", actor=ada.id))[-1]["detail"]["what"] == "reports"


# -- refusals ------------------------------------------------------------------------------------------


async def test_who_knocks_without_being_an_administrator_is_written_down(api: Api) -> None:
    """With the pattern of the route; never with what was in the path."""
    mallory = await api.person("Mallory")
    assert (await mallory.get(f"/admin/users/{mallory.id}")).status == 403

    async def told() -> list[dict[str, Any]]:
        return await entries(api, event="access.denied", actor=mallory.id)

    (entry,) = await eventually(told, "the refusal is in the log")
    assert entry["detail"] == {"route": "GET /admin/users/{id}"}


async def test_a_flood_of_refusals_does_not_fill_the_log(api: Api) -> None:
    """After sixty in a minute they are only counted."""
    mallory = await api.person("Mallory")
    for _ in range(70):
        assert (await mallory.get("/admin/reports")).status == 403

    async def told() -> list[dict[str, Any]]:
        found = await entries(api, event="access.denied", actor=mallory.id)
        return found if len(found) >= 60 else []

    assert 60 <= len(await eventually(told, "the refusals are in the log")) < 70


async def test_administrators_have_a_limit_of_their_own(settings: Settings, clock: MovingClock) -> None:
    """Whoever knocks there too often is refused before anything is looked at; elsewhere they go on."""
    async with TestClient(TestServer(build_app(settings.with_changes(admin_rate=3), clock=clock))) as client:
        small = Api(client, clock, DevMails(client.app[CONTEXTS].database, clock))  # type: ignore[index]
        ada = await small.admin()
        statuses = [(await ada.get("/admin/users")).status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert (await small.call("GET", "/admin/users")).status == 429
        assert await ada.is_signed_in()
