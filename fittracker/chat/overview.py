"""The list of somebody's conversations: with whom, what was said last in each, and how much of it is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fittracker.chat.conversations import Conversations
from fittracker.chat.forum import Forums
from fittracker.chat.marks import Marks
from fittracker.mongo import Database, Document
from fittracker.present import names

MOST_NAMED: Final = 10
"""So many members of each conversation are named in a list."""
MOST_READERS: Final = 100
"""Of groups up to this size it is told how far each member has read."""


class Overview:
    """Conversations with what is new in them; a page costs five queries, however long it is."""

    def __init__(
        self, database: Database, conversations: Conversations, marks: Marks, forums: Forums
    ) -> None:
        self._users = database.users
        self._conversations = conversations
        self._marks = marks
        self._forums = forums

    async def page(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """Somebody's conversations, the last used first, each with `people`, `read`, `unread` and `last`.

        `people` are the first ten members, by name.
        """
        found, following = await self._conversations.page(user, limit, cursor)
        read = await self._marks.of_rooms(user, [_room(each) for each in found])
        return await self._named(await self._with_news(user, found, read), MOST_NAMED), following

    async def one(self, user: str, conversation: str) -> Document:
        """One of them, all its people, and how far they have read it; NotFound where one is no member.

        Where one is not heard, such as behind a block, it is not told either how far others have read.
        """
        found = await self._conversations.get(user, conversation)
        room, members = _room(found), found["members"]
        shown = len(members) <= MOST_READERS and await self._forums.heard(user, room)
        read = await self._marks.of_room(room, members if shown else [user])
        news = await self._with_news(user, [found], {room: read[user]})
        (whole,) = await self._named(news, len(members))
        return {**whole, "readers": [{"user": who, "seq": seq} for who, seq in read.items()]}

    async def _with_news(
        self, user: str, found: Sequence[Document], read: Mapping[str, int]
    ) -> list[Document]:
        marked = await self._marks.where(user, read)
        return [
            {**each, "read": news.seq, "unread": news.unread, "last": news.last}
            for each, news in zip(found, marked, strict=True)
        ]

    async def _named(self, found: Sequence[Document], most: int) -> list[Document]:
        """Each with its first members by name; "" for who is just being deleted."""
        known = await names(self._users, [who for each in found for who in each["members"][:most]])
        return [
            {**each, "people": [{"user": who, "name": known.get(who, "")} for who in each["members"][:most]]}
            for each in found
        ]


def _room(conversation: Document) -> str:
    return f"chat:{conversation['_id']}"
