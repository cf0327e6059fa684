"""Conversations by REST: begun, listed, and read as they are over the socket."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from tests.handlers.api import Api, Person

BEGIN = "/conversations"


async def begin(person: Person, *others: Person, **more: Any) -> Any:
    """Begin a conversation that must come about."""
    kind = "group" if "title" in more else "direct"
    answer = await person.post(BEGIN, {"kind": kind, "members": [each.id for each in others], **more})
    assert answer.status == 201, answer.raw
    return answer.data


async def test_two_people_have_one_conversation(api: Api) -> None:
    """Whoever begins it, and though both do so ten times at once."""
    anna, bert = await api.person(), await api.person("Bert")
    both = [begin(anna, bert), begin(bert, anna)] * 1
    made = await asyncio.gather(*both, *(begin(anna, bert) for _ in range(8)))
    assert len({each["id"] for each in made}) == 1
    assert (made[0]["kind"], set(made[0]["members"])) == ("direct", {anna.id, bert.id})
    assert (made[0]["title"], made[0]["owner"]) == (None, None)
    for person in (anna, bert):
        listed = (await person.get(BEGIN)).data["items"]
        assert [each["id"] for each in listed] == [made[0]["id"]]


async def test_a_group_has_an_owner_and_a_title(api: Api) -> None:
    """There may be several of the same people; whoever is no member sees none of them."""
    anna, bert, cleo, eve = [await api.person(name) for name in ("Anna", "Bert", "Cleo", "Eve")]
    made = await begin(anna, bert, cleo, anna, bert, title=" Hill runners ")
    assert made["members"] == [anna.id, bert.id, cleo.id]
    assert (made["title"], made["owner"], made["kind"]) == ("Hill runners", anna.id, "group")
    assert (await begin(anna, bert, cleo, title="Others"))["id"] != made["id"]
    assert (await cleo.get(f"{BEGIN}/{made['id']}")).data == made
    assert (await eve.get(f"{BEGIN}/{made['id']}")).status == 404
    assert (await eve.get(BEGIN)).data == {"items": [], "next_cursor": None}


async def test_nobody_is_written_to_who_is_not_there_for_one(api: Api) -> None:
    """Nobody, hidden, blocked by either: all look alike, in a group as well."""
    anna, bert, hidden = await api.person(), await api.person("Bert"), await api.person("Hilde")
    await hidden.put("/users/me/preferences", {"privacy": {"profile": "private"}})
    blocked, blocker = await api.person("Bo"), await api.person("Bob")
    await anna.post("/users/me/blocks", {"user": blocked.id})
    await blocker.post("/users/me/blocks", {"user": anna.id})
    details = set()
    for other in (hidden.id, blocked.id, blocker.id, "f" * 24):
        for body in (
            {"kind": "direct", "members": [other]},
            {"kind": "group", "title": "All", "members": [bert.id, other]},
        ):
            answer = await anna.post(BEGIN, body)
            assert answer.status == 404
            details.add(answer.data["detail"])
    assert len(details) == 1
    assert (await anna.get(BEGIN)).data["items"] == []
    assert (await hidden.post(BEGIN, {"kind": "direct", "members": [anna.id]})).status == 201


async def test_what_makes_no_conversation_is_refused(api: Api) -> None:
    """Alone, with too many, with a title where none belongs."""
    anna, bert = await api.person(), await api.person("Bert")
    for body in (
        {"kind": "direct", "members": []},
        {"kind": "direct", "members": [anna.id]},
        {"kind": "direct", "members": [bert.id, "f" * 24]},
        {"kind": "direct", "members": [bert.id], "title": "Us"},
        {"kind": "group", "members": [bert.id]},
        {"kind": "group", "members": [bert.id], "title": " "},
        {"kind": "group", "members": [f"{each:024x}" for each in range(1_000)], "title": "Many"},
        {"kind": "crowd", "members": [bert.id]},
        {"kind": "direct", "members": ["x"]},
    ):
        assert (await anna.post(BEGIN, body)).status == 422, body


async def test_messages_are_read_page_by_page(api: Api) -> None:
    """Upwards from the newest, each page in the order in which it was said."""
    anna, bert = await api.person(), await api.person("Bert")
    made = await begin(anna, bert)
    room = f"chat:{made['id']}"
    for number in range(5):
        await api.contexts.chat.send(anna.id, "Anna", room, f"No. {number}", client_id=str(uuid4()))
    path = f"{BEGIN}/{made['id']}/messages"
    newest = (await bert.get(f"{path}?limit=3")).data
    older = (await bert.get(f"{path}?limit=3&before={newest['messages'][0]['seq']}")).data
    assert (newest["more"], older["more"]) == (True, False)
    read = [each["text"] for each in older["messages"] + newest["messages"]]
    assert read == [f"No. {number}" for number in range(5)]
    for wrong in ("before=0", "before=x", "limit=0", "limit=101", "after=3"):
        assert (await bert.get(f"{path}?{wrong}")).status == 422
