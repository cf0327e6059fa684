"""People who compete, at two workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from fittracker.contexts import Contexts
from tests.fittracker.auth.conftest import Settle, clock, contexts, other, settings, settle

__all__ = ["Contest", "clock", "contest", "contexts", "other", "settings", "settle"]


@dataclass
class Contest:
    """A challenge of several people; the first has made it."""

    here: Contexts
    there: Contexts
    id: str
    people: list[str]

    async def report(self, user: str, value: float, client_id: str = "", at: Contexts | None = None) -> float:
        """Somebody reports so much."""
        arena = (at or self.here).arena
        return await arena.progress.report(user, self.id, value, client_id or str(uuid4()))

    async def board(self, at: Contexts | None = None, count: int = 50) -> list[tuple[str, float]]:
        """Who stands where, as a worker tells it."""
        stretch, _ = await (at or self.here).arena.standings(self.people[0], self.id, 0, count)
        assert [row.rank for row in stretch.rows] == list(range(1, len(stretch.rows) + 1))
        return [(row.user, row.value) for row in stretch.rows]

    async def truth(self) -> list[tuple[str, float]]:
        """The same as the entries in MongoDB come to; each total equals their sum."""
        database = self.here.database
        members = await database.challenge_members.find({"challenge": self.id}).to_list()
        for each in members:
            entries = database.challenge_progress.find({"challenge": self.id, "user": each["user"]})
            assert sum([entry["value"] async for entry in entries]) == each["total"]
        present = [each for each in members if each["left_at"] is None]
        present.sort(key=lambda each: each["user"], reverse=True)
        present.sort(key=lambda each: (-each["total"], each["reached_at"]))
        return [(each["user"], each["total"] / 1000) for each in present]

    async def workout(self, user: str, *, counted: bool = True, **fields: Any) -> str:
        """Somebody has done something; its id."""
        now = self.here.clock.utc()
        document = {
            "_id": uuid4().hex[:24],
            "user": user,
            "stream": str(uuid4()),
            "started_at": now - timedelta(minutes=30),
            "created_at": now,
            "duration_s": 1800.0,
            "distance_m": 5000.0,
            "summary": {"kcal": 300.25},
            **fields,
        }
        await self.here.database.workouts.insert_one(document)
        if counted:
            await self.here.arena.progress.made(document)
        return str(document["_id"])


Begin = Callable[..., Awaitable[Contest]]


@pytest.fixture
def contest(contexts: Contexts, other: Contexts, settle: Settle) -> Begin:
    """Begins a contest that runs, of so many people."""

    async def begin(count: int, **more: Any) -> Contest:
        people = [str((await settle(f"Person {number}"))["_id"]) for number in range(count)]
        now = contexts.clock.utc()
        what: dict[str, Any] = {
            "title": "Push-ups",
            "about": "",
            "metric": "custom",
            "unit": "reps",
            "goal": None,
            "starts_at": now - timedelta(hours=1),
            "ends_at": now + timedelta(hours=1),
            "visibility": "public",
            **more,
        }
        made = await contexts.arena.challenges.create(people[0], **what)
        made_contest = Contest(contexts, other, made["_id"], people)
        for each in people:
            await contexts.arena.join(each, made["_id"])
        return made_contest

    return begin


@pytest.fixture
async def valkey(redis_url: str) -> Any:
    """The console of whoever looks after Valkey."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client
