"""What becomes of somebody's words when their account is deleted: their numbers stay, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fittracker.chat.membership import Membership
from fittracker.chat.reactions import Reactions
from fittracker.chat.wordless import wordless
from fittracker.roomlog.log import RoomLog
from fittracker.roomlog.record import Kept

STEP: Final = 200


class Farewell:
    """Takes a person out of all rooms. It may be interrupted anywhere and done again."""

    def __init__(
        self,
        room_log: RoomLog,
        reactions: Reactions,
        membership: Membership,
        unsaid: Mapping[str, Callable[[bytes], Any]],
    ) -> None:
        """`unsaid`: for kinds that are not chat's what is left of their data."""
        self._unsaid = unsaid
        self._log = room_log
        self._reactions = reactions
        self._membership = membership

    async def erase(self, user: str, step: Callable[[], Awaitable[None]]) -> None:
        """Empty what they said, take back what they gave, leave all conversations.

        `step` is awaited now and then; what it raises ends the work, to be gone on with later.
        """
        await self._membership.leave_all(user)
        await step()
        archive, amendments = self._log.archive, self._log.amendments
        while said := await archive.find_some({"by": user}, STEP):
            for kept in said:
                await amendments.disown(kept, self._left(kept), bare=True)
            await step()
        while touched := await archive.find_some({"people": user}, STEP):
            for kept in touched:
                await self._reactions.withdraw(user, kept)
            await step()

    def _left(self, kept: Kept) -> Any:
        record = kept.entry.record
        empty = self._unsaid.get(record.kind) if record.data else None
        return wordless(kept, orphaned=True) if empty is None else empty(record.data)
