"""The inbox on the socket: every device is told of it, and of what was read on another one."""

from __future__ import annotations

from typing import Any

from tests.house import House
from tests.peer import connect
from tests.people import People, Person


async def like(people: People, user: Person, by: Person, post: str = "post:1") -> None:
    """Somebody likes a post of theirs."""
    await people.contexts.notifications.notify(
        user.id, "social", event="post.liked", key=f"{post} {by.id}", by=by.id, subject=post
    )


async def test_what_happens_is_told_to_every_device(house: House, people: People) -> None:
    """With the same number in the room's log on each, in one message of either encoding."""
    anna, bert = await people.crowd(2)
    async with connect(house.url, anna.token) as phone, connect(house.url, anna.token) as laptop:
        await like(people, anna, bert)
        told, also = await phone.event("notification"), await laptop.event("notification")
        assert told == also
        data = told["data"]
        assert (data["event"], data["unread"], data["count"]) == ("post.liked", 1, 1)
        assert data["text"] == f"{bert.name} liked your post"
        assert told["seq"] > 0


async def test_reading_on_one_device_tells_the_others(house: House, people: People) -> None:
    """Some, and all; each answer and each event says how many are left."""
    anna, bert = await people.crowd(2)
    async with connect(house.url, anna.token) as phone, connect(house.url, anna.token) as laptop:
        for number in range(3):
            await like(people, anna, bert, f"post:{number}")
        listed = await phone.call("notify.list", limit=2)
        assert [each["subject"] for each in listed["items"]] == ["post:2", "post:1"]
        assert listed["unread"] == 3
        rest = await phone.call("notify.list", cursor=listed["next_cursor"])
        assert [each["subject"] for each in rest["items"]] == ["post:0"]
        first = listed["items"][0]["id"]
        assert (await phone.call("notify.read", ids=[first]))["unread"] == 2
        assert (await laptop.expect("notification.read"))["ids"] == [first]
        answer = await laptop.call("notify.read", all=True)
        event = await phone.expect("notification.read", all=True)
        assert (answer["unread"], event["unread"]) == (0, 0)
        assert answer["revision"] == event["revision"]


async def test_what_was_missed_is_recovered(house: House, people: People) -> None:
    """Who was away goes on from the last event they saw."""
    anna, bert = await people.crowd(2)
    room = f"user:{anna.id}"
    async with connect(house.url, anna.token) as phone:
        await like(people, anna, bert)
        seen = await phone.event("notification")
    await like(people, anna, bert, "post:2")
    await people.contexts.notifications.settle(anna.id)
    async with connect(house.url, anna.token) as phone:
        since = {"epoch": seen["epoch"], "seq": seen["seq"]}
        joined: dict[str, Any] = await phone.call("room.join", room=room, since=since)
        assert joined["recovered"]
        assert [each["data"]["subject"] for each in joined["events"]] == ["post:2"]


async def test_what_to_read_has_to_be_said_in_one_way(house: House, people: People) -> None:
    """Not in none and not in both."""
    anna = await people.athlete()
    async with connect(house.url, anna.token) as phone:
        for data in ({}, {"ids": ["f" * 24], "all": True}, {"ids": []}, {"all": False}):
            assert (await phone.refused("notify.read", **data))["code"] == "invalid"
        assert (await phone.refused("notify.list", cursor="forged"))["code"] == "bad_request"


async def test_A12_a_wearable_hears_nothing_of_the_inbox(house: House, people: People) -> None:
    """A device token is good for its scopes: whoever finds the strap reads nobody's news."""
    anna, bert = await people.crowd(2)
    _, token = await people.device(anna)
    async with connect(house.url, token) as strap, connect(house.url, anna.token) as phone:
        await like(people, anna, bert)
        await phone.event("notification")
        followed = {"user": bert.id, "name": bert.name, "state": "following"}
        people.contexts.announcer.tell(f"user:{anna.id}", "social.followed", followed)
        await phone.event("social.followed")
        assert await strap.settle() == []
        assert (await strap.refused("notify.list"))["code"] == "forbidden"
        assert len(house.realtime.hub.of_user(anna.id)) == 2
