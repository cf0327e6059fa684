"""Posts live, over two workers: who hears what, who looks at a post, and whom a change takes out at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError  # noqa: A004  Redis' own

from config.settings import Settings
from fittracker.caller import SYSTEM
from fittracker.ids import new_id
from tests.house import House, open_house
from tests.peer import MSGPACK, Peer, connect
from tests.people import People, Person


@pytest.fixture(scope="module")
async def other_house(settings: Settings) -> AsyncIterator[House]:
    """Another worker beside the first."""
    async with open_house(settings) as house:
        yield house


class Square:
    """A place with sockets of people at both workers."""

    def __init__(self, houses: tuple[House, House], stack: AsyncExitStack) -> None:
        self.houses = houses
        self._stack = stack
        self.people = houses[0].people
        self.social = self.people.contexts.social

    async def socket(self, person: Person, house: int = 0, room: str | None = None, **more: Any) -> Peer:
        """A socket at one of the workers, in a room."""
        url = self.houses[house].url
        peer = await self._stack.enter_async_context(connect(url, person.token, **more))
        if room is not None:
            await peer.call("room.join", room=room)
        return peer

    async def post(self, owner: Person, audience: str = "public", text: str = "A run.") -> str:
        """Somebody posts something; its id."""
        return str((await self.social.posts.create(owner.id, text, None, audience))["_id"])

    async def until_out(self, person: Person, room: str, house: int = 0) -> None:
        """Until nobody's socket of theirs is in the room."""
        hub = self.houses[house].realtime.hub
        async with asyncio.timeout(10):
            while any(room in each.rooms for each in hub.of_user(person.id)):
                await asyncio.sleep(0.01)


@pytest.fixture
async def square(house: House, other_house: House) -> AsyncIterator[Square]:
    """An empty one."""
    async with AsyncExitStack() as stack:
        yield Square((house, other_house), stack)


async def follow(people: People, user: Person, star: Person) -> None:
    """With consent, whatever the star shows."""
    follows = people.contexts.follows
    if await follows.follow(user.id, star.id) == "requested":
        items, _ = await follows.lists.requests(star.id, 10, None)
        await follows.accept(star.id, items[0]["_id"])


