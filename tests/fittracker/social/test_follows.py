"""Following: at once or by asking, counted as the rows are, and ended by a block."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.errors import Invalid, NotFound, TooLarge
from fittracker.follows import MOST, opens
from fittracker.preferences import PRIVACY
from tests.fittracker.social.conftest import Crowd


async def show(contexts: Contexts, user: str, **privacy: str) -> None:
    """Who may see what of this person."""
    await contexts.users.change_preferences(user, {"privacy": privacy}, None)


async def rows(contexts: Contexts, **query: str) -> int:
    """How many follow, as the rows say."""
    return await contexts.database.follows.count_documents({**query, "state": "following"})


async def request_of(contexts: Contexts, user: str) -> str:
    """The newest request to follow this person."""
    items, _ = await contexts.follows.lists.requests(user, 10, None)
    return str(items[0]["_id"])


async def test_fifty_who_follow_one_at_once_are_fifty(
    contexts: Contexts, other: Contexts, crowd: Crowd
) -> None:
    """At two workers, each clicking twice; and fifty less one, when one of them stops."""
    star, *fans = await crowd(51)
    clicks = [(worker, fan) for fan in fans for worker in (contexts, other)]
    states = await asyncio.gather(*(worker.follows.follow(fan, star) for worker, fan in clicks))
    assert set(states) == {"following"}
    assert await contexts.follows.counts(star) == (50, 0)
    assert await rows(contexts, other=star) == 50
    assert {await contexts.follows.counts(fan) for fan in fans} == {(0, 1)}
    await asyncio.gather(*(worker.follows.unfollow(fans[0], star) for worker in (contexts, other)))
    assert await contexts.follows.counts(star) == (await rows(contexts, other=star), 0) == (49, 0)
    assert await contexts.follows.counts(fans[0]) == (0, 0)
    listed, cursor = await contexts.follows.lists.page(star, star, "followers", 30, None)
    more, last = await contexts.follows.lists.page(star, star, "followers", 30, cursor)
    assert {each["user"] for each in (*listed, *more)} == {*fans[1:]}
    assert (len(listed), len(more), last) == (30, 19, None)


@pytest.mark.parametrize(
    "privacy", [{"profile": "private"}, {"profile": "followers"}, {"weight": "followers"}]
)
async def test_who_keeps_something_back_is_asked(
    contexts: Contexts, crowd: Crowd, privacy: dict[str, str]
) -> None:
    """Asking is not following; being declined leaves nothing, being accepted counts once."""
    shy, fan, other = await crowd(3)
    await show(contexts, shy, **privacy)
    for each in (fan, other, fan):
        assert await contexts.follows.follow(each, shy) == "requested"
    assert not await contexts.follows.follows(fan, shy)
    assert await contexts.follows.standing(fan, shy) == ("requested", "none")
    assert await contexts.follows.counts(shy) == (0, 0)
    items, _ = await contexts.follows.lists.requests(shy, 10, None)
    asked = {each["user"]: each["_id"] for each in items}
    assert set(asked) == {fan, other}
    await contexts.follows.decline(shy, asked[other])
    assert await contexts.follows.state(other, shy) == "none"
    with pytest.raises(NotFound):
        await contexts.follows.decline(shy, asked[other])
    with pytest.raises(NotFound):
        await contexts.follows.accept(fan, asked[fan])  # it was not they who were asked
    await asyncio.gather(*(contexts.follows.accept(shy, asked[fan]) for _ in range(5)))
    assert await contexts.follows.counts(shy) == (1, 0)
    assert await contexts.follows.follows(fan, shy)
    assert await contexts.follows.standing(shy, fan) == ("none", "following")
    told = contexts.database.notifications.find({"user": fan, "event": "follow.accepted"})
    assert [each["by"] async for each in told] == [shy]


async def test_a_request_may_be_taken_back_and_a_follower_removed(contexts: Contexts, crowd: Crowd) -> None:
    """Both leave nothing; who does not follow cannot be removed."""
    shy, fan = await crowd(2)
    await show(contexts, shy, profile="private")
    await contexts.follows.follow(fan, shy)
    request = await request_of(contexts, shy)
    await contexts.follows.unfollow(fan, shy)
    with pytest.raises(NotFound):
        await contexts.follows.accept(shy, request)
    await show(contexts, shy, profile="public")
    assert await contexts.follows.follow(fan, shy) == "following"
    await contexts.follows.remove(shy, fan)
    assert await contexts.follows.counts(shy) == (0, 0)
    with pytest.raises(NotFound):
        await contexts.follows.remove(shy, fan)


async def test_who_opens_up_is_followed_at_once_by_who_had_asked_and_asks_again(
    contexts: Contexts, crowd: Crowd
) -> None:
    """The question is not lost, and not answered by itself either."""
    shy, fan = await crowd(2)
    await show(contexts, shy, profile="private")
    await contexts.follows.follow(fan, shy)
    await show(contexts, shy, profile="public")
    assert await contexts.follows.state(fan, shy) == "requested"
    assert await contexts.follows.follow(fan, shy) == "following"
    assert await contexts.follows.counts(shy) == (1, 0)


async def test_a_block_ends_both_directions_at_once_and_lets_none_begin(
    contexts: Contexts, crowd: Crowd
) -> None:
    """Also a request; and whoever made the block, neither finds the other."""
    anna, bert = await crowd(2)
    await contexts.follows.follow(anna, bert)
    await contexts.follows.follow(bert, anna)
    await contexts.blocks.add(bert, anna, SYSTEM)
    for one, two in ((anna, bert), (bert, anna)):
        assert await contexts.follows.state(one, two) == "none"
        assert await contexts.follows.counts(one) == (0, 0)
        with pytest.raises(NotFound):
            await contexts.follows.follow(one, two)


async def test_following_and_blocking_at_once_never_leaves_a_follower(
    contexts: Contexts, other: Contexts, crowd: Crowd
) -> None:
    """Twelve pairs, at two workers: whichever comes first, the block holds and the counters agree."""
    people = await crowd(24)
    pairs = list(zip(people[::2], people[1::2], strict=True))

    async def follow(user: str, star: str) -> None:
        try:
            await contexts.follows.follow(user, star)
        except NotFound:
            return

    both = [(follow(one, two), other.blocks.add(two, one, SYSTEM)) for one, two in pairs]
    await asyncio.gather(*(each for pair in both for each in pair))
    for one, two in pairs:
        assert await contexts.follows.state(one, two) == "none"
        assert await contexts.follows.counts(two) == (0, 0)


async def test_nobody_follows_themselves_nobody_or_more_than_the_most(
    contexts: Contexts, crowd: Crowd
) -> None:
    """Each with its own failure."""
    anna, bert = await crowd(2)
    for whom, failure in ((anna, Invalid), ("f" * 24, NotFound), ("x", NotFound)):
        for act in (contexts.follows.follow, contexts.follows.unfollow):
            with pytest.raises(failure):
                await act(anna, whom)
    await contexts.database.follow_counts.insert_one({"_id": anna, "following": MOST})
    with pytest.raises(TooLarge):
        await contexts.follows.follow(anna, bert)


async def test_lists_show_nobody_whose_profile_the_viewer_may_not_see(
    contexts: Contexts, crowd: Crowd
) -> None:
    """Hidden ones, blocked ones, and those who are not there; oneself one sees, and all of one's own."""
    star, shy, gone, blocked, plain, viewer = await crowd(6)
    for fan in (shy, gone, blocked, plain):
        await contexts.follows.follow(fan, star)
    await show(contexts, shy, profile="private")
    await contexts.blocks.add(blocked, viewer, SYSTEM)
    await contexts.database.users.update_one({"_id": gone}, {"$set": {"disabled_at": contexts.clock.utc()}})

    async def listed(who: str) -> set[str]:
        items, _ = await contexts.follows.lists.page(who, star, "followers", 10, None)
        return {each["user"] for each in items}

    assert await listed(viewer) == {plain}
    assert await listed(star) == {shy, blocked, plain}
    assert await listed(shy) == {shy, blocked, plain}


