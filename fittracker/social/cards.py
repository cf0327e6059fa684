"""What a post shows of the workout in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fittracker.distance import distance_of
from fittracker.mongo import Database, Document
from fittracker.people import People


class Cards:
    """The workouts in posts, as they are now: a deleted one is shown no more, an edited one as edited."""

    def __init__(self, database: Database, people: People) -> None:
        self._workouts = database.workouts
        self._people = people

    async def of(self, viewer: str, posts: Sequence[Document]) -> dict[str, Document]:
        """By post: what the viewer may see of its workout."""
        with_workout = {each["_id"]: each for each in posts if each["workout"] is not None}
        if not with_workout:
            return {}
        query = {"_id": {"$in": [each["workout"] for each in with_workout.values()]}}
        found = {each["_id"]: each async for each in self._workouts.find(query, {"curve": 0})}
        hearts = await self._people.recorded_of(viewer, {each["user"] for each in with_workout.values()})
        cards = {}
        for post, each in with_workout.items():
            workout = found.get(each["workout"])
            if workout is not None and workout["user"] == each["user"]:
                cards[post] = card(workout, heart=each["user"] in hearts)
        return cards


def card(workout: Mapping[str, Any], *, heart: bool) -> Document:
    """s, m, kcal; bpm only where the viewer may see the heart."""
    summary = workout.get("summary") or {}
    shown: Document = {
        "id": workout["_id"],
        "sport": workout.get("sport"),
        "started_at": workout["started_at"],
        "duration_s": workout.get("duration_s"),
        "distance_m": distance_of(workout),
        "kcal": summary.get("kcal"),
    }
    if heart:
        shown |= {"avg_bpm": summary.get("avg_bpm"), "max_bpm": summary.get("max_bpm")}
    return shown
