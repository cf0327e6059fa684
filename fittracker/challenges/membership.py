"""Taking part in challenges. Who leaves and comes back has what they had."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

from fittracker.blocks import Blocks
from fittracker.caller import Caller
from fittracker.challenges.board import Board, Standing
from fittracker.challenges.challenges import Challenges
from fittracker.clock import Clock
from fittracker.control import Control, MembershipEnded
from fittracker.errors import Conflict, Failure, TooLarge
from fittracker.ids import new_id
from fittracker.informing import Informing
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.redis import OUTAGES
from fittracker.together import Together

log = logger(__name__)

MOST: Final = 10_000
STEP: Final = 100
Act = Literal["join", "leave"]
Step = Callable[[], Awaitable[None]]


class Membership:
    """Who takes part in what."""

    def __init__(
        self,
        database: Database,
        challenges: Challenges,
        board: Board,
        blocks: Blocks,
        control: Control,
        informing: Informing,
        clock: Clock,
    ) -> None:
        self._database = database
        self._challenges = database.challenges
        self._members = database.challenge_members
        self._progress = database.challenge_progress
        self._looking = challenges
        self._board = board
        self._control = control
        self._informing = informing
        self._clock = clock
        self._together: Together[str, tuple[Act, str], Document] = Together(self._carry_out)
        blocks.when_added(self._blocked)

    async def belongs(self, challenge: str, user: str) -> bool:
        """Whether this person takes part."""
        query = {"challenge": challenge, "user": user, "left_at": None}
        return await self._members.find_one(query, {"_id": 1}) is not None

    async def join(self, user: str, challenge: str) -> Document:
        """Take part; again is the same. The challenge, with `mine`.

        NotFound for one that the user may not look at, Conflict for one that is over, TooLarge where 10,000
        take part.
        """
        found = await self._looking.get(user, challenge)
        if found["mine"] is None:
            member = await self._together.ask(challenge, ("join", user))
            await self._board.put(Standing.of(member))
            if found["owner"] not in (user, None):
                await self._informing.tell(
                    found["owner"],
                    "challenge",
                    event="challenge.joined",
                    key=f"challenge.joined {challenge} {user}",
                    by=user,
                    subject=f"challenge:{challenge}",
                )
        return await self._looking.get(user, challenge)

    async def leave(self, user: str, challenge: str) -> None:
        """Take part no more; again is the same. Conflict where it is over: results are final."""
        found = await self._looking.get(user, challenge)
        if found["mine"] is not None:
            await self._leave(user, challenge)

    async def _leave(self, user: str, challenge: str) -> None:
        member = await self._together.ask(challenge, ("leave", user))
        await self._board.put(Standing.of(member))
        if await self._looking.may_look(user, challenge):
            return  # whoever may look at it stays in its room, and hears
        try:
            await self._control.tell(MembershipEnded(f"challenge:{challenge}", user))
        except OUTAGES:
            log.warning("membership_end_not_told", challenge=challenge)

    async def _blocked(self, one: str, other: str, _caller: Caller) -> None:
        """Neither takes part in what the other has made, as long as it is not over."""
        for owner, user in ((one, other), (other, one)):
            made = self._challenges.find({"owner": owner, "state": "open"}, {"_id": 1})
            async for each in made:
                if await self.belongs(each["_id"], user):
                    try:
                        await self._leave(user, each["_id"])
                    except Conflict:
                        log.debug("challenge_over_while_blocking")

    # -- writing -------------------------------------------------------------------------------------

    async def _carry_out(self, challenge: str, wishes: Sequence[tuple[Act, str]]) -> list[Document | Failure]:
        """All who come and go at once, in one transaction; each with their membership after it."""
        wanted = {user: act for act, user in wishes}

        async def work(session: Session) -> list[Document | Failure]:
            found = await self._challenges.find_one({"_id": challenge}, session=session)
            query = {"challenge": challenge, "user": {"$in": list(wanted)}}
            rows = {each["user"]: each async for each in self._members.find(query, session=session)}
            if found is None or found["closing"] or found["ends_at"] <= self._clock.utc():
                return [Conflict("This challenge is over.")] * len(wishes)
            changed = {user: act for user, act in wanted.items() if _changes(rows.get(user), act)}
            step = sum(1 if act == "join" else -1 for act in changed.values())
            if step > 0 and found["participants"] + step > MOST:
                return [TooLarge(f"No more than {MOST:,} people can take part.")] * len(wishes)
            # Also where nothing changes for the counter: whoever closes it must not do so at this moment.
            await self._challenges.update_one(
                {"_id": challenge}, {"$inc": {"participants": step}}, session=session
            )
            for user, act in changed.items():
                rows[user] = await self._write(found, user, act, rows.get(user), session)
            return [rows.get(user) or Conflict("You do not take part.") for _, user in wishes]

        return await transact(self._database, work)

    async def _write(
        self, challenge: Document, user: str, act: Act, row: Document | None, session: Session
    ) -> Document:
        now = self._clock.utc()
        if row is None:
            row = {
                "_id": new_id(),
                "challenge": challenge["_id"],
                "user": user,
                "derived": challenge["metric"] != "custom",
                "joined_at": now,
                "left_at": None,
                "total": 0,
                "reached_at": now,
                "changes": 1,
                "closed": False,
                "place": None,
                "told": False,
                "schema_version": 1,
            }
            await self._members.insert_one(row, session=session)
            return row
        values = {"left_at": now} if act == "leave" else {"left_at": None, "joined_at": now}
        await self._members.update_one(
            {"_id": row["_id"]}, {"$set": values, "$inc": {"changes": 1}}, session=session
        )
        return {**row, **values, "changes": row["changes"] + 1}

    # -- leaving for good ----------------------------------------------------------------------------

    async def forget(self, user: str, step: Step) -> None:
        """Somebody leaves for good: out of every challenge, and what they made is nobody's or gone."""
        while some := await self._members.find({"user": user}, limit=STEP).to_list():
            for each in some:
                await self._forget_member(each)
                await step()
        while made := await self._challenges.find_one({"owner": user}):
            await self._forget_made(made)
            await step()

    async def _forget_member(self, member: Document) -> None:
        user, challenge = member["user"], member["challenge"]
        if member["left_at"] is None and not member["closed"]:
            try:
                await self._leave(user, challenge)
            except Conflict:
                log.debug("challenge_over_while_leaving")
        await self._progress.delete_many({"challenge": challenge, "user": user})
        await self._members.delete_one({"_id": member["_id"]})

    async def _forget_made(self, made: Document) -> None:
        """It goes on without them where others take part."""
        others = {"challenge": made["_id"], "user": {"$ne": made["owner"]}}
        if await self._members.find_one(others, {"_id": 1}) is not None:
            await self._challenges.update_one({"_id": made["_id"]}, {"$set": {"owner": None}})
            return
        await self._challenges.delete_one({"_id": made["_id"]})


def _changes(row: Document | None, act: Act) -> bool:
    takes_part = row is not None and row["left_at"] is None
    return takes_part != (act == "join")
