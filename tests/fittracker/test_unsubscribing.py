"""The link at the foot of a mail: ours, one person's, one kind's, and good for nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from fittracker.errors import Invalid
from fittracker.ids import new_id
from fittracker.mongo import Database, open_database
from fittracker.preferences import NOTIFICATIONS
from fittracker.profile import new_person
from fittracker.unsubscribing import STOPPABLE, Unsubscribing


@pytest.fixture
async def database(mongo_url: str, fresh_database: str) -> AsyncIterator[Database]:
    """One that nobody has used."""
    async with open_database(mongo_url, fresh_database) as opened:
        yield opened


@pytest.fixture
def unsubscribing(database: Database) -> Unsubscribing:
    """What is tried here."""
    return Unsubscribing(database, origin="https://fit.example.org")


async def somebody(database: Database) -> str:
    """A person; their id."""
    user = new_id()
    await database.users.insert_one(
        new_person(user, f"{user}@example.org", "Anna", "user", datetime.now(UTC), {})
    )
    return user


async def test_a_token_names_the_person_and_the_kind(
    database: Database, unsubscribing: Unsubscribing
) -> None:
    """It is the same in every mail, so that old ones keep working."""
    anna = await somebody(database)
    token = await unsubscribing.token(anna, "weekly_summary")
    assert token == await unsubscribing.token(anna, "weekly_summary")
    assert await unsubscribing.read(token) == (anna, "weekly_summary")


async def test_it_outlives_every_key_of_the_server(database: Database, unsubscribing: Unsubscribing) -> None:
    """It rests on a key of the person's own, not on TOKEN_KEYS, which are changed more than once a year."""
    token = await unsubscribing.token(anna := await somebody(database), "booking")
    later = Unsubscribing(database, origin="https://elsewhere.example.org")
    assert await later.read(token) == (anna, "booking")


async def test_nobody_else_can_make_one(database: Database, unsubscribing: Unsubscribing) -> None:
    """Not for another person, not for another kind, not by changing any character."""
    anna, ben = await somebody(database), await somebody(database)
    token = await unsubscribing.token(anna, "booking")
    await unsubscribing.token(ben, "booking")
    proof = token.rpartition(".")[2]
    forged = [
        f"ftu_{ben}.booking.{proof}",
        f"ftu_{anna}.receipt.{proof}",
        f"ftu_{anna}.security.{proof}",
        f"ftu_{new_id()}.booking.{proof}",
        *(
            token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            for place in (5, 40, 50)
        ),
        token + "x",
        token[:-1],
        token + "\n",
        "",
        "ftu_",
        "💥" * 50,
    ]
    for each in forged:
        with pytest.raises(Invalid):
            await unsubscribing.read(each)


async def test_what_protects_people_cannot_be_stopped(
    database: Database, unsubscribing: Unsubscribing
) -> None:
    """There is no link for it."""
    anna = await somebody(database)
    assert set(NOTIFICATIONS) - STOPPABLE == {"security"}
    assert await unsubscribing.address(anna, "security") == ""
    assert (await unsubscribing.address(anna, "booking")).startswith(
        f"https://fit.example.org/api/v1/mail/unsubscribe?token=ftu_{anna}.booking."
    )


async def test_it_dies_with_the_account(database: Database, unsubscribing: Unsubscribing) -> None:
    """Nobody is left whose mails could be stopped."""
    anna = await somebody(database)
    token = await unsubscribing.token(anna, "booking")
    await database.users.delete_one({"_id": anna})
    with pytest.raises(Invalid):
        await unsubscribing.read(token)
    with pytest.raises(Invalid):
        await unsubscribing.token(anna, "booking")
