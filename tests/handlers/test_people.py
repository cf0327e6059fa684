"""Other people: what they show, finding them, keeping out of their way, and complaining about them."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest

from fittracker.blocks import MOST
from fittracker.ids import new_id
from tests.handlers.api import Answer, Api, Person

EVERYBODY = {"id", "name", "role", "member_since"}
SPAN = "?from=0&to=1000"
_families = count(1)


async def set_privacy(person: Person, **fields: str) -> None:
    """Who may see what of this person."""
    assert (await person.put("/users/me/preferences", {"privacy": fields})).status == 200


async def grant(athlete: Person, trainer: Person, *data: str) -> Answer:
    """The athlete lets the trainer see these kinds of data."""
    return await athlete.post("/grants", {"trainer": trainer.id, "data": list(data)})


async def seen(viewer: Person, other: Person) -> set[str] | None:
    """The fields that one sees of the other; None where nobody is there."""
    answer = await viewer.get(f"/users/{other.id}")
    if answer.status == 404:
        assert answer.data["detail"] == (await viewer.get(f"/users/{new_id()}")).data["detail"]
        return None
    return set(answer.data)


# -- one person ----------------------------------------------------------------------------------------


async def test_anna_sees_what_ben_shows_to_everybody(api: Api) -> None:
    """His name, what he is here and since when; his weight once he shows it."""
    anna, ben = await api.person(), await api.person("Ben", weight_kg=81.5)
    answer = await anna.get(f"/users/{ben.id}")
    created = (await ben.get("/users/me")).data["created_at"]
    assert answer.data == {"id": ben.id, "name": "Ben", "role": "user", "member_since": created}
    await set_privacy(ben, weight="public")
    assert (await anna.get(f"/users/{ben.id}")).data["weight_kg"] == 81.5
    assert set((await ben.get(f"/users/{ben.id}")).data) == {*EVERYBODY, "weight_kg"}


async def test_whoever_hides_their_profile_is_there_for_few(api: Api) -> None:
    """For oneself, who has a grant, who gave one, and who is met in a session that one has entered."""
    ben, tina = await api.person("Ben"), await api.person("Tina", role="trainer")
    anna, cleo = await api.person(), await api.person("Cleo")
    await set_privacy(ben, profile="private")
    await set_privacy(tina, profile="private")
    assert await seen(anna, ben) is await seen(tina, ben) is await seen(ben, tina) is None
    assert await seen(ben, ben) == {*EVERYBODY, "weight_kg"}
    assert (await grant(ben, tina, "workouts")).status == 201
    assert await seen(tina, ben) == await seen(ben, tina) == EVERYBODY
    for athlete in (anna, cleo):
        assert (await grant(athlete, tina, "heart_rate")).status == 201
    made = await tina.post(
        "/sessions", {"title": "Hills", "capacity": 3, "athletes": [anna.id, ben.id, cleo.id]}
    )
    assert await seen(anna, ben) is None
    assert await api.contexts.coaching.enter(made.data["id"], ben.id)
    assert await seen(anna, ben) == EVERYBODY


async def test_a_measured_weight_is_for_trainers_who_may_see_measurements(api: Api) -> None:
    """As long as they may; another grant does not show it."""
    ben, tina = await api.person("Ben", weight_kg=80.0), await api.person("Tina", role="trainer")
    await grant(ben, tina, "workouts", "heart_rate", "nutrition")
    assert await seen(tina, ben) == EVERYBODY
    given = await grant(ben, tina, "measurements")
    assert await seen(tina, ben) == {*EVERYBODY, "weight_kg"}
    await ben.delete(f"/grants/{given.data['id']}")
    assert await seen(tina, ben) == EVERYBODY


async def test_who_is_not_there_is_not_there(api: Api) -> None:
    """Never verified, disabled, waiting for the end: as if there never had been anybody."""
    anna, now = await api.person(), api.contexts.clock.utc()
    for state in (
        {"verified_at": None},
        {"disabled_at": now},
        {"disabled_at": now, "deletion": {"requested_at": now}},
    ):
        ben = await api.person("Ben")
        await set_privacy(ben, heart_rate="public")
        assert (await anna.get(f"/users/{ben.id}/heart-rate{SPAN}")).status == 200
        await api.contexts.database.users.update_one({"_id": ben.id}, {"$set": state})
        assert await seen(anna, ben) is None
        assert (await anna.get(f"/users/{ben.id}/heart-rate{SPAN}")).status == 404
        assert (await anna.post("/users/me/blocks", {"user": ben.id})).status == 404
        assert (await anna.post(f"/users/{ben.id}/report", {"reason": "spam"})).status == 404


async def test_a_heart_rate_is_for_those_it_is_shown_to(api: Api) -> None:
    """Nobody, a trainer with a grant, everybody; and back again."""
    ben, tina, anna = await api.person("Ben"), await api.person("Tina", role="trainer"), await api.person()

    async def may() -> list[bool]:
        answers = [await each.get(f"/users/{ben.id}/heart-rate{SPAN}") for each in (anna, tina, ben)]
        assert {each.status for each in answers} <= {200, 404}
        return [each.status == 200 for each in answers]

    assert await may() == [False, False, True]
    await grant(ben, tina, "workouts")
    assert await may() == [False, False, True]
    await grant(ben, tina, "heart_rate")
    assert await may() == [False, True, True]
    await set_privacy(ben, heart_rate="public")
    assert await may() == [True, True, True]
    await set_privacy(ben, heart_rate="private")
    assert await may() == [False, True, True]


# -- finding people ------------------------------------------------------------------------------------


class Family:
    """People with a last name that nobody else in the database has."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.name = f"Zz{chr(96 + next(_families))}family"

    async def member(self, first: str) -> Person:
        """One of them."""
        person = await self.api.person()
        assert (await person.patch("/users/me", {"name": f"{first} {self.name}"})).status == 200
        return person

    async def found(self, viewer: Person, query: str | None = None) -> list[str]:
        """The names that somebody finds."""
        answer = await viewer.get("/users", params={"query": query or self.name})
        assert answer.status == 200, answer.raw
        return [each["name"].removesuffix(f" {self.name}") for each in answer.data["items"]]


