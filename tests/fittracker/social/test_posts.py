"""Posts, likes, comments and the feed, as two workers see them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.errors import Gone, Invalid, NotFound, PreconditionFailed
from fittracker.mongo import Document
from fittracker.social import feed
from fittracker.social.posts import AUDIENCES
from tests.fittracker.social.conftest import Crowd
from tests.moving_clock import MovingClock


async def post(contexts: Contexts, user: str, audience: str = "public", text: str = "A run.") -> str:
    """Somebody posts something; its id."""
    return str((await contexts.social.posts.create(user, text, None, audience))["_id"])


async def counted(contexts: Contexts, post: str) -> tuple[int, int]:
    """The counters of likes and comments; they must equal what is there."""
    found = await contexts.database.posts.find_one({"_id": post})
    assert found is not None
    likes = await contexts.database.post_likes.count_documents({"post": post})
    comments = await contexts.database.post_comments.count_documents({"post": post, "deleted_at": None})
    assert (found["likes"], found["comments"]) == (likes, comments)
    return likes, comments


async def workout(contexts: Contexts, user: str) -> str:
    """A workout of somebody's; its id."""
    now = contexts.clock.utc()
    document = {
        "_id": uuid4().hex[:24],
        "user": user,
        "stream": str(uuid4()),
        "sport": "running",
        "started_at": now - timedelta(hours=1),
        "duration_s": 1800.0,
        "distance_m": 5000.0,
        "summary": {"kcal": 320.5, "avg_bpm": 140.0, "max_bpm": 171},
    }
    await contexts.database.workouts.insert_one(document)
    return str(document["_id"])


async def follow(contexts: Contexts, user: str, star: str) -> None:
    """With consent, whatever the star shows."""
    if await contexts.follows.follow(user, star) == "requested":
        items, _ = await contexts.follows.lists.requests(star, 10, None)
        await contexts.follows.accept(star, items[0]["_id"])


async def fed(contexts: Contexts, user: str, limit: int = 50) -> list[str]:
    """Everything in somebody's feed, page by page."""
    found, cursor = await contexts.social.feed.page(user, limit, None)
    while cursor:
        more, cursor = await contexts.social.feed.page(user, limit, cursor)
        found += more
    return [str(each["_id"]) for each in found]


# -- who sees a post -----------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["public", "followers", "private"])
async def test_each_post_is_seen_by_those_it_is_for(contexts: Contexts, crowd: Crowd, profile: str) -> None:
    """By owner, follower, who asks, stranger and blocked; one by one, in the list, and to be liked.

    What is for everybody is for followers where the person does not show themselves to everybody.
    """
    owner, follower, asking, stranger, blocked = await crowd(5)
    await contexts.users.change_preferences(owner, {"privacy": {"profile": profile}}, None)
    await follow(contexts, follower, owner)
    if profile != "public":
        await contexts.follows.follow(asking, owner)
    await contexts.blocks.add(blocked, owner, SYSTEM)
    posts = {await post(contexts, owner, each): each for each in AUDIENCES}
    everybody = ("public",) if profile == "public" else ()
    expected: dict[str, tuple[str, ...]] = {
        owner: AUDIENCES,
        follower: ("public", "followers"),
        asking: everybody,
        stranger: everybody,
        blocked: (),
    }
    for viewer, audiences in expected.items():
        seen = {posts[each] for each in posts if await contexts.social.posts.may_see(viewer, each)}
        assert seen == set(audiences)
        for each, audience in posts.items():
            if audience not in audiences:
                for act in (
                    contexts.social.posts.get(viewer, each),
                    contexts.social.likes.put(viewer, each, True),
                    contexts.social.comments.add(viewer, each, "hm", None),
                    contexts.social.likes.page(viewer, each, 10, None),
                    contexts.social.comments.page(viewer, each, 10, None),
                ):
                    with pytest.raises(NotFound):
                        await act
        if viewer == blocked or (not audiences and profile != "public"):
            with pytest.raises(NotFound):
                await contexts.social.posts.page(viewer, owner, 10, None)
        else:
            items, _ = await contexts.social.posts.page(viewer, owner, 10, None)
            assert {posts[each["_id"]] for each in items} == set(audiences)


