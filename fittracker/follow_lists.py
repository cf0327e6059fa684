"""The lists of following: who follows whom, and who asks to, with the eyes of whoever reads them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Literal

from fittracker.blocks import Blocks
from fittracker.mongo import Database, Document
from fittracker.paging import Cursor
from fittracker.preferences import visibility
from fittracker.present import PRESENT

Side = Literal["followers", "following"]
FollowedOf = Callable[[str, Collection[str]], Awaitable[set[str]]]
"""`followed_of(user, others)`: those of the others whom this user follows."""


class FollowLists:
    """Reads them, page by page."""

    def __init__(self, database: Database, blocks: Blocks, followed_of: FollowedOf) -> None:
        self._follows = database.follows
        self._users = database.users
        self._blocks = blocks
        self._followed_of = followed_of

    async def page(
        self, viewer: str, user: str, side: Side, limit: int, cursor: str | None
    ) -> tuple[list[Document], str | None]:
        """Who follows this person, or whom they follow, newest first: `user`, `name`, `since`; the cursor.

        Left out are those whose profile the viewer may not see, so a page may hold fewer; one's own lists
        leave out only who is not there. That the viewer may see the person at all is checked before.
        """
        mine, theirs = ("other", "user") if side == "followers" else ("user", "other")
        query = {mine: user, "state": "following"}
        found, following = await Cursor("since").page(self._follows, query, limit, cursor)
        people = await self._visible(viewer, [each[theirs] for each in found], own=viewer == user)
        items = [
            {"user": each[theirs], "name": people[each[theirs]], "since": each["since"]}
            for each in found
            if each[theirs] in people
        ]
        return items, following

    async def _visible(self, viewer: str, users: Sequence[str], *, own: bool) -> dict[str, str]:
        """Names of those of the users whose profile the viewer may see."""
        shown = {"name": 1, "preferences.privacy.profile": 1}
        people = [each async for each in self._users.find({"_id": {"$in": list(users)}, **PRESENT}, shown)]
        blocked = await self._blocks.among(viewer, [each["_id"] for each in people])
        followed = set() if own else await self._followed_of(viewer, users)

        def seen(person: Document) -> bool:
            if person["_id"] in blocked:
                return False
            profile = visibility({"preferences": person.get("preferences", {})}, "profile")
            by_following = profile == "followers" and person["_id"] in followed
            return own or profile == "public" or person["_id"] == viewer or by_following

        return {each["_id"]: each["name"] for each in people if seen(each)}

    async def requests(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """Who asks to follow this person, newest first, each with `name`; the next cursor."""
        query = {"other": user, "state": "requested"}
        found, following = await Cursor("created_at").page(self._follows, query, limit, cursor)
        known = await self._visible(user, [each["user"] for each in found], own=True)
        return [{**each, "name": known[each["user"]]} for each in found if each["user"] in known], following