async def test_people_are_found_by_the_beginnings_of_their_names(api: Api) -> None:
    """By name; with what everybody may see, and nothing else."""
    family, anna = Family(api), await api.person()
    for first in ("Dora", "Bert", "Carl-Otto"):
        await family.member(first)
    assert await family.found(anna) == ["Bert", "Carl-Otto", "Dora"]
    assert await family.found(anna, f"{family.name[:4].upper()} otto") == ["Carl-Otto"]
    answer = await anna.get("/users", params={"query": family.name, "limit": 1})
    assert [set(each) for each in answer.data["items"]] == [EVERYBODY]


async def test_pages_hold_everybody_once(api: Api) -> None:
    """Also two of one name, and while those who are blocked lie between."""
    family, anna = Family(api), await api.person()
    people = [await family.member(first) for first in ("Ada", "Ada", "Bea", "Bea", "Cid", "Dan", "Eva")]
    for each in (people[2], people[4], people[5]):
        assert (await anna.post("/users/me/blocks", {"user": each.id})).status == 201
    for limit in (1, 2, 3, 100):
        cursor, ids = "", []
        while cursor is not None:
            more = {"cursor": cursor} if cursor else {}
            answer = await anna.get("/users", params={"query": family.name, "limit": limit, **more})
            ids += [each["id"] for each in answer.data["items"]]
            cursor = answer.data["next_cursor"]
        assert len(ids) == 4
        assert set(ids) == {people[place].id for place in (0, 1, 3, 6)}


async def test_who_wants_not_to_be_found_is_not(api: Api) -> None:
    """Private, blocked, blocking, disabled, never verified, and oneself."""
    family = Family(api)
    anna, hidden, blocked, blocking, disabled, new, ben = [
        await family.member(first) for first in ("Anna", "Hid", "Bed", "Bing", "Dis", "New", "Ben")
    ]
    assert len(await family.found(anna)) == 6
    await set_privacy(hidden, profile="private")
    await anna.post("/users/me/blocks", {"user": blocked.id})
    await blocking.post("/users/me/blocks", {"user": anna.id})
    users = api.contexts.database.users
    await users.update_one({"_id": disabled.id}, {"$set": {"disabled_at": api.contexts.clock.utc()}})
    await users.update_one({"_id": new.id}, {"$set": {"verified_at": None}})
    assert await family.found(anna) == ["Ben"]
    assert await family.found(ben) == ["Anna", "Bed", "Bing"]


async def test_nobody_is_found_by_an_address(api: Api) -> None:
    """Neither a whole one nor its beginning."""
    anna, ben = await api.person(), await api.person("Ben")
    for query in (ben.email, ben.email.split("@")[0], "@example.org", "example.org"):
        assert (await anna.get("/users", params={"query": query})).data["items"] == []


