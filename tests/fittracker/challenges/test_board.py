"""The board: made out of MongoDB whenever it is missing, right whatever Valkey forgets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004  Redis' own

from fittracker.challenges.board import Board, Standing, built, made_key
from fittracker.contexts import Contexts
from tests.fittracker.challenges.conftest import Begin, Contest


async def made_so_far() -> float:
    """How many boards were made in this process."""
    return float(built._value.get())


async def spread(running: Contest, values: list[float]) -> None:
    """Each of the people reports one of these, one after the other."""
    for user, value in zip(running.people, values, strict=True):
        await running.report(user, value)


async def test_of_two_with_the_same_who_was_first_is_ahead(contest: Begin) -> None:
    """In Valkey as in MongoDB; and so it stays when the board is made anew."""
    running = await contest(4)
    await spread(running, [5, 7, 5, 7])
    anna, bert, cleo, dora = running.people
    expected = [(bert, 7.0), (dora, 7.0), (anna, 5.0), (cleo, 5.0)]
    assert await running.board() == await running.truth() == expected
    await running.report(anna, 2)
    assert await running.board() == [(bert, 7.0), (dora, 7.0), (anna, 7.0), (cleo, 5.0)]


async def test_a_board_that_is_missing_is_made_once_by_many_who_ask(contest: Begin, valkey: Any) -> None:
    """At two workers at the same time."""
    running = await contest(30)
    await spread(running, [float(place % 7 + 1) for place in range(30)])
    truth = await running.truth()
    await valkey.flushall()
    before = await made_so_far()
    asked = (running.board(at) for at in (running.here, running.there) * 15)
    assert all(each == truth for each in await asyncio.gather(*asked))
    assert await made_so_far() - before == 1


async def test_it_is_right_though_valkey_forgets_while_it_is_made_and_changed(
    contest: Begin, valkey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is emptied in the middle of filling, again and again, while people report at both workers."""
    running = await contest(20)
    await running.board()
    fill_in, forgotten = Board._fill_in, 0

    async def forgetful(board: Board, group: Any) -> None:
        nonlocal forgotten
        await fill_in(board, group[: len(group) // 2])
        if forgotten < 4:
            forgotten += 1
            await valkey.flushall()
        await fill_in(board, group[len(group) // 2 :])

    monkeypatch.setattr(Board, "_fill_in", forgetful)

    async def report() -> None:
        for turn in range(6):
            at = (running.here, running.there)[turn % 2]
            await asyncio.gather(
                *(running.report(user, place + 1, at=at) for place, user in enumerate(running.people))
            )

    async def ask() -> None:
        for turn in range(10):
            await running.board((running.here, running.there)[turn % 2])
            if turn == 3:
                await valkey.flushall()

    await asyncio.gather(report(), ask())
    assert forgotten == 4
    assert await running.board() == await running.board(running.there) == await running.truth()


async def test_an_older_change_that_comes_late_replaces_nothing(contest: Begin, contexts: Contexts) -> None:
    """Nor does it bring back who has left."""
    running = await contest(2)
    anna, bert = running.people
    await running.board()
    query = {"challenge": running.id, "user": anna}
    early = Standing.of(await contexts.database.challenge_members.find_one(query) or {})
    await running.report(anna, 5)
    late = Standing.of(await contexts.database.challenge_members.find_one(query) or {})
    await contexts.arena.board.put(early)
    assert await running.board() == [(anna, 5.0), (bert, 0.0)]
    await contexts.arena.leave(anna, running.id)
    await contexts.arena.board.put(late, early)
    assert await running.board() == [(bert, 0.0)]


async def test_a_server_that_woke_with_an_old_memory_is_not_believed(contest: Begin, valkey: Any) -> None:
    """The board names the life of the server in which it was made whole."""
    running = await contest(2)
    await spread(running, [1, 2])
    truth = await running.board()
    await valkey.set(made_key(running.id), "0" * 40)
    await valkey.zadd(f"board:{{{running.id}}}:ranks", {"junk:junk": 99})
    assert await running.board() == truth == await running.truth()


@pytest.mark.parametrize("failure", [ConnectionError("gone"), ResponseError("MISCONF no disk")])
async def test_without_valkey_the_board_comes_out_of_mongodb_and_is_mended_after(
    contest: Begin, contexts: Contexts, failure: Exception
) -> None:
    """What was reported meanwhile is stored, is shown, and is on the board again when Valkey is back."""
    running = await contest(3)
    await spread(running, [3, 1, 1])
    await running.board()
    board = contexts.arena.board
    anna, bert, cleo = running.people

    async def away(*_: Any) -> Any:
        raise failure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(board._scripts, "run", away)
        await running.report(bert, 4)
        stretch, names = await contexts.arena.standings(cleo, running.id, 1, 2)
        assert [(row.rank, row.user, row.value) for row in stretch.rows] == [(2, anna, 3.0), (3, cleo, 1.0)]
        assert stretch.mine is not None
        assert (stretch.mine.rank, stretch.participants, names[cleo]) == (3, 3, "Person 2")
    assert await running.board() == await running.truth()
    await board.mend()  # unless the worker has done so by itself
    assert (
        await running.board(running.there) == await running.truth() == [(bert, 5.0), (anna, 3.0), (cleo, 1.0)]
    )


async def test_a_stretch_and_ones_own_place_are_given_wherever_one_stands(
    contest: Begin, contexts: Contexts
) -> None:
    """Whoever does not take part has none."""
    running = await contest(12)
    await spread(running, [float(place + 1) for place in range(12)])
    stretch, _ = await contexts.arena.standings(running.people[0], running.id, 4, 3)
    assert [(row.rank, row.value) for row in stretch.rows] == [(5, 8.0), (6, 7.0), (7, 6.0)]
    assert stretch.mine is not None
    assert (stretch.mine.rank, stretch.mine.value, stretch.participants) == (12, 1.0, 12)
    await contexts.arena.leave(running.people[0], running.id)
    stretch, _ = await contexts.arena.standings(running.people[0], running.id, 0, 3)
    assert (stretch.mine, stretch.participants) == (None, 11)
