"""Telling of boards, and those who were overtaken."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.contexts import Contexts
from tests.fittracker.challenges.conftest import Begin


async def test_whoever_passes_many_at_once_is_one_piece_of_work(
    contexts: Contexts, contest: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The background takes 500: two hundred who are passed must not keep others' mails out of it."""
    pieces: list[str] = []
    spawn = contexts.background.spawn

    def count(work: object, name: str) -> None:
        pieces.append(name)
        spawn(work, name)  # type: ignore[arg-type]

    run = await contest(9)
    for place, each in enumerate(run.people):
        await run.report(each, 100.0 - place)
    while not await contexts.arena.ranks._tell(run.id):
        await asyncio.sleep(0.02)
    monkeypatch.setattr(contexts.background, "spawn", count)
    await run.report(run.people[-1], 1_000.0)
    async with asyncio.timeout(10):
        while not pieces:
            await contexts.arena.ranks._tell(run.id)
            await asyncio.sleep(0.02)
    await contexts.background.idle()
    assert pieces == ["overtaken"]
    facts = contexts.database.notification_facts
    passed = await facts.distinct("user", {"event": "challenge.overtaken", "by": run.people[-1]})
    assert set(passed) == set(run.people[:-1])