async def test_what_a_post_shows_of_a_workout_depends_on_who_looks(contexts: Contexts, crowd: Crowd) -> None:
    """The heart only to who may see it; what is deleted no more; somebody else's cannot be shared."""
    owner, viewer = await crowd(2)
    ridden = await workout(contexts, owner)
    made = await contexts.social.posts.create(owner, "", ridden, "public")

    async def card(who: str) -> Any:
        found = await contexts.social.posts.get(who, made["_id"])
        return (await contexts.social.posts.shown(who, [found]))[0]["workout"]

    own = await card(owner)
    assert (own["distance_m"], own["kcal"], own["avg_bpm"], own["max_bpm"]) == (5000.0, 320.5, 140.0, 171)
    assert set(own) - set(await card(viewer)) == {"avg_bpm", "max_bpm"}
    await contexts.users.change_preferences(owner, {"privacy": {"heart_rate": "followers"}}, None)
    await follow(contexts, viewer, owner)
    assert await card(viewer) == own
    await contexts.database.workouts.delete_one({"_id": ridden})
    assert await card(viewer) is None
    with pytest.raises(Invalid):
        await contexts.social.posts.create(viewer, "mine", ridden, "public")
    theirs = await workout(contexts, owner)
    with pytest.raises(Invalid):
        await contexts.social.posts.create(viewer, "mine", theirs, "public")
    with pytest.raises(Invalid):
        await contexts.social.posts.create(viewer, "", None, "public")


async def test_of_two_who_edit_the_same_version_one_is_told(
    contexts: Contexts, other: Contexts, crowd: Crowd
) -> None:
    """And a post cannot be emptied, nor edited by somebody else."""
    owner, stranger = await crowd(2)
    mine = await post(contexts, owner)
    edits = (
        worker.social.posts.change(owner, mine, {"text": text}, 1)
        for worker, text in ((contexts, "a"), (other, "b"))
    )
    outcomes = await asyncio.gather(*edits, return_exceptions=True)
    assert sorted(type(each) is PreconditionFailed for each in outcomes) == [False, True]
    found = await contexts.social.posts.get(owner, mine)
    assert (found["version"], found["edited_at"] is not None) == (2, True)
    with pytest.raises(Invalid):
        await contexts.social.posts.change(owner, mine, {"text": ""}, None)
    for act in (
        contexts.social.posts.change(stranger, mine, {"text": "x"}, None),
        contexts.social.posts.delete(stranger, mine),
    ):
        with pytest.raises(NotFound):
            await act


# -- likes and comments --------------------------------------------------------------------------------


async def test_fifty_likes_at_once_are_fifty(contexts: Contexts, other: Contexts, crowd: Crowd) -> None:
    """At two workers, each twice; and taken back at once as well. The owner hears of each person once."""
    owner, *fans = await crowd(51)
    liked = await post(contexts, owner)
    clicks = [(worker, fan) for fan in fans for worker in (contexts, other)]
    await asyncio.gather(*(worker.social.likes.put(fan, liked, True) for worker, fan in clicks))
    assert await counted(contexts, liked) == (50, 0)
    items, _ = await contexts.social.likes.page(owner, liked, 100, None)
    assert {each["user"] for each in items} == {*fans}
    told = {"user": owner, "event": "post.liked", "subject": f"post:{liked}"}
    facts = contexts.database.notification_facts
    assert await facts.count_documents(told) == 50
    some = [(worker, fan) for fan in fans[:20] for worker in (contexts, other)]
    await asyncio.gather(*(worker.social.likes.put(fan, liked, False) for worker, fan in some))
    assert await counted(contexts, liked) == (30, 0)
    assert await contexts.social.likes.put(fans[0], liked, True) == 31
    assert await contexts.social.likes.put(owner, liked, True) == 32
    assert await facts.count_documents(told) == 50  # one has come back, nobody likes their own


