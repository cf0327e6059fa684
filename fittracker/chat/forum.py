"""Where people may talk: for each kind of room who may read there, who may speak, and who looks after it.

Another kind of room with chat is one more line in the table that `fittracker.contexts` makes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fittracker.errors import Forbidden, Invalid, NotFound

Check = Callable[[str, str], Awaitable[bool]]
"""`check(subject, user)`: whether that person may; `subject` is what stands behind the colon."""


async def nobody(_subject: str, _user: str) -> bool:
    """Where each deletes what is their own, and nobody more."""
    return False


@dataclass(frozen=True, slots=True)
class Forum:
    """One kind of room. Whoever may speak may read; `speaks` may raise a Forbidden that says why not."""

    reads: Check
    speaks: Check
    moderates: Check = nobody
    """Who may delete what others have said."""


class Forums:
    """All kinds of rooms with chat. Asked each time: whoever was taken out a moment ago is out."""

    def __init__(self, by_kind: Mapping[str, Forum]) -> None:
        self._by_kind = by_kind

    async def check_speaks(self, user: str, room: str) -> None:
        """NotFound where this person is not in the room, Forbidden where they only read there."""
        forum, subject = self._find(room)
        if not await forum.speaks(subject, user):
            raise NotFound("There is no such room.")

    async def heard(self, user: str, room: str) -> bool:
        """Whether what this person does there may be told to the room; NotFound for who is not in it."""
        try:
            await self.check_speaks(user, room)
        except Forbidden:
            return False
        return True

    async def check_reads(self, user: str, room: str) -> None:
        """NotFound unless this person may read what was said in the room."""
        if not await self.reads(user, room):
            raise NotFound("There is no such room.")

    async def reads(self, user: str, room: str) -> bool:
        """Whether this person may read what was said in the room; Invalid where nobody talks."""
        forum, subject = self._find(room)
        return await forum.reads(subject, user)

    async def takes_part(self, user: str, room: str) -> bool:
        """Whether this person is one of those who talk there: where everybody may read, fewer do."""
        forum, subject = self._find(room)
        try:
            return await forum.speaks(subject, user)
        except Forbidden:
            return True

    async def moderates(self, user: str, room: str) -> bool:
        """Whether this person may delete what others have said there."""
        forum, subject = self._find(room)
        return await forum.moderates(subject, user)

    def _find(self, room: str) -> tuple[Forum, str]:
        kind, _, subject = room.partition(":")
        forum = self._by_kind.get(kind)
        if forum is None or not subject:
            kinds = ", ".join(self._by_kind)
            raise Invalid("Nobody talks in such a room.", fields={"room": f"must be one of {kinds}"})
        return forum, subject
