"""Coaching sessions over REST."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fittracker.clock import rfc3339
from fittracker.coaching.sessions import MOST_AN_HOUR
from tests.handlers.api import Api, Person


async def athlete_of(api: Api, trainer: Person, name: str = "Anna") -> Person:
    """Somebody who lets this trainer see their heart rate."""
    athlete = await api.person(name)
    answer = await athlete.post("/grants", {"trainer": trainer.id, "data": ["heart_rate"]})
    assert answer.status == 201
    return athlete


async def test_tina_opens_a_session_and_its_people_see_it(api: Api) -> None:
    """Live at once; the trainer and her athletes, nobody else."""
    tina = await api.person("Tina", role="trainer")
    anna, bob, ulla = (
        await athlete_of(api, tina),
        await athlete_of(api, tina, "Bob"),
        await api.person("Ulla"),
    )
    made = await tina.post(
        "/sessions", {"title": "Hill repeats", "capacity": 5, "athletes": [anna.id, bob.id, anna.id]}
    )
    assert made.status == 201
    assert (made.data["state"], made.data["athletes"]) == ("live", [anna.id, bob.id])
    for person in (tina, anna, bob):
        assert (await person.get(f"/sessions/{made.data['id']}")).data == made.data
        assert [each["id"] for each in (await person.get("/sessions")).data["items"]] == [made.data["id"]]
    assert (await ulla.get("/sessions")).data == {"items": [], "next_cursor": None}
    people = await api.contexts.coaching.people(made.data["id"])
    assert [(each.name, each.role) for each in people] == [
        ("Anna", "user"),
        ("Bob", "user"),
        ("Tina", "trainer"),
    ]


async def test_a_session_in_the_future_is_planned(api: Api) -> None:
    """People belong to it already; nobody is watched in it yet."""
    tina = await api.person("Tina", role="trainer")
    anna = await athlete_of(api, tina)
    starts_at = rfc3339(api.clock.utc() + timedelta(days=2))
    body = {"title": "Long run", "capacity": 5, "athletes": [anna.id], "starts_at": starts_at}
    made = await tina.post("/sessions", body)
    assert (made.data["state"], made.data["starts_at"]) == ("planned", starts_at)
    assert await api.contexts.coaching.belongs(made.data["id"], anna.id)
    assert not await api.contexts.coaching.sharing(anna.id, {tina.id})


async def test_being_invited_shows_nothing_until_the_athlete_enters(api: Api) -> None:
    """Bob never agreed to anything: Tina may invite him, and sees his heart only once he came in."""
    tina, bob, ulla = await api.person("Tina", role="trainer"), await api.person("Bob"), await api.person()
    made = await tina.post("/sessions", {"title": "Hills", "capacity": 5, "athletes": [bob.id]})
    assert made.status == 201
    coaching, session = api.contexts.coaching, made.data["id"]
    assert await coaching.belongs(session, bob.id)
    assert not await coaching.sharing(bob.id, {tina.id})
    assert not await coaching.enter(session, ulla.id)
    assert await coaching.enter(session, bob.id)
    assert await coaching.enter(session, bob.id)
    assert await coaching.sharing(bob.id, {tina.id}) == {tina.id}
    assert not await coaching.sharing(bob.id, {ulla.id})


async def test_nobody_is_invited_who_does_not_exist(api: Api) -> None:
    """Or whose address was never proved."""
    tina = await api.person("Tina", role="trainer")
    anna = await athlete_of(api, tina)
    body = {"title": "Hills", "capacity": 5, "athletes": [anna.id, "f" * 24]}
    answer = await tina.post("/sessions", body)
    assert (answer.status, answer.fields) == (422, {"athletes.1": "is not known"})
    assert (await anna.get("/sessions")).data["items"] == []


async def test_a_session_has_no_more_athletes_than_places(api: Api) -> None:
    """And the places are a possible number."""
    tina = await api.person("Tina", role="trainer")
    anna, bob = await athlete_of(api, tina), await athlete_of(api, tina, "Bob")
    answer = await tina.post("/sessions", {"title": "x", "capacity": 1, "athletes": [anna.id, bob.id]})
    assert (answer.status, answer.fields) == (422, {"athletes": "exceed the capacity"})
    for capacity in (0, -1, 1_001, 1.5, "5", None):
        assert (await tina.post("/sessions", {"title": "x", "capacity": capacity})).status == 422


async def test_nobody_opens_hundreds_of_sessions(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may register as a trainer, and each session may tell a thousand people of itself."""
    assert MOST_AN_HOUR == 100
    monkeypatch.setattr("fittracker.coaching.sessions.MOST_AN_HOUR", 2)
    tina, rosa = await api.person("Tina", role="trainer"), await api.person("Rosa", role="trainer")
    body = {"title": "Hills", "capacity": 5}
    answers = [await tina.post("/sessions", body) for _ in range(3)]
    assert [each.status for each in answers] == [201, 201, 429]
    assert (await rosa.post("/sessions", body)).status == 201