def of(frames: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    """Those of these types."""
    return [each for each in frames if each["type"] in kinds]


# -- what is heard -------------------------------------------------------------------------------------


async def test_a_like_reaches_whoever_looks_and_the_owner_as_the_newest_count(square: Square) -> None:
    """On both workers, in either encoding; thirty at once are a few events, the last of which is right."""
    owner, viewer, *fans = await square.people.crowd(32)
    post = await square.post(owner)
    looking = await square.socket(viewer, 1, f"post:{post}", protocols=(MSGPACK,))
    own = await square.socket(owner, 1)
    peers = [await square.socket(each, place % 2) for place, each in enumerate(fans)]
    answers = await asyncio.gather(*(each.call("social.like", post=post) for each in peers))
    assert all(each["liked"] for each in answers)
    assert max(each["likes"] for each in answers) == 30
    for peer, room in ((looking, f"post:{post}"), (own, f"user:{owner.id}")):
        newest = await peer.event("social.liked", room=room, likes=30)
        assert newest["data"] == {"post": post, "likes": 30, "change": newest["data"]["change"]}
        earlier = of(list(peer.backlog), "social.liked")
        assert len(earlier) < 15
        assert all(each["data"]["change"] <= newest["data"]["change"] for each in earlier)
    assert await peers[0].call("social.unlike", post=post) == {"post": post, "liked": False, "likes": 29}
    assert (await looking.expect("social.liked", likes=29))["post"] == post


async def test_a_comment_reaches_whoever_looks_but_for_those_with_a_block(square: Square) -> None:
    """Sent twice it is heard once; its deletion is heard as well."""
    owner, author, viewer, tired = await square.people.crowd(4)
    post = await square.post(owner)
    room = f"post:{post}"
    await square.people.contexts.blocks.add(tired.id, author.id, SYSTEM)
    own, looking = await square.socket(owner, 1), await square.socket(viewer, 1, room)
    spared, talking = await square.socket(tired, 1, room), await square.socket(author, 0, room)
    said = {"post": post, "text": "Well done!\nReally.", "client_id": str(uuid4())}
    made = await talking.call("social.comment", **said)
    for peer in (looking, own, talking):
        heard = await peer.expect("social.commented", comment=made["id"])
        assert heard == {
            "post": post,
            "comment": made["id"],
            "user": author.id,
            "name": author.name,
            "text": "Well done!\nReally.",
            "created_at": made["created_at"],
            "comments": 1,
        }
    assert await talking.call("social.comment", **said) == made
    assert (await own.expect("notification", event="post.commented"))["data"] == {"comment": made["id"]}
    await square.social.comments.delete(author.id, made["id"])
    for peer in (looking, own):
        assert await peer.expect("social.uncommented") == {"post": post, "comment": made["id"], "comments": 0}
        assert of(await peer.settle(), "social.commented") == []
    assert of(await spared.settle(), "social.commented") == []


async def test_what_is_posted_reaches_the_followers_who_are_there_and_nobody_else(square: Square) -> None:
    """At both workers; what is private reaches nobody. Being followed is told to the one who is."""
    owner, here, there, stranger = await square.people.crowd(4)
    own = await square.socket(owner, 1)
    for each in (here, there):
        await follow(square.people, each, owner)
        assert (await own.expect("social.followed", user=each.id))["name"] == each.name
    peers = [await square.socket(here, 0), await square.socket(there, 1)]
    outside = await square.socket(stranger, 1)
    await square.post(owner, "private")
    post = await square.post(owner, "followers", "For you.")
    for peer in peers:
        heard = await peer.expect("social.posted")
        assert (heard["post"], heard["user"], heard["text"]) == (post, owner.id, "For you.")
    assert of(await outside.settle(), "social.posted") == []


async def test_a_post_of_somebody_with_thousands_of_followers_costs_one_message(
    square: Square, redis_url: str
) -> None:
    """Though more follow than are connected; of those who are, exactly the followers hear of it."""
    owner, fan, stranger = await square.people.crowd(3)
    now = square.people.contexts.clock.utc()
    rows = [
        {
            "_id": new_id(),
            "user": new_id(),
            "other": owner.id,
            "state": "following",
            "since": now,
            "created_at": now,
        }
        for _ in range(5_000)
    ]
    database = square.people.contexts.database
    await database.follows.insert_many(rows)
    await database.follow_counts.insert_one({"_id": owner.id, "followers": 5_000})
    await follow(square.people, fan, owner)
    peer, outside = await square.socket(fan, 1), await square.socket(stranger, 1)
    async with Redis.from_url(redis_url) as redis:

        async def published() -> int:
            stats = await redis.info("commandstats")
            return int(stats["cmdstat_publish"]["calls"])

        before = await published()
        await square.post(owner)
        await peer.expect("social.posted", user=owner.id)
        assert await published() - before < 20  # ours is one; presence and probes have theirs
    assert of(await outside.settle(), "social.posted") == []


# -- who may look --------------------------------------------------------------------------------------


async def test_the_room_of_a_post_is_for_whoever_may_see_it(square: Square) -> None:
    """For all others it is not there, and what is done to it through the socket neither."""
    owner, follower, stranger = await square.people.crowd(3)
    await follow(square.people, follower, owner)
    post = await square.post(owner, "followers")
    for person in (owner, follower):
        peer = await square.socket(person, 1)
        joined = await peer.call("room.join", room=f"post:{post}")
        assert (joined["epoch"], joined["recovered"]) == (None, False)
    outside = await square.socket(stranger)
    for command, data in (
        ("room.join", {"room": f"post:{post}"}),
        ("social.like", {"post": post}),
        ("social.comment", {"post": post, "text": "hm", "client_id": str(uuid4())}),
    ):
        assert (await outside.refused(command, **data))["code"] == "not_found"


async def hide(square: Square, owner: Person, _viewer: Person, post: str) -> None:
    """The post becomes private."""
    await square.social.posts.change(owner.id, post, {"visibility": "private"}, None)


async def unfollow(square: Square, owner: Person, viewer: Person, _post: str) -> None:
    """The viewer follows no more."""
    await square.people.contexts.follows.unfollow(viewer.id, owner.id)


async def remove(square: Square, owner: Person, viewer: Person, _post: str) -> None:
    """The owner wants the viewer to follow no more."""
    await square.people.contexts.follows.remove(owner.id, viewer.id)


async def block(square: Square, owner: Person, viewer: Person, _post: str) -> None:
    """The viewer blocks the owner."""
    await square.people.contexts.blocks.add(viewer.id, owner.id, SYSTEM)


async def delete(square: Square, owner: Person, _viewer: Person, post: str) -> None:
    """The post is gone."""
    await square.social.posts.delete(owner.id, post)


@pytest.mark.parametrize("change", [hide, unfollow, remove, block, delete])
async def test_who_may_see_it_no_more_is_out_at_once(square: Square, change: Callable[..., Any]) -> None:
    """On another worker; who still may see it stays and hears."""
    owner, viewer, friend = await square.people.crowd(3)
    for each in (viewer, friend):
        await follow(square.people, each, owner)
    post = await square.post(owner, "followers")
    room = f"post:{post}"
    looking, staying = await square.socket(viewer, 1, room), await square.socket(friend, 1, room)
    own = await square.socket(owner, 1, room)
    await change(square, owner, viewer, post)
    await square.until_out(viewer, room, 1)
    assert (await looking.refused("room.join", room=room))["code"] == "not_found"
    stays = change not in (hide, delete)
    assert any(room in each.rooms for each in square.houses[1].realtime.hub.of_user(friend.id)) or not stays
    if stays:
        await square.social.likes.put(owner.id, post, True)
        for peer in (staying, own):
            await peer.expect("social.liked", room=room, likes=1)
        assert of(await looking.settle(), "social.liked") == []


async def test_those_who_look_at_a_hidden_post_are_asked_for_at_once(
    square: Square, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of ten thousand must not go on listening while each before them is looked up."""
    owner, *crowd = await square.people.crowd(13)
    post = await square.post(owner)
    room = f"post:{post}"
    for each in crowd:
        await square.socket(each, 1, room)
    posts = square.houses[1].realtime.contexts.social.posts
    asked: list[int] = []
    seeing = posts.seeing

    async def count(name: str, viewers: Any) -> set[str]:
        asked.append(len(viewers))
        return await seeing(name, viewers)

    monkeypatch.setattr(posts, "seeing", count)
    await hide(square, owner, crowd[0], post)
    for each in crowd:
        await square.until_out(each, room, 1)
    assert asked == [12]


async def test_who_hides_their_profile_has_their_public_posts_seen_by_followers_alone(square: Square) -> None:
    """Those who look and do not follow are out; what followers see of the heart ends with following."""
    owner, follower, stranger = await square.people.crowd(3)
    await follow(square.people, follower, owner)
    post = await square.post(owner)
    room = f"post:{post}"
    await square.socket(stranger, 1, room)
    kept = await square.socket(follower, 1, room)
    change = square.people.contexts.users.change_preferences
    await change(owner.id, {"privacy": {"profile": "followers", "heart_rate": "followers"}}, None)
    await square.until_out(stranger, room, 1)
    await kept.call("hr.watch", user=owner.id)
    await square.people.contexts.follows.unfollow(follower.id, owner.id)
    for name in (room, f"heart:{owner.id}"):
        await square.until_out(follower, name, 1)


async def test_without_valkey_what_is_done_is_done_and_told_later_by_looking(
    square: Square,
) -> None:
    """Liking, commenting, posting and following need MongoDB alone."""
    owner, fan = await square.people.crowd(2)
    await follow(square.people, fan, owner)
    contexts = square.people.contexts

    async def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("Valkey is away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contexts.control._redis, "publish", away)
        post = await square.post(owner)
        assert await contexts.social.likes.put(fan.id, post, True) == 1
        made = await contexts.social.comments.add(fan.id, post, "hm", str(uuid4()))
        await contexts.social.posts.change(owner.id, post, {"visibility": "followers"}, None)
        await contexts.follows.unfollow(fan.id, owner.id)
    items, _ = await contexts.social.comments.page(owner.id, post, 10, None)
    assert [each["_id"] for each in items] == [made["_id"]]
    assert not await contexts.social.posts.may_see(fan.id, post)
