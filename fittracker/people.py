"""What one person may see of another: the one place that decides, for REST and for the sockets.

Whoever is blocked (in either direction), not verified, disabled or waiting for deletion is not there:
NotFound, as for somebody who never was. Beyond what is public, a grant opens what it names.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from fittracker.blocks import Blocks
from fittracker.coaching.sessions import Coaching
from fittracker.errors import NotFound
from fittracker.follows import Follows
from fittracker.grants import Grants
from fittracker.ids import is_id
from fittracker.mongo import Database, Document
from fittracker.preferences import VISIBILITIES, visibility
from fittracker.present import PRESENT

_SHOWN: Final = {"name": 1, "role": 1, "created_at": 1, "weight_kg": 1, "preferences": 1}


class People:
    """Looks at people with the eyes of others."""

    def __init__(
        self, database: Database, grants: Grants, coaching: Coaching, blocks: Blocks, follows: Follows
    ) -> None:
        self._users = database.users
        self._grants = grants
        self._coaching = coaching
        self._blocks = blocks
        self._follows = follows

    async def profile(self, viewer: str, user: str) -> Document:
        """`_id`, `name`, `role`, `created_at`, and `weight_kg` only for who may see it.

        NotFound where the viewer may not know that there is such a person.
        """
        person = await self._users.find_one({"_id": user, **PRESENT}, _SHOWN) if is_id(user) else None
        if person is None or (viewer != user and await self._blocks.between(viewer, user)):
            raise NotFound("There is no such person.")
        given = await self._grants.kinds(viewer, user)
        open_to = await self._open_to(viewer, person)
        if visibility(person, "profile") not in open_to and not given:
            await self._check_acquainted(viewer, user)
        shown = {field: person[field] for field in ("_id", "name", "role", "created_at")}
        if visibility(person, "weight") in open_to or "measurements" in given:
            shown["weight_kg"] = person["weight_kg"]
        return shown

    async def _open_to(self, viewer: str, person: Document) -> set[str]:
        """Which visibilities let this viewer see something of a person."""
        if viewer == person["_id"]:
            return set(VISIBILITIES)
        asked = {visibility(person, field) for field in ("profile", "weight")}
        if "followers" in asked and await self._follows.follows(viewer, person["_id"]):
            return {"public", "followers"}
        return {"public"}

    async def _check_acquainted(self, viewer: str, user: str) -> None:
        if not await self._acquainted(viewer, user):
            raise NotFound("There is no such person.")

    async def _acquainted(self, viewer: str, user: str) -> bool:
        """Whether the viewer lets this trainer see something, or both are in a coaching session."""
        given = await self._grants.kinds(user, viewer)
        return bool(given) or user in await self._coaching.introduced(viewer, [user])

    async def reachable(self, user: str, others: Collection[str]) -> set[str]:
        """Those of the others to whom this person may write first: whoever they may know to be there."""
        ids = {each for each in others if is_id(each)} - await self._blocks.among(user, others)
        query = {"_id": {"$in": list(ids)}, **PRESENT}
        found = await self._users.find(query, {"preferences": 1}).to_list()
        hidden = {each["_id"] for each in found if visibility(each, "profile") != "public"} - {user}
        hidden -= await self._follows.followed_of(
            user, [each["_id"] for each in found if visibility(each, "profile") == "followers"]
        )
        reached = {each["_id"] for each in found} - hidden
        if hidden:
            tied = await self._grants.tied({(user, each) for each in hidden})
            reached |= {each for _, each in tied} | await self._coaching.introduced(user, hidden)
        return reached

    # -- heart rate ----------------------------------------------------------------------------------

    async def check_recorded(self, viewer: str, athlete: str) -> None:
        """NotFound unless the viewer may see the heart rate that was recorded of this athlete.

        That is: oneself, everybody where it is public, those who follow where it is for them, and who has a
        grant. A shared session shows the heart while it lasts, never what was recorded before.
        """
        if viewer != athlete and not await self._seeing(athlete, {viewer}):
            raise NotFound("There is no such person.")

    async def recorded_of(self, viewer: str, athletes: Collection[str]) -> set[str]:
        """Those of the athletes whose recorded heart rate the viewer may see; blocks are looked at before."""
        people = self._users.find({"_id": {"$in": list(athletes)}}, {"preferences": 1})
        shown_to = {each["_id"]: visibility(each, "heart_rate") async for each in people}
        seen = {each for each, whom in shown_to.items() if whom == "public" or each == viewer}
        shy = [each for each in shown_to if each not in seen]
        if shy:
            followed = await self._follows.followed_of(viewer, shy)
            seen |= {each for each in followed if shown_to[each] == "followers"}
            seen |= await self._grants.granting(viewer, shy, "heart_rate")
        return seen

    async def may_watch(self, viewer: str, athlete: str) -> bool:
        """Whether the viewer may see the athlete's heart rate live, now."""
        return viewer in await self.watching(athlete, {viewer})

    async def watching(self, athlete: str, viewers: Collection[str]) -> set[str]:
        """Those of the viewers who may see the athlete's heart rate live, now.

        Who may see what is recorded, and who is in a session that the athlete has entered.
        """
        seeing = {each for each in viewers if each == athlete}
        others = set(viewers) - seeing
        if others:
            seeing |= await self._seeing(athlete, others, live=True)
        return seeing

    async def _seeing(self, athlete: str, others: Collection[str], *, live: bool = False) -> set[str]:
        there = {"_id": athlete, **PRESENT}
        person = await self._users.find_one(there, {"preferences": 1}) if is_id(athlete) else None
        if person is None:
            return set()
        free = set(others) - await self._blocks.among(athlete, others)
        shown_to = visibility(person, "heart_rate")
        if not free or shown_to == "public":
            return free
        seeing = await self._grants.granted(athlete, free, "heart_rate")
        if shown_to == "followers" and free - seeing:
            seeing |= await self._follows.followers_of(athlete, free - seeing)
        if live and free - seeing:
            seeing |= await self._coaching.sharing(athlete, free - seeing)
        return seeing
