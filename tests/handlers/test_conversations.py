"""Conversations by REST: begun, listed, and read as they are over the socket."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from fittracker.caller import SYSTEM
from fittracker.chat.conversations import MOST_AN_HOUR
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
    made = await asyncio.gather(
        *(begin(anna, bert) for _ in range(5)), *(begin(bert, anna) for _ in range(5))
    )
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
    read = (await cleo.get(f"{BEGIN}/{made['id']}")).data
    assert {name: read[name] for name in made} == made
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


async def test_nobody_begins_hundreds_of_conversations(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that there is already can be asked for as often as one likes."""
    assert MOST_AN_HOUR == 100
    monkeypatch.setattr("fittracker.chat.conversations.MOST_AN_HOUR", 2)
    anna, bert = await api.person(), await api.person("Bert")
    for _ in range(3):
        await begin(anna, bert)
    await begin(anna, bert, title="One")
    answer = await anna.post(BEGIN, {"kind": "group", "members": [bert.id], "title": "Two"})
    assert (answer.status, answer.code) == (429, "rate_limited")
    await begin(anna, bert)


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


# -- what is new ---------------------------------------------------------------------------------------


async def say(api: Api, person: Person, conversation: str, *texts: str) -> list[Any]:
    """Say something; what was confirmed."""
    send = api.contexts.chat.send
    room = f"chat:{conversation}"
    return [await send(person.id, "Name", room, each, client_id=str(uuid4())) for each in texts]


async def listed(person: Person) -> list[tuple[str, int, str | None]]:
    """Somebody's list: title, unread, and the last text."""
    items = (await person.get(BEGIN)).data["items"]
    return [(each["title"], each["unread"], each["last"] and each["last"]["text"]) for each in items]


async def test_the_list_tells_what_is_new_and_what_was_said_last(api: Api) -> None:
    """The last used first; one's own words are not new to oneself; reading makes them old."""
    anna, bert, cleo = await api.person(), await api.person("Bert"), await api.person("Cleo")
    one, two = await begin(anna, bert, cleo, title="One"), await begin(anna, bert, cleo, title="Two")
    await say(api, anna, one["id"], "a", "b")
    api.clock.advance(10)
    await say(api, bert, two["id"], "c")
    api.clock.advance(10)
    (last,) = await say(api, anna, one["id"], "d")
    await api.contexts.chat.activity.flush()
    assert await listed(anna) == [("One", 0, "d"), ("Two", 1, "c")]
    assert await listed(bert) == [("One", 3, "d"), ("Two", 0, "c")]
    marks = api.contexts.chat.marks
    marked, news = await marks.read(bert.id, f"chat:{one['id']}", last.place.seq - 1)
    assert (marked.unread, news) == (1, True)
    assert await listed(bert) == [("One", 1, "d"), ("Two", 0, "c")]
    whole = (await cleo.get(f"{BEGIN}/{one['id']}")).data
    assert [each["name"] for each in whole["people"]] == ["Anna", "Bert", "Cleo"]
    items = (await bert.get(BEGIN)).data["items"]
    assert [each["people"] for each in items] == [whole["people"]] * 2
    assert {each["user"]: each["seq"] for each in whole["readers"]} == {
        anna.id: 0,
        bert.id: last.place.seq - 1,
        cleo.id: 0,
    }


async def test_behind_a_block_nobody_sees_how_far_the_other_reads(api: Api) -> None:
    """Neither live nor by asking, whoever of the two has blocked the other."""
    anna, bert = await api.person(), await api.person("Bert")
    made = await begin(anna, bert)
    (said,) = await say(api, anna, made["id"], "a")
    await api.contexts.blocks.add(anna.id, bert.id, SYSTEM)
    await api.contexts.chat.marks.read(bert.id, f"chat:{made['id']}", said.place.seq)
    for person, seq in ((anna, 0), (bert, said.place.seq)):
        whole = (await person.get(f"{BEGIN}/{made['id']}")).data
        assert whole["readers"] == [{"user": person.id, "seq": seq}]


async def test_the_list_has_pages(api: Api) -> None:
    """Each conversation is on one of them."""
    anna, bert = await api.person(), await api.person("Bert")
    made = [await begin(anna, bert, title=f"No. {number}") for number in range(5)]
    seen, cursor = [], ""
    while True:
        page = (await bert.get(f"{BEGIN}?limit=2{cursor}")).data
        seen += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted(each["id"] for each in made)
    assert (await bert.get(f"{BEGIN}?cursor=x")).status == 400


# -- members -------------------------------------------------------------------------------------------


async def test_an_owner_adds_and_removes_and_others_only_leave(api: Api) -> None:
    """Whoever is added reads what was said before; whoever is out reads nothing."""
    anna, bert, cleo, dora = [await api.person(name) for name in ("Anna", "Bert", "Cleo", "Dora")]
    group = await begin(anna, bert, title="Runners")
    await say(api, anna, group["id"], "Before you came.")
    path = f"{BEGIN}/{group['id']}"
    assert (await bert.put(f"{path}/members/{cleo.id}", None)).status == 403
    for _ in range(2):
        added = await anna.put(f"{path}/members/{cleo.id}", None)
        assert added.data["members"] == [anna.id, bert.id, cleo.id]
    assert (await cleo.get(f"{path}/messages")).data["messages"][0]["text"] == "Before you came."
    assert (await bert.delete(f"{path}/members/{cleo.id}")).status == 403
    assert (await anna.delete(f"{path}/members/{cleo.id}")).status == 204
    assert (await cleo.get(f"{path}/messages")).status == 404
    for nobody in (cleo.id, dora.id, "f" * 24, "x"):
        assert (await anna.delete(f"{path}/members/{nobody}")).status == 404
    assert (await dora.put(f"{path}/members/{dora.id}", None)).status == 404
    for nobody in ("f" * 24, "x"):
        assert (await anna.put(f"{path}/members/{nobody}", None)).status == 404
    await dora.post("/users/me/blocks", {"user": anna.id})
    assert (await anna.put(f"{path}/members/{dora.id}", None)).status == 404
    assert (await bert.delete(f"{path}/members/{bert.id}")).status == 204
    assert (await anna.get(path)).data["members"] == [anna.id]


async def test_the_oldest_member_inherits_a_group(api: Api) -> None:
    """And may do with it what the owner could; two people's conversation has no members to change."""
    anna, bert, cleo = await api.person(), await api.person("Bert"), await api.person("Cleo")
    group = await begin(anna, bert, cleo, title="Runners")
    path = f"{BEGIN}/{group['id']}"
    assert (await anna.delete(f"{path}/members/{anna.id}")).status == 204
    assert (await bert.get(path)).data["owner"] == bert.id
    assert (await bert.delete(f"{path}/members/{cleo.id}")).status == 204
    pair = await begin(anna, bert)
    for method in ("PUT", "DELETE"):
        answer = await api.call(method, f"{BEGIN}/{pair['id']}/members/{anna.id}", anna.access)
        assert answer.status == 409


async def test_a_group_is_full_at_a_thousand(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are added at once."""
    anna, *others = [await api.person(name) for name in ("Anna", "Bert", "Cleo", "Dora", "Emil")]
    group = await begin(anna, others[0], title="Few")
    monkeypatch.setattr("fittracker.chat.membership.MOST_MEMBERS", 3)
    path = f"{BEGIN}/{group['id']}/members"
    answers = await asyncio.gather(*(anna.put(f"{path}/{each.id}", None) for each in others[1:]))
    assert sorted(each.status for each in answers) == [200, 413, 413]