async def test_what_is_for_followers_is_seen_by_them_alone(contexts: Contexts, crowd: Crowd) -> None:
    """Profile, weight and heart rate, for each kind of viewer, public, for followers, or private."""
    owner, follower, asking, stranger, blocked = await crowd(5)
    await contexts.follows.follow(follower, owner)
    await show(contexts, owner, profile="followers")
    await contexts.follows.follow(asking, owner)
    await contexts.blocks.add(owner, blocked, SYSTEM)
    viewers = {
        "owner": owner,
        "follower": follower,
        "asking": asking,
        "stranger": stranger,
        "blocked": blocked,
    }

    async def profile(viewer: str) -> str | None:
        try:
            shown = await contexts.people.profile(viewer, owner)
        except NotFound:
            return None
        return "weight" if "weight_kg" in shown else "profile"

    async def seen() -> dict[str, tuple[str | None, bool]]:
        return {
            who: (await profile(viewer), await contexts.people.may_watch(viewer, owner))
            for who, viewer in viewers.items()
        }

    nothing = (None, False)
    assert await seen() == {
        "owner": ("weight", True),
        "follower": ("profile", False),
        **dict.fromkeys(("asking", "stranger", "blocked"), nothing),
    }
    await show(contexts, owner, weight="followers", heart_rate="followers")
    assert (await seen())["follower"] == ("weight", True)
    assert (await seen())["stranger"] == nothing
    await show(contexts, owner, profile="public")
    after = await seen()
    assert after["follower"] == ("weight", True)
    assert after["stranger"] == after["asking"] == ("profile", False)
    assert after["blocked"] == nothing
    await show(contexts, owner, profile="private", heart_rate="private")
    assert (await seen())["follower"] == nothing
    with pytest.raises(NotFound):
        await contexts.people.check_recorded(follower, owner)
    found, _ = await contexts.people_search.find(follower, "Person", 100, None)
    assert owner not in {each["_id"] for each in found}


def test_whoever_shows_something_to_followers_alone_is_asked() -> None:
    """Every field and every word of it."""
    for field in PRIVACY:
        for word in ("public", "followers", "private"):
            person = {"preferences": {"privacy": {field: word}}}
            expected = word == "public" or (word == "private" and field != "profile")
            assert opens(person) is expected, (field, word)


async def test_who_leaves_for_good_is_subtracted_everywhere(contexts: Contexts, crowd: Crowd) -> None:
    """From those they followed, and from those who followed them; asked and asking ones vanish."""
    gone, star, fan, shy = await crowd(4)
    await contexts.follows.follow(gone, star)
    await contexts.follows.follow(fan, gone)
    await show(contexts, shy, profile="private")
    await contexts.follows.follow(gone, shy)
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1

    await contexts.follows.forget(gone, step)
    assert steps
    for each in (gone, star, fan, shy):
        assert await contexts.follows.counts(each) == (0, 0)
    assert await contexts.database.follows.count_documents({"$or": [{"user": gone}, {"other": gone}]}) == 0
    assert await contexts.database.follow_counts.find_one({"_id": gone}) is None