async def test_a_session_starts_within_a_year(api: Api) -> None:
    """Neither long ago nor in a far future."""
    tina = await api.person("Tina", role="trainer")
    for days in (-2, 400):
        starts_at = rfc3339(api.clock.utc() + timedelta(days=days))
        answer = await tina.post("/sessions", {"title": "x", "capacity": 1, "starts_at": starts_at})
        assert (answer.status, answer.fields.keys()) == (422, {"starts_at"})


async def test_sessions_come_in_pages(api: Api) -> None:
    """Newest first, each once, also when a new one is made between two pages."""
    tina = await api.person("Tina", role="trainer")
    made = [(await tina.post("/sessions", {"title": f"Run {n}", "capacity": 1})).data["id"] for n in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await tina.get(f"/sessions?limit=3{cursor}")).data
        seen += [each["id"] for each in page["items"]]
        await tina.post("/sessions", {"title": "Later", "capacity": 1})
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]


async def test_athletes_are_invited_and_taken_out_one_by_one(api: Api) -> None:
    """Each again is the same; who has a place is shown in the session, and in their own list of sessions."""
    tina, anna, bob = (
        await api.person("Tina", role="trainer"),
        await api.person("Anna"),
        await api.person("Bob"),
    )
    made = (await tina.post("/sessions", {"title": "Hills", "capacity": 1})).data
    path = f"/sessions/{made['id']}/athletes"
    for _ in range(2):
        answer = await tina.put(f"{path}/{anna.id}", None)
        assert (answer.status, answer.data["athletes"]) == (200, [anna.id])
    full = await tina.put(f"{path}/{bob.id}", None)
    assert (full.status, full.code, full.fields) == (409, "conflict", {"capacity": "is 1"})
    assert (await anna.put(f"{path}/{bob.id}", None)).status == 403
    assert (await anna.delete(f"{path}/{bob.id}")).status == 403
    assert (await tina.put(f"{path}/{tina.id}", None)).fields == {"user": "is yourself"}
    assert [each["id"] for each in (await anna.get("/sessions")).data["items"]] == [made["id"]]
    for _ in range(2):
        assert (await tina.delete(f"{path}/{anna.id}")).status == 204
    assert (await anna.get(f"/sessions/{made['id']}")).status == 404
    assert (await tina.put(f"{path}/{bob.id}", None)).status == 200
    assert (await bob.delete(f"{path}/{bob.id}")).status == 204
    assert (await tina.get(f"/sessions/{made['id']}")).data["athletes"] == []


async def test_what_a_session_came_to_is_there_once_it_has_ended(api: Api) -> None:
    """Also for its athletes, themselves; before that it is a conflict and not a lie."""
    tina, anna = await api.person("Tina", role="trainer"), await api.person("Anna")
    body = {"title": "Hills", "capacity": 3, "athletes": [anna.id]}
    made = (await tina.post("/sessions", body)).data
    session, contexts = made["id"], api.contexts
    assert (made["started_at"] is None, made["ended_at"]) == (False, None)
    await contexts.coaching.enter(session, anna.id)
    early = await tina.get(f"/sessions/{session}/summary")
    assert (early.status, early.fields) == (409, {"session": "is live"})
    contexts.session_tally.rep(session, anna.id, exercise="squat", score=75.0)
    await contexts.lessons.cues.cue(
        tina.id, session, kind="praise", text=None, seconds=None, to=None, client_id="1"
    )
    ended = await contexts.coaching.life.step(tina.id, session, "end")
    assert (await tina.get(f"/sessions/{session}")).data["ended_at"] == rfc3339(ended["ended_at"])
    await contexts.lessons.results.idle()
    whole = (await tina.get(f"/sessions/{session}/summary")).data
    assert (whole["started_at"], whole["ended_at"]) == (made["started_at"], rfc3339(ended["ended_at"]))
    assert (whole["reason"], whole["count"], whole["complete"]) == ("trainer", 1, True)
    assert whole["athletes"] == [
        {
            "user": anna.id,
            "name": "Anna",
            "heart": None,
            "reps": 1,
            "faults": 0,
            "exercises": {"squat": {"reps": 1, "score": 75.0, "faults": {}}},
            "cues": {"praise": 1},
            "feedback": {},
            "workouts": [],
            "complete": True,
        }
    ]
    assert (await anna.get(f"/sessions/{session}/summary")).data == whole


async def test_nobody_coaches_themselves(api: Api) -> None:
    """A trainer is in the session anyway, and takes no place in it."""
    tina = await api.person("Tina", role="trainer")
    answer = await tina.post("/sessions", {"title": "x", "capacity": 1, "athletes": [tina.id]})
    assert (answer.status, answer.fields) == (422, {"athletes.0": "is yourself"})