async def test_D3_a_search_is_text_and_no_pattern(api: Api) -> None:
    """Signs that mean something to a regular expression, or to MongoDB, are themselves."""
    family, anna = Family(api), await api.person()
    await family.member("Bert")
    odd = await family.member("(.*)+ $ne")
    for query in (
        ".*",
        f"{family.name[:3]}.*",
        "^B",
        "Bert|Anna",
        "[A-Z]",
        "$where",
        '{"$ne": null}',
        "Ber\\w",
    ):
        assert await family.found(anna, query) == [], query
    assert await family.found(anna, f"(.*)+ $NE {family.name}") == ["(.*)+ $ne"]
    for bad in ({"query[$ne]": "x"}, {"query": "x", "limit": "$gt"}, {"query": ""}, {"query": "x" * 81}, {}):
        assert (await anna.get("/users", params=bad)).status == 422, bad
    for cursor in ("x", "%%%", "WyJhIl0=", "e30=", "bnVsbA==", "é", "WyJhIiwgeyIkbmUiOiBudWxsfV0="):
        assert (await anna.get("/users", params={"query": "a", "cursor": cursor})).status == 400, cursor
    assert (await anna.get(f"/users/{odd.id}")).status == 200


async def test_a_new_name_is_found_and_the_old_one_is_not(api: Api) -> None:
    """At once."""
    family, anna = Family(api), await api.person()
    bert = await family.member("Bert")
    await bert.patch("/users/me", {"name": f"Hubert {family.name}"})
    assert await family.found(anna, f"bert {family.name}") == []
    assert await family.found(anna, f"hub {family.name}") == ["Hubert"]


async def test_who_was_stored_before_there_was_a_search_is_found_after_the_next_start(api: Api) -> None:
    """Each worker looks when it starts; two at once, and again, change nothing more."""
    family, anna = Family(api), await api.person()
    old = [await family.member(first) for first in ("Ada", "Bea")]
    users = api.contexts.database.users
    await users.update_many({"_id": {"$in": [each.id for each in old]}}, {"$unset": {"search": ""}})
    assert await family.found(anna) == []
    both = await asyncio.gather(*(api.contexts.people_search.index_names() for _ in range(2)))
    assert sum(both) == 2
    assert await family.found(anna) == ["Ada", "Bea"]
    assert await api.contexts.people_search.index_names() == 0


# -- blocks --------------------------------------------------------------------------------------------


async def blocked_by(person: Person) -> list[dict[str, Any]]:
    """The first page of them."""
    items: list[dict[str, Any]] = (await person.get("/users/me/blocks")).data["items"]
    return items


async def test_whoever_is_blocked_is_gone_for_the_other_and_the_other_way_round(api: Api) -> None:
    """Until the block is taken back."""
    anna, ben = await api.person(), await api.person("Ben")
    for person in (anna, ben):
        await set_privacy(person, heart_rate="public")
    made = await anna.post("/users/me/blocks", {"user": ben.id})
    assert (made.status, made.data["user"], made.data["name"]) == (201, ben.id, "Ben")
    for one, other in ((anna, ben), (ben, anna)):
        assert await seen(one, other) is None
        assert (await one.get(f"/users/{other.id}/heart-rate{SPAN}")).status == 404
    assert (await anna.delete(f"/users/me/blocks/{ben.id}")).status == 204
    for one, other in ((anna, ben), (ben, anna)):
        assert await seen(one, other) == EVERYBODY
        assert (await one.get(f"/users/{other.id}/heart-rate{SPAN}")).status == 200


async def test_D8_fifty_blocks_at_once_are_one(api: Api) -> None:
    """One row, one line of the audit log, fifty good answers."""
    anna, ben = await api.person(), await api.person("Ben")
    answers = await asyncio.gather(*(anna.post("/users/me/blocks", {"user": ben.id}) for _ in range(50)))
    assert {each.status for each in answers} == {201}
    assert len({each.raw for each in answers}) == 1
    assert [each["user"] for each in await blocked_by(anna)] == [ben.id]
    assert await blocked_by(ben) == []
    gone = await asyncio.gather(*(anna.delete(f"/users/me/blocks/{ben.id}") for _ in range(20)))
    assert sorted(each.status for each in gone) == [204] + [404] * 19
    audit = api.contexts.database.audit
    lines = await audit.find({"actor": anna.id, "target": ben.id}, sort=[("_id", 1)]).to_list()
    assert [each["event"] for each in lines] == ["block.added", "block.removed"]


async def test_nobody_blocks_themselves_or_nobody(api: Api) -> None:
    """422 and 404."""
    anna = await api.person()
    itself = await anna.post("/users/me/blocks", {"user": anna.id})
    assert (itself.status, itself.fields) == (422, {"user": "is yourself"})
    assert (await anna.post("/users/me/blocks", {"user": new_id()})).status == 404
    assert (await anna.delete(f"/users/me/blocks/{new_id()}")).status == 404


async def test_blocks_have_an_end(api: Api) -> None:
    """The last place goes to one of several who ask for it at once."""
    anna = await api.person()
    now = api.contexts.clock.utc()
    rows = [{"_id": new_id(), "user": anna.id, "other": new_id(), "created_at": now} for _ in range(MOST - 1)]
    await api.contexts.database.blocks.insert_many(rows)
    others = [await api.person("Ben") for _ in range(4)]
    answers = await asyncio.gather(*(anna.post("/users/me/blocks", {"user": each.id}) for each in others))
    assert sorted(each.status for each in answers) == [201, 413, 413, 413]
    assert await api.contexts.database.blocks.count_documents({"user": anna.id}) == MOST