async def test_comments_are_there_once_and_counted(contexts: Contexts, other: Contexts, crowd: Crowd) -> None:
    """Ten of each of five people, each sent four times at two workers."""
    owner, *people = await crowd(6)
    talked_about = await post(contexts, owner)
    said = [(person, str(uuid4()), f"no. {n}") for person in people for n in range(10)]
    made = await asyncio.gather(
        *(
            worker.social.comments.add(person, talked_about, text, number)
            for person, number, text in said
            for worker in (contexts, other, contexts, other)
        )
    )
    assert len({each["_id"] for each in made}) == 50
    assert await counted(contexts, talked_about) == (0, 50)
    told = {"user": owner, "event": "post.commented"}
    assert await contexts.database.notification_facts.count_documents(told) == 50
    first, cursor = await contexts.social.comments.page(owner, talked_about, 30, None)
    rest, _ = await contexts.social.comments.page(owner, talked_about, 30, cursor)
    assert {each["_id"] for each in (*first, *rest)} == {each["_id"] for each in made}
    again = await contexts.social.comments.add(people[0], talked_about, "something else", said[0][1])
    assert again["text"] == "no. 0"


async def test_a_comment_is_deleted_by_its_author_or_the_owner_of_the_post(
    contexts: Contexts, other: Contexts, crowd: Crowd, clock: MovingClock
) -> None:
    """Once, though both do at the same time; sent again it does not come back; its text is gone."""
    owner, author, stranger = await crowd(3)
    talked_about = await post(contexts, owner)
    number = str(uuid4())
    made = await contexts.social.comments.add(author, talked_about, "rude", number)
    kept = await contexts.social.comments.add(author, talked_about, "kind", None)
    with pytest.raises(NotFound):
        await contexts.social.comments.delete(stranger, made["_id"])
    deletions = (
        worker.social.comments.delete(who, made["_id"])
        for worker, who in ((contexts, owner), (other, author))
    )
    outcomes = await asyncio.gather(*deletions, return_exceptions=True)
    assert None in outcomes
    assert await counted(contexts, talked_about) == (0, 1)
    left = await contexts.database.post_comments.find_one({"_id": made["_id"]})
    assert left is not None
    assert left["text"] == ""
    with pytest.raises(Gone):
        await contexts.social.comments.add(author, talked_about, "rude", number)
    items, _ = await contexts.social.comments.page(owner, talked_about, 10, None)
    assert [each["_id"] for each in items] == [kept["_id"]]
    await contexts.blocks.add(owner, author, SYSTEM)
    await contexts.social.comments.delete(author, kept["_id"])  # one's own words can be taken back
    assert await counted(contexts, talked_about) == (0, 0)


async def test_nobody_reads_those_with_whom_they_have_a_block(contexts: Contexts, crowd: Crowd) -> None:
    """Under the post of a third person, in both directions; the others still do."""
    owner, loud, tired = await crowd(3)
    talked_about = await post(contexts, owner)
    for each in (loud, tired):
        await contexts.social.comments.add(each, talked_about, "hm", None)
        await contexts.social.likes.put(each, talked_about, True)
    await contexts.blocks.add(tired, loud, SYSTEM)
    for page in (contexts.social.comments.page, contexts.social.likes.page):
        seen = {
            who: {each["user"] for each in (await page(who, talked_about, 10, None))[0]}
            for who in (owner, loud, tired)
        }
        assert seen == {owner: {loud, tired}, loud: {loud}, tired: {tired}}


