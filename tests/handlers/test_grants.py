"""Grants from athletes to trainers."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from fittracker.clock import rfc3339
from tests.handlers.api import Api


async def test_anna_lets_tina_see_her_heart_rate_and_takes_it_back(api: Api) -> None:
    """Only that kind, only that trainer, and nothing once it has ended."""
    anna, tina, tom = (
        await api.person(),
        await api.person("Tina", role="trainer"),
        await api.person("Tom", role="trainer"),
    )
    given = await anna.post("/grants", {"trainer": tina.id, "data": ["heart_rate"]})
    assert given.status == 201
    allows = api.contexts.grants.allows
    assert await allows(tina.id, anna.id, "heart_rate")
    assert not await allows(tina.id, anna.id, "workouts")
    assert not await allows(tom.id, anna.id, "heart_rate")
    assert not await allows(anna.id, tina.id, "heart_rate")
    for person in (anna, tina):
        listed = (await person.get("/grants")).data["items"]
        assert [(each["athlete_name"], each["trainer_name"]) for each in listed] == [("Anna", "Tina")]
    assert (await anna.delete(f"/grants/{given.data['id']}")).status == 204
    assert not await allows(tina.id, anna.id, "heart_rate")
    assert (await anna.get("/grants")).data["items"] == []
    assert (await anna.delete(f"/grants/{given.data['id']}")).status == 404


async def test_a_second_grant_to_a_trainer_replaces_the_first(api: Api) -> None:
    """Also when ten come at once: there is one."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    kinds = [["heart_rate"], ["workouts"]] * 5
    answers = await asyncio.gather(
        *(anna.post("/grants", {"trainer": tina.id, "data": each}) for each in kinds)
    )
    assert {answer.status for answer in answers} == {201}
    last = await anna.post("/grants", {"trainer": tina.id, "data": ["nutrition", "workouts", "workouts"]})
    assert last.data["data"] == ["workouts", "nutrition"]
    assert len((await anna.get("/grants")).data["items"]) == 1
    assert not await api.contexts.grants.allows(tina.id, anna.id, "heart_rate")


async def test_a_grant_ends_by_itself_on_its_date(api: Api) -> None:
    """To the second, before anybody has tidied up."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    until = rfc3339(api.clock.utc() + timedelta(minutes=5))
    given = await anna.post("/grants", {"trainer": tina.id, "data": ["heart_rate"], "until": until})
    assert given.data["until"] == until
    api.clock.advance(299)
    assert await api.contexts.grants.allows(tina.id, anna.id, "heart_rate")
    api.clock.advance(2)
    assert not await api.contexts.grants.allows(tina.id, anna.id, "heart_rate")
    assert (await tina.get("/grants")).data["items"] == []


async def test_only_trainers_get_grants(api: Api) -> None:
    """A user and nobody look the same; oneself needs none."""
    anna, bob, tina = await api.person(), await api.person("Bob"), await api.person("Tina", role="trainer")
    for trainer in (bob.id, "f" * 24):
        answer = await anna.post("/grants", {"trainer": trainer, "data": ["workouts"]})
        assert (answer.status, answer.data["detail"]) == (404, "There is no such trainer.")
    assert (await tina.post("/grants", {"trainer": tina.id, "data": ["workouts"]})).status == 422


async def test_grants_that_make_no_sense_are_refused(api: Api) -> None:
    """No kinds, unknown ones, dates that have gone."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    wrong = {
        "data": [[], ["everything"], "heart_rate", None],
        "until": ["2020-01-01T00:00:00Z", "tomorrow", "2026-01-01", 5],
        "trainer": ["x", {"$ne": None}],
    }
    good = {"trainer": tina.id, "data": ["workouts"]}
    for field, values in wrong.items():
        for value in values:  # type: ignore[attr-defined]
            answer = await anna.post("/grants", good | {field: value})
            assert answer.status == 422, (field, value)
            assert [name.split(".")[0] for name in answer.fields] == [field]


async def test_c5_ending_a_grant_takes_the_athlete_out_of_the_trainers_sessions(api: Api) -> None:
    """Nobody stays in a room they are no longer willing to be seen in; a smaller grant counts as well."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    await anna.post("/grants", {"trainer": tina.id, "data": ["heart_rate", "workouts"]})
    made = await tina.post("/sessions", {"title": "Hills", "capacity": 3, "athletes": [anna.id]})
    session = made.data["id"]
    coaching = api.contexts.coaching
    assert await coaching.enter(session, anna.id)
    assert await coaching.sharing(anna.id, {tina.id}) == {tina.id}
    await anna.post("/grants", {"trainer": tina.id, "data": ["workouts"]})
    assert not await coaching.belongs(session, anna.id)
    assert not await coaching.sharing(anna.id, {tina.id})
    assert await coaching.belongs(session, tina.id)