async def test_blocks_come_newest_first_by_pages(api: Api) -> None:
    """Of somebody who was deleted the name is gone."""
    anna = await api.person()
    others = [await api.person(name) for name in ("Ada", "Bea", "Cid")]
    for each in others:
        await anna.post("/users/me/blocks", {"user": each.id})
    await api.contexts.database.users.delete_one({"_id": others[1].id})
    first = (await anna.get("/users/me/blocks?limit=2")).data
    rest = (await anna.get(f"/users/me/blocks?limit=2&cursor={first['next_cursor']}")).data
    assert [each["name"] for each in first["items"] + rest["items"]] == ["Cid", "", "Ada"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("who", ["athlete", "trainer"])
async def test_a_block_ends_what_trainer_and_athlete_shared(api: Api, who: str) -> None:
    """Grants and places in sessions; neither can be had again while it lasts, by either of the two."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    await grant(anna, tina, "heart_rate", "measurements")
    session = await tina.post("/sessions", {"title": "Hills", "capacity": 3, "athletes": [anna.id]})
    one, other = (anna, tina) if who == "athlete" else (tina, anna)
    await one.post("/users/me/blocks", {"user": other.id})
    assert (await tina.get("/grants")).data["items"] == (await anna.get("/grants")).data["items"] == []
    assert (await anna.get(f"/sessions/{session.data['id']}")).status == 404
    assert (await tina.get(f"/sessions/{session.data['id']}")).data["athletes"] == []
    assert not await api.contexts.coaching.enter(session.data["id"], anna.id)
    again = await grant(anna, tina, "heart_rate")
    never = await anna.post("/grants", {"trainer": new_id(), "data": ["heart_rate"]})
    assert (again.status, again.data["detail"]) == (404, never.data["detail"])
    invited = await tina.post("/sessions", {"title": "Hills", "capacity": 3, "athletes": [anna.id]})
    nobody = await tina.post("/sessions", {"title": "Hills", "capacity": 3, "athletes": [new_id()]})
    assert (
        (invited.status, invited.fields)
        == (nobody.status, nobody.fields)
        == (422, {"athletes.0": "is not known"})
    )
    ended = await api.contexts.database.audit.find_one({"event": "grant.ended", "target": anna.id})
    assert ended is not None
    assert ended["actor"] == one.id


async def test_a_grant_and_a_block_at_once_leave_no_grant(api: Api) -> None:
    """Whichever is stored first."""
    for _ in range(5):
        anna, tina = await api.person(), await api.person("Tina", role="trainer")
        given, blocked = await asyncio.gather(
            grant(anna, tina, "heart_rate"), tina.post("/users/me/blocks", {"user": anna.id})
        )
        assert (given.status in {201, 404}, blocked.status) == (True, 201)
        assert not await api.contexts.grants.allows(tina.id, anna.id, "heart_rate")


# -- reports -------------------------------------------------------------------------------------------


async def test_anna_complains_about_ben(api: Api) -> None:
    """He learns nothing of it; whoever blocked him, or was blocked by him, can complain as well."""
    anna, ben = await api.person(), await api.person("Ben")
    await ben.post("/users/me/blocks", {"user": anna.id})
    answer = await anna.post(f"/users/{ben.id}/report", {"reason": "harassment", "text": "Every\nnight."})
    assert (answer.status, answer.raw) == (202, b"")
    found, _ = await api.contexts.reports.page("open", None, 100)
    (report,) = [each for each in found if each["reporter"] == anna.id]
    assert (report["user"], report["reason"], report["text"]) == (ben.id, "harassment", "Every\nnight.")


async def test_complaints_that_are_none_are_refused(api: Api) -> None:
    """By name of the field."""
    anna, ben = await api.person(), await api.person("Ben")
    for body, field in (
        ({}, "reason"),
        ({"reason": "ugly"}, "reason"),
        ({"reason": {"$ne": None}}, "reason"),
        ({"reason": "spam", "text": "x" * 2_001}, "text"),
        ({"reason": "spam", "text": "\x1b[31m"}, "text"),
        ({"reason": "spam", "state": "resolved"}, "state"),
    ):
        answer = await anna.post(f"/users/{ben.id}/report", body)
        assert (answer.status, answer.fields.keys()) == (422, {field}), body
    itself = await anna.post(f"/users/{anna.id}/report", {"reason": "spam"})
    assert (itself.status, itself.fields) == (422, {"id": "is yourself"})
