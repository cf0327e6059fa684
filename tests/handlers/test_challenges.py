"""Challenges by REST: made, found, joined, changed, read."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from fittracker.clock import rfc3339
from tests.handlers.api import Answer, Api, Person

PATH = "/challenges"


def body(api: Api, **more: Any) -> dict[str, Any]:
    """A good one, that runs for two days."""
    now = api.clock.utc()
    span = {"from": rfc3339(now - timedelta(days=1)), "to": rfc3339(now + timedelta(days=1))}
    return {"title": "Push-ups", "metric": "custom", "visibility": "public", **span, **more}


async def make(person: Person, **more: Any) -> Any:
    """Somebody makes one."""
    answer = await person.post(PATH, body(person.api, **more))
    assert answer.status == 201, answer.raw
    return answer.data


async def test_a_challenge_is_made_with_its_maker_in_it(api: Api) -> None:
    """And shown to others as it is for them; sent twice it is there once."""
    anna, bert = await api.person(), await api.person("Bert")
    headers = {"Idempotency-Key": "one"}
    wanted = body(api, goal=100.5, unit="reps", about="As many\nas you can")
    made = (await anna.post(PATH, wanted, headers=headers)).data
    assert (await anna.post(PATH, wanted, headers=headers)).data == made
    assert {
        name: made[name] for name in ("owner", "state", "joined", "participants", "goal", "total", "unit")
    } == {
        "owner": anna.id,
        "state": "running",
        "joined": True,
        "participants": 1,
        "goal": 100.5,
        "total": 0.0,
        "unit": "reps",
    }
    seen = (await bert.get(f"{PATH}/{made['id']}")).data
    assert (seen["joined"], seen["total"]) == (False, None)
    assert [each["id"] for each in (await anna.get(PATH)).data["items"]] == [made["id"]]
    assert (await bert.get(PATH)).data["items"] == []
    assert made["id"] in [each["id"] for each in (await bert.get(f"{PATH}?scope=public")).data["items"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": "2020-01-01T00:00:00Z"}, "to"),
        ({"from": "2035-01-01T00:00:00Z"}, "from"),
        ({"to": "2040-01-01T00:00:00Z"}, "to"),
        ({"metric": "beers"}, "metric"),
        ({"goal": 0}, "goal"),
        ({"title": " "}, "title"),
        ({"invite": ["f" * 24]}, "invite.0"),
    ],
)
async def test_what_cannot_be_is_refused(api: Api, change: dict[str, Any], field: str) -> None:
    """With the field that is wrong."""
    answer = await (await api.person()).post(PATH, body(api, **change))
    assert (answer.status, set(answer.fields)) == (422, {field})


async def test_fifty_join_and_leave_at_once(api: Api) -> None:
    """The counter equals those who take part; again is the same."""
    contexts = api.contexts
    owner = await api.person()
    made = await make(owner)
    people = [(await api.person(f"P{number}")) for number in range(10)]
    joins = [each.post(f"{PATH}/{made['id']}/join") for each in people for _ in range(5)]
    assert {each.status for each in await asyncio.gather(*joins)} == {200}
    seen = (await owner.get(f"{PATH}/{made['id']}")).data
    assert seen["participants"] == 11
    leaves = [each.delete(f"{PATH}/{made['id']}/join") for each in people[:4] for _ in range(3)]
    assert {each.status for each in await asyncio.gather(*leaves)} == {204}
    seen = (await owner.get(f"{PATH}/{made['id']}")).data
    present = {"challenge": made["id"], "left_at": None}
    assert seen["participants"] == await contexts.database.challenge_members.count_documents(present) == 7
    board = (await owner.get(f"{PATH}/{made['id']}/board?limit=3")).data
    assert (len(board["items"]), board["participants"], board["next_cursor"]) == (3, 7, "3")
    rest = (await owner.get(f"{PATH}/{made['id']}/board?limit=10&cursor=3")).data
    assert [each["rank"] for each in rest["items"]] == [4, 5, 6, 7]
    assert rest["next_cursor"] is None


async def test_who_may_look_and_join(api: Api) -> None:
    """By visibility: everybody, followers, the invited; never with a block."""
    owner, follower, guest, stranger = [await api.person(name) for name in ("Olga", "Fay", "Gus", "Sam")]
    assert (await follower.post(f"/users/{owner.id}/follow")).status == 200
    made = {
        visibility: (await make(owner, visibility=visibility, invite=[guest.id]))["id"]
        for visibility in ("public", "followers", "private")
    }

    async def joins(person: Person) -> set[str]:
        answers = {name: await person.post(f"{PATH}/{made[name]}/join") for name in made}
        return {name for name, answer in answers.items() if answer.status == 200}

    assert await joins(stranger) == {"public"}
    assert await joins(follower) == {"public", "followers"}
    assert await joins(guest) == {"public", "followers", "private"}
    inbox = api.contexts.database.notification_facts
    assert await inbox.count_documents({"user": guest.id, "event": "challenge.invited"}) == 3
    assert (await owner.post("/users/me/blocks", {"user": guest.id})).status == 201
    assert await joins(guest) == set()
    board = (await owner.get(f"{PATH}/{made['private']}/board")).data
    assert [each["user"] for each in board["items"]] == [owner.id]


async def change(person: Person, challenge: str, version: str | None = None, **changes: Any) -> Answer:
    """Somebody changes a challenge."""
    headers = {"If-Match": version} if version else {}
    return await person.patch(f"{PATH}/{challenge}", changes, headers=headers)


async def test_its_maker_changes_it_and_nobody_else(api: Api) -> None:
    """Of two who change the same version one is told; the end can only be put off; what is over stays."""
    owner, other = await api.person(), await api.person("Otto")
    made = await make(owner)
    await other.post(f"{PATH}/{made['id']}/join")
    read = await owner.get(f"{PATH}/{made['id']}")
    etag = read.headers["ETag"]
    both = await asyncio.gather(*(change(owner, made["id"], etag, title=title) for title in ("A", "B")))
    assert sorted(each.status for each in both) == [200, 412]
    assert (await change(other, made["id"], title="mine")).status == 404
    now = api.clock.utc()
    sooner, later = rfc3339(now + timedelta(hours=1)), rfc3339(now + timedelta(days=3))
    assert (await change(owner, made["id"], to=sooner)).fields.keys() == {"to"}
    changed = await change(owner, made["id"], to=later, goal=5, visibility="private", invite=[other.id])
    assert (changed.status, changed.data["to"], changed.data["goal"]) == (200, later, 5.0)
    api.clock.advance(timedelta(days=3).total_seconds())
    owner = await _back(owner)
    assert (await change(owner, made["id"], title="late")).status == 409
    assert (await owner.post(f"{PATH}/{made['id']}/join")).status == 200  # already in it
    late = await api.person("Late")
    assert (await late.post(f"{PATH}/{made['id']}/join")).status == 404


async def _back(person: Person) -> Person:
    """Signed in again, after days."""
    await person.sign_in()
    return person
