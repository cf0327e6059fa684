"""Who is in a group: its owner adds and removes, everybody may leave, and whoever is out is out at once."""

from __future__ import annotations

from typing import Any, Final

from fittracker.announcer import Announcer
from fittracker.chat.conversations import MOST_MEMBERS, Conversations
from fittracker.chat.message import MEMBERS, ChatMembers
from fittracker.control import Control, MembershipEnded
from fittracker.errors import Conflict, Forbidden, NotFound, TooLarge
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.redis import OUTAGES

log = logger(__name__)

_NOBODY: Final = "There is no such member."
_NOT_YOURS: Final = "Only the owner removes others."


class Membership:
    """Changes who belongs to a group. The oldest member inherits it from an owner who leaves."""

    def __init__(
        self, database: Database, conversations: Conversations, control: Control, announcer: Announcer
    ) -> None:
        self._groups = database.conversations
        self._conversations = conversations
        self._control = control
        self._announcer = announcer

    async def add(self, by: str, conversation: str, user: str) -> Document:
        """The owner adds somebody; again is the same. They read what was said before as well.

        NotFound for a conversation one is not in and for somebody one may not write to, Forbidden for others
        than the owner, Conflict where it is of two people, TooLarge from 1,000 on.
        """
        group = await self._group(by, conversation)
        if group["owner"] != by:
            raise Forbidden("Only the owner adds members.")
        if user in group["members"]:
            return group
        await self._conversations.check_reachable(by, [user])
        room_left = {f"members.{MOST_MEMBERS - 1}": {"$exists": False}}
        query: Document = {"_id": conversation, "owner": by, "members": {"$ne": user}, **room_left}
        added = await self._groups.update_one(query, {"$push": {"members": user}})
        group = await self._group(by, conversation)
        if user not in group["members"]:
            raise TooLarge(f"A group may have {MOST_MEMBERS:,} members.")
        if added.modified_count:
            self._tell(conversation, user, by, on=True)
        return group

    async def remove(self, by: str, conversation: str, user: str) -> None:
        """Leave, or as the owner remove somebody: they hear nothing more from this moment on.

        NotFound where there is no such member, Forbidden for others than the owner, Conflict for two people.
        """
        group = await self._group(by, conversation)
        if user not in group["members"]:
            raise NotFound(_NOBODY)
        if by not in (user, group["owner"]):
            raise Forbidden(_NOT_YOURS)
        # Who hands the group on at this moment removes nobody any more.
        owned: Document = {} if by == user else {"owner": by}
        await self._take_out({"_id": conversation, "kind": "group", **owned}, user, by)

    async def leave_all(self, user: str) -> None:
        """Somebody is gone for good: out of every group, and whoever they wrote to stays alone."""
        groups: Document = {"members": user, "kind": "group"}
        for each in await self._groups.find(groups, {"_id": 1}).to_list():
            await self._take_out({"_id": each["_id"], "kind": "group"}, user, user)
        pairs: Document = {"members": user, "kind": "direct"}
        # Nobody can be found by it any more: what is left of the pair is the other one, with nobody.
        alone: Document = {"pair": "$_id", "members": _without(user)}
        await self._groups.update_many(pairs, [{"$set": alone}])

    async def _group(self, user: str, conversation: str) -> Document:
        found = await self._conversations.get(user, conversation)
        if found["kind"] != "group":
            raise Conflict("A conversation of two people has no members to change.")
        return found

    async def _take_out(self, query: Document, user: str, by: str) -> None:
        left = _without(user)
        heir = {"$ifNull": [{"$arrayElemAt": [left, 0]}, None]}
        owner = {"$cond": [{"$eq": ["$owner", user]}, heir, "$owner"]}
        gone = await self._groups.update_one(
            {**query, "members": user}, [{"$set": {"members": left, "owner": owner}}]
        )
        if not gone.modified_count and await self._groups.find_one({"_id": query["_id"], "members": user}):
            raise Forbidden(_NOT_YOURS)
        await self._end(query["_id"], user)
        if gone.modified_count:
            self._tell(query["_id"], user, by, on=False)

    async def _end(self, conversation: str, user: str) -> None:
        try:
            await self._control.tell(MembershipEnded(f"chat:{conversation}", user))
        except OUTAGES:
            log.warning("membership_end_not_told", conversation=conversation)

    def _tell(self, conversation: str, user: str, by: str, *, on: bool) -> None:
        event = ChatMembers(conversation, user, on, by)
        for room in (f"chat:{conversation}", f"user:{user}"):
            self._announcer.tell(room, MEMBERS, event)


def _without(user: str) -> dict[str, Any]:
    return {"$filter": {"input": "$members", "cond": {"$ne": ["$$this", user]}}}
