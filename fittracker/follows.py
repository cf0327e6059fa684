"""Following: who wants to see what somebody posts, and what they show to followers alone.

Where somebody shows everybody the same, following begins at once; where they keep anything back, they are
asked. The counters of a person are changed in the same transaction as the rows they count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from pymongo.errors import DuplicateKeyError

from fittracker.announcer import Announcer
from fittracker.blocks import Blocks
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.control import Control, LookAgain
from fittracker.errors import Failure, Invalid, NotFound, TooLarge
from fittracker.follow_lists import FollowLists, Side
from fittracker.ids import is_id, new_id
from fittracker.informing import Informing
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.preferences import PRIVACY, visibility
from fittracker.present import PRESENT, is_present, names
from fittracker.redis import OUTAGES
from fittracker.together import Together

log = logger(__name__)

MOST: Final = 5_000
"""So many people one person may follow: their posts are looked up when the feed is read."""
STEP: Final = 50
FOLLOWED: Final = "social.followed"
State = Literal["following", "requested", "none"]
Act = Literal["follow", "ask", "accept", "end"]
Wish = tuple[Act, str]
"""What to do, and about which follower."""


class Followed(msgspec.Struct):
    """Somebody follows this person, or asks whether they may; said to the one who is followed."""

    user: str
    name: str
    state: Literal["following", "requested"]


class Follows:
    """Who follows whom."""

    def __init__(
        self,
        database: Database,
        blocks: Blocks,
        control: Control,
        announcer: Announcer,
        informing: Informing,
        clock: Clock,
    ) -> None:
        self._database = database
        self._follows = database.follows
        self._counts = database.follow_counts
        self._users = database.users
        self._blocks = blocks
        self._control = control
        self._announcer = announcer
        self._informing = informing
        self._clock = clock
        # By the person who is followed: it is their counter that many change at once.
        self._together: Together[str, Wish, State] = Together(self._carry_out)
        self.lists = FollowLists(database, blocks, self.followed_of)
        blocks.when_added(self._blocked)

    # -- asking --------------------------------------------------------------------------------------

    async def follows(self, user: str, other: str) -> bool:
        """Whether the user follows the other, with their consent."""
        return other in await self.followed_of(user, [other])

    async def followed_of(self, user: str, others: Collection[str]) -> set[str]:
        """Those of the others whom this user follows."""
        query = {"user": user, "other": {"$in": list(others)}, "state": "following"}
        return {each["other"] async for each in self._follows.find(query, {"other": 1})}

    async def followers_of(self, other: str, users: Collection[str]) -> set[str]:
        """Those of the users who follow this person."""
        query = {"other": other, "user": {"$in": list(users)}, "state": "following"}
        return {each["user"] async for each in self._follows.find(query, {"user": 1})}

    async def tied(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those pairs of which the first follows the second."""
        ones, others = {one for one, _ in pairs}, {other for _, other in pairs}
        query = {"user": {"$in": list(ones)}, "other": {"$in": list(others)}, "state": "following"}
        found = {
            (each["user"], each["other"])
            async for each in self._follows.find(query, {"_id": 0, "user": 1, "other": 1})
        }
        return found & set(pairs)

    async def all_followed(self, user: str) -> list[str]:
        """Everybody whom this user follows: at most 5,000."""
        query = {"user": user, "state": "following"}
        return [each["other"] async for each in self._follows.find(query, {"other": 1}, limit=MOST)]

    async def all_followers(self, user: str) -> AsyncIterator[str]:
        """Everybody who follows this person."""
        query = {"other": user, "state": "following"}
        async for each in self._follows.find(query, {"user": 1}):
            yield each["user"]

    async def counts(self, user: str) -> tuple[int, int]:
        """How many follow this person, and how many they follow."""
        found = await self._counts.find_one({"_id": user}) or {}
        return int(found.get("followers", 0)), int(found.get("following", 0))

    async def state(self, user: str, other: str) -> State:
        """How the user stands to the other."""
        found = await self._follows.find_one({"user": user, "other": other}, {"state": 1})
        return found["state"] if found else "none"

    async def standing(self, user: str, other: str) -> tuple[State, State]:
        """How the user stands to the other, and the other to the user.

        NotFound where there is nobody, or a block; Invalid for oneself.
        """
        if user == other:
            raise Invalid("Nobody can follow themselves.", fields={"id": "is yourself"})
        if not await is_present(self._users, other) or await self._blocks.between(user, other):
            raise NotFound("There is no such person.")
        return await self.state(user, other), await self.state(other, user)

    # -- following -----------------------------------------------------------------------------------

    async def follow(self, user: str, other: str) -> State:
        """Follow somebody, or ask whether one may; again is the same.

        NotFound where there is nobody, or a block; Invalid for oneself, TooLarge from 5,000 on.
        """
        if user == other:
            raise Invalid("Nobody can follow themselves.", fields={"id": "is yourself"})
        person = (
            await self._users.find_one({"_id": other, **PRESENT}, {"preferences": 1})
            if is_id(other)
            else None
        )
        if person is None or await self._blocks.between(user, other):
            raise NotFound("There is no such person.")
        before = await self.state(user, other)
        if before == "none" and (await self.counts(user))[1] >= MOST:
            raise TooLarge(f"Nobody can follow more than {MOST:,} people.")
        state = await self._together.ask(other, ("follow" if opens(person) else "ask", user))
        if await self._blocks.between(user, other):
            # The block came in between, and may not have found what was being written.
            await self._end(user, other)
            raise NotFound("There is no such person.")
        if state != before:
            await self._tell_followed(user, other, state)
        return state

    async def unfollow(self, user: str, other: str) -> None:
        """Follow somebody no more, or take the question back; again is the same. NotFound where nobody is."""
        if user == other:
            raise Invalid("Nobody can follow themselves.", fields={"id": "is yourself"})
        if await self.state(user, other) == "none":
            if not await is_present(self._users, other) or await self._blocks.between(user, other):
                raise NotFound("There is no such person.")
            return
        await self._end(user, other)

    async def remove(self, user: str, follower: str) -> None:
        """Somebody shall not follow this user any more; NotFound for who does not."""
        if await self.state(follower, user) == "none":
            raise NotFound("This person does not follow you.")
        await self._end(follower, user)

    async def accept(self, user: str, request: str) -> None:
        """Let somebody follow; again is the same. NotFound for what was not asked of this user."""
        asking = await self._asked(user, request)
        if asking["state"] == "requested":
            state = await self._together.ask(user, ("accept", asking["user"]))
            if state != "following":
                raise NotFound("There is no such request.")  # it was taken back at this moment
            await self._informing.tell(
                asking["user"],
                "social",
                event="follow.accepted",
                key=f"follow.accepted {request}",
                by=user,
                subject=f"user:{user}",
            )

    async def decline(self, user: str, request: str) -> None:
        """Do not let somebody follow; they are not told. NotFound for what was not asked of this user."""
        asking = await self._asked(user, request)
        if asking["state"] != "requested":
            raise NotFound("There is no such request.")
        await self._end(asking["user"], user)

    async def _asked(self, user: str, request: str) -> Document:
        found = await self._follows.find_one({"_id": request, "other": user}) if is_id(request) else None
        if found is None:
            raise NotFound("There is no such request.")
        return found

    async def _end(self, user: str, other: str) -> None:
        await self._together.ask(other, ("end", user))
        await self._look_again(user)
        for event in ("user.followed", "follow.requested"):
            await self._informing.take_back(other, f"{event} {user}")

    async def _blocked(self, one: str, other: str, _caller: Caller) -> None:
        """Neither follows the other any more; both sides look again because of the block itself."""
        for user, followed in ((one, other), (other, one)):
            if await self.state(user, followed) != "none":
                await self._together.ask(followed, ("end", user))

    async def forget(self, user: str, step: Callable[[], Awaitable[None]]) -> None:
        """Somebody leaves for good: whoever they followed, or who followed them, has one fewer.

        `step` is called after each few.
        """
        for query in ({"user": user}, {"other": user}):
            while rows := await self._follows.find(query, limit=STEP).to_list():
                ends = (self._together.ask(each["other"], ("end", each["user"])) for each in rows)
                await asyncio.gather(*ends)
                await step()
        await self._counts.delete_one({"_id": user})

    # -- writing -------------------------------------------------------------------------------------

    async def _carry_out(self, other: str, wishes: Sequence[Wish]) -> list[State | Failure]:
        """The rows and counters of all who want something of the same person, in one transaction."""

        async def work(session: Session) -> list[State | Failure]:
            followers = list({follower for _, follower in wishes})
            query = {"other": other, "user": {"$in": followers}}
            rows = {each["user"]: each async for each in self._follows.find(query, session=session)}
            before: dict[str, State] = {user: row["state"] for user, row in rows.items()}
            after: dict[str, State] = dict(before)
            outcomes: list[State | Failure] = []
            for act, follower in wishes:
                after[follower] = following_on(after.get(follower, "none"), act)
                outcomes.append(after[follower])
            changed = {user: state for user, state in after.items() if state != before.get(user, "none")}
            await self._write(other, changed, rows, session)
            return outcomes

        try:
            return await transact(self._database, work)
        except DuplicateKeyError:
            # Another worker wrote the same row, or the same counter for the first time: now it is there.
            return await transact(self._database, work)

    async def _write(
        self, other: str, changed: Mapping[str, State], rows: Mapping[str, Document], session: Session
    ) -> None:
        now = self._clock.utc()
        difference = 0
        for user, state in changed.items():
            pair = {"user": user, "other": other}
            was = rows[user]["state"] if user in rows else "none"
            if state == "none":
                await self._follows.delete_one(pair, session=session)
            elif user in rows:
                values = {"state": state, "since": now}
                await self._follows.update_one(pair, {"$set": values}, session=session)
            else:
                row = {"_id": new_id(), **pair, "state": state, "since": now, "created_at": now}
                await self._follows.insert_one({**row, "schema_version": 1}, session=session)
            step = (state == "following") - (was == "following")
            if step:
                difference += step
                await self._count(user, "following", step, session)
        if difference:
            await self._count(other, "followers", difference, session)

    async def _count(self, user: str, side: Side, step: int, session: Session) -> None:
        await self._counts.update_one({"_id": user}, {"$inc": {side: step}}, upsert=True, session=session)

    # -- telling -------------------------------------------------------------------------------------

    async def _tell_followed(self, user: str, other: str, state: State) -> None:
        if state == "none":
            return
        name = (await names(self._users, [user])).get(user, "")
        self._announcer.tell(f"user:{other}", FOLLOWED, Followed(user, name, state))
        event = "user.followed" if state == "following" else "follow.requested"
        found = await self._follows.find_one({"user": user, "other": other}, {"_id": 1})
        await self._informing.tell(
            other,
            "social",
            event=event,
            key=f"{event} {user}",
            by=user,
            subject=f"user:{other}",
            data={} if found is None else {"request": found["_id"]},
        )

    async def _look_again(self, user: str) -> None:
        """They may see less than before: what they see of it ends on all workers."""
        try:
            await self._control.tell(LookAgain(user))
        except OUTAGES:
            log.warning("follow_end_not_told", user=user)


def opens(person: Mapping[str, Any]) -> bool:
    """Whether anybody may follow this person without being asked: where followers see nothing special."""
    shown = {field: visibility(person, field) for field in PRIVACY}
    return shown["profile"] == "public" and "followers" not in shown.values()


def following_on(state: State, act: Act) -> State:
    """What becomes of a state; what does not fit changes nothing."""
    match state, act:
        case _, "end":
            return "none"
        case (("none" | "requested"), "follow"):
            return "following"
        case "none", "ask":
            return "requested"
        case "requested", "accept":
            return "following"
    return state