async def test_a_deleted_post_takes_everything_along_even_if_it_was_interrupted(
    contexts: Contexts, crowd: Crowd
) -> None:
    """What a dead worker has hidden and not finished, another one finishes."""
    owner, fan = await crowd(2)
    whole, half = await post(contexts, owner), await post(contexts, owner)
    for each in (whole, half):
        await contexts.social.likes.put(fan, each, True)
        await contexts.social.comments.add(fan, each, "hm", None)
    await contexts.social.posts.delete(owner, whole)
    await contexts.database.posts.update_one({"_id": half}, {"$set": {"deleted_at": contexts.clock.utc()}})
    for act in (
        contexts.social.posts.get(owner, half),
        contexts.social.likes.put(fan, half, False),
        contexts.social.comments.add(fan, half, "hm", None),
    ):
        with pytest.raises(NotFound):
            await act
    assert await contexts.social.posts.sweep() == 1
    for name in ("post_likes", "post_comments"):
        assert await contexts.database[name].count_documents({"post": {"$in": [whole, half]}}) == 0
    assert await contexts.database.posts.count_documents({"user": owner}) == 0


# -- the feed ------------------------------------------------------------------------------------------


async def test_the_feed_is_newest_first_whole_and_right_at_once(
    contexts: Contexts, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever pages it is read, however many queries it takes; also after unfollowing and blocking."""
    monkeypatch.setattr(feed, "TOGETHER", 2)
    reader, *stars = await crowd(6)
    followed, stranger = stars[:4], stars[4]
    for star in followed:
        await follow(contexts, reader, star)
    made: list[Document] = []
    for number in range(5):
        for star in (reader, *followed):
            audience = AUDIENCES[number % 3]
            made.append(await contexts.social.posts.create(star, str(number), None, audience))
    await post(contexts, stranger)
    mine = [each for each in made if each["visibility"] != "private" or each["user"] == reader]
    newest = sorted(mine, key=lambda each: (each["created_at"], each["_id"]), reverse=True)
    ids = [each["_id"] for each in newest]
    for limit in (1, 3, 7, 50):
        assert await fed(contexts, reader, limit) == ids

    async def without(*gone: str) -> bool:
        left = [each["_id"] for each in newest if each["user"] not in gone]
        return await fed(contexts, reader, 3) == left

    await contexts.follows.unfollow(reader, followed[0])
    assert await without(followed[0])
    await contexts.blocks.add(followed[1], reader, SYSTEM)
    assert await without(*followed[:2])
    disabled = {"$set": {"disabled_at": contexts.clock.utc()}}
    await contexts.database.users.update_one({"_id": followed[2]}, disabled)
    assert await without(*followed[:3])


async def test_the_feed_reads_its_posts_in_the_order_of_an_index(contexts: Contexts, crowd: Crowd) -> None:
    """For as many as are looked up together nothing is sorted, and little is read beyond what is given."""
    stars = await crowd(3)
    many = [*stars, *(f"{number:024x}" for number in range(feed.TOGETHER - 3))]
    for star in stars:
        for _ in range(20):
            await post(contexts, star)
    query = {"user": {"$in": many}, "shown": True}
    newest = [("created_at", -1), ("_id", -1)]
    plan = await contexts.database.posts.find(query, sort=newest, limit=11).explain()
    stages = str(plan["queryPlanner"]["winningPlan"])
    assert "SORT_MERGE" in stages
    assert "'stage': 'SORT'" not in stages
    assert plan["executionStats"]["totalDocsExamined"] <= 20


# -- leaving -------------------------------------------------------------------------------------------


async def test_who_leaves_for_good_takes_their_likes_and_words_along(
    contexts: Contexts, crowd: Crowd
) -> None:
    """The counters of others go down; their own posts are gone with what others said there."""
    gone, owner, fan = await crowd(3)
    theirs, others = await post(contexts, gone), await post(contexts, owner)
    for who in (gone, fan):
        for each in (theirs, others):
            await contexts.social.likes.put(who, each, True)
            await contexts.social.comments.add(who, each, "hm", None)
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1

    for _ in range(2):  # begun again after an interruption it does no harm
        await contexts.social.forget(gone, step)
    assert steps >= 3
    assert await counted(contexts, others) == (1, 1)
    assert await contexts.database.posts.find_one({"_id": theirs}) is None
    for name in ("post_likes", "post_comments"):
        assert await contexts.database[name].count_documents({"post": theirs}) == 0
