"""The weekly summary: Monday 08:00 where the person is, once, and only for who asked and trained."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import config.settings
from fittracker.clock import Clock
from fittracker.ids import new_id
from fittracker.mail import Mail
from fittracker.mongo import Database, open_database
from fittracker.profile import new_person
from fittracker.sealing import Seal
from fittracker.weekly import Weekly, bounds, due, figures
from tests.mail_server import MailServer, open_mail_server

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
MONDAY = date(2026, 11, 16)
AFTER = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
"""Monday 08:00 in Berlin, after the week that began on MONDAY."""
KEYS = (("k1", "a-secret-of-more-than-thirty-two-bytes"),)


class SetClock(Clock):
    """A clock that says what a test wants."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> float:
        """As `Clock.now`."""
        return self.at.timestamp()

    def now_ms(self) -> int:
        """As `Clock.now_ms`."""
        return round(self.now() * 1_000)


@pytest.fixture
def clock() -> SetClock:
    """Monday 08:00 in Berlin."""
    return SetClock(AFTER)


@pytest.fixture
async def database(mongo_url: str, fresh_database: str) -> AsyncIterator[Database]:
    """One that nobody has used."""
    async with open_database(mongo_url, fresh_database) as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    """A mail server that takes everything."""
    async with open_mail_server() as opened:
        yield opened


def worker(database: Database, clock: Clock, port: int = 9) -> tuple[Weekly, Mail]:
    """What one worker has for it."""
    settings = config.settings.load(
        mode="test", smtp_port=port, smtp_security="none", public_origin="https://fit.example.org"
    )
    mail = Mail(settings, database, Seal(KEYS, "mail"), clock)
    return Weekly(database, mail, clock, origin="https://fit.example.org"), mail


async def somebody(database: Database, *, zone: str = "Europe/Berlin", on: bool | None = True) -> str:
    """A person who has turned the summary on, or off, or (None) said nothing; their id."""
    user = new_id()
    said = {} if on is None else {"notifications": {"weekly_summary": {"mail": on}}}
    person = new_person(user, f"{user}@example.org", "Anna", "user", AFTER, {"time_zone": zone})
    await database.users.insert_one({**person, "preferences": said, "verified_at": AFTER})
    return user


def workout(seconds: float = 3_600.0, **summary: Any) -> dict[str, Any]:
    """What is read of a workout."""
    known = {"kcal": 500.0, "trimp": 80.0, "avg_bpm": 140.0, "zones_s": [600.0, 1_200.0, 1_200.0, 600.0, 0.0]}
    return {"duration_s": seconds, "summary": {**known, **summary}}


async def train(database: Database, user: str, at: datetime, **changes: Any) -> None:
    """A workout of this person that began then."""
    await database.workouts.insert_one(
        {"_id": new_id(), "user": user, "stream": new_id(), "started_at": at, **workout(**changes)}
    )


async def waiting(database: Database) -> int:
    """How many mails wait."""
    return await database.mails.count_documents({})


# -- figures and days ------------------------------------------------------------------------------------


def test_the_figures_of_a_week_are_sums_and_bests() -> None:
    """Of three workouts."""
    made = figures([workout(), workout(1_800.0, avg_bpm=151.5, kcal=250.5), workout(600.0, trimp=1.0)])
    assert asdict(made) == {
        "workouts": 3,
        "seconds": 6_000.0,
        "kcal": 1_250.5,
        "zones_s": [1_800.0, 3_600.0, 3_600.0, 1_800.0, 0.0],
        "longest_s": 3_600.0,
        "best_avg_bpm": 151.5,
        "trimp": 161.0,
    }


def test_what_no_workout_tells_is_unknown_and_not_nothing() -> None:
    """No weight, no kilocalories; what one workout tells counts."""
    blank = workout(kcal=None, trimp=None, avg_bpm=None, zones_s=None)
    made = figures([blank])
    assert (made.kcal, made.trimp, made.best_avg_bpm, made.zones_s) == (None, None, None, None)
    assert (made.workouts, made.seconds) == (1, 3_600.0)
    assert figures([blank, workout()]).kcal == 500.0
    assert figures([]) == figures(iter(()))
    assert (figures([]).workouts, figures([]).longest_s) == (0, None)


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        (AFTER - timedelta(seconds=1), BERLIN, None),
        (AFTER, BERLIN, MONDAY),
        (AFTER + timedelta(hours=47), BERLIN, MONDAY),
        (AFTER + timedelta(hours=48), BERLIN, None),
        (AFTER, NEW_YORK, None),
        (AFTER + timedelta(hours=6), NEW_YORK, MONDAY),
        # The Mondays after the clock went forward and back: 06:00 and 07:00 UTC are 08:00 in Berlin.
        (datetime(2026, 3, 30, 5, 59, tzinfo=UTC), BERLIN, None),
        (datetime(2026, 3, 30, 6, 0, tzinfo=UTC), BERLIN, date(2026, 3, 23)),
        (datetime(2026, 10, 26, 6, 59, tzinfo=UTC), BERLIN, None),
        (datetime(2026, 10, 26, 7, 0, tzinfo=UTC), BERLIN, date(2026, 10, 19)),
        # It is Monday 08:00 there while London sleeps on Sunday.
        (datetime(2026, 11, 22, 18, 0, tzinfo=UTC), ZoneInfo("Pacific/Kiritimati"), MONDAY),
    ],
)
def test_it_is_due_from_monday_eight_by_the_clock_of_the_zone(
    now: datetime, zone: ZoneInfo, expected: date | None
) -> None:
    """For two days, should everything have been down."""
    assert due(now, zone) == expected


@pytest.mark.parametrize(
    ("monday", "zone", "hours"),
    [
        (MONDAY, "Europe/Berlin", 168),
        (date(2026, 3, 23), "Europe/Berlin", 167),
        (date(2026, 10, 19), "Europe/Berlin", 169),
        (date(2026, 11, 16), "Asia/Kathmandu", 168),
    ],
)
def test_a_week_goes_from_midnight_to_midnight(monday: date, zone: str, hours: int) -> None:
    """So one with a change of the clock is an hour shorter or longer, and nothing is counted twice."""
    _, begin, end = bounds(monday, ZoneInfo(zone))
    assert (end - begin) == timedelta(hours=hours)
    assert bounds(monday + timedelta(days=7), ZoneInfo(zone))[:2] == (begin, end)
    assert begin.astimezone(ZoneInfo(zone)).hour == 0


# -- sending ------------------------------------------------------------------------------------------


async def test_who_asked_and_trained_gets_the_week_beside_the_week_before(
    database: Database, clock: SetClock, server: MailServer
) -> None:
    """Workouts at the very edges belong to the week in which they began, by the clock of the person."""
    anna = await somebody(database)
    _, begin, end = bounds(MONDAY, BERLIN)
    for at in (begin, end - timedelta(seconds=1)):
        await train(database, anna, at)
    await train(database, anna, begin - timedelta(seconds=1), seconds=1_200.0)
    await train(database, anna, end, seconds=9_000.0)
    weekly, mail = worker(database, clock, server.port)
    assert await weekly.send_due() == 1
    while await mail.send_one():
        pass
    await mail._postman.rest()
    (arrived,) = server.mails
    assert arrived["To"] == f"{anna}@example.org"
    assert arrived["Subject"] == "Your week: 2 workouts, 2 h 00 min"
    part = arrived.get_body(("plain",))
    assert part is not None
    text = part.get_content()
    assert "16 November 2026 to 22 November 2026" in text.replace("\r\n", " ")
    assert "Time: 2 h 00 min (week before: 20 min)" in text
    assert f"/api/v1/mail/unsubscribe?token=ftu_{anna}.weekly_summary." in str(arrived["List-Unsubscribe"])


async def test_who_did_not_ask_or_did_not_train_gets_nothing(database: Database, clock: SetClock) -> None:
    """Silence is no consent: the figures of a heart go into a mail only for who has said yes."""
    for on in (None, False):
        await train(database, await somebody(database, on=on), AFTER - timedelta(days=3))
    idle = await somebody(database)
    await train(database, idle, AFTER - timedelta(days=10))
    gone = await somebody(database)
    await train(database, gone, AFTER - timedelta(days=3))
    await database.users.update_one({"_id": gone}, {"$set": {"disabled_at": AFTER}})
    assert await worker(database, clock)[0].send_due() == 0
    assert await waiting(database) == 0


async def test_many_workers_send_each_summary_once(database: Database, clock: SetClock) -> None:
    """Side by side, again and again, until the time for it is over."""
    for _ in range(30):
        await train(database, await somebody(database), AFTER - timedelta(days=3))
    workers = [worker(database, clock)[0] for _ in range(4)]
    counts = await asyncio.gather(*(each.send_due() for each in workers))
    assert sum(counts) == 30
    for hours in (0, 1, 30):
        clock.at = AFTER + timedelta(hours=hours)
        assert sum(await asyncio.gather(*(each.send_due() for each in workers))) == 0
    assert await waiting(database) == 30


async def test_a_worker_that_dies_in_the_middle_is_followed_by_another(
    database: Database, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which goes on where the first one came to; nobody gets two mails and nobody none."""
    monkeypatch.setattr("fittracker.weekly.SAVE_EVERY", 3)
    for _ in range(10):
        await train(database, await somebody(database), AFTER - timedelta(days=3))
    dying, mail = worker(database, clock)
    queue, told = mail.queue, 0

    async def queue_some(*about: Any, **values: Any) -> None:
        nonlocal told
        told += 1
        if told > 5:
            raise asyncio.CancelledError
        await queue(*about, **values)

    monkeypatch.setattr(mail, "queue", queue_some)
    with pytest.raises(asyncio.CancelledError):
        await dying.send_due()
    assert await waiting(database) == 5
    other, _ = worker(database, clock)
    assert await other.send_due() == 0, "the round is still the dead one's"
    clock.at = AFTER + timedelta(minutes=3)
    assert await other.send_due() == 5
    assert await waiting(database) == 10


async def test_who_moves_to_another_zone_gets_no_second_one(database: Database, clock: SetClock) -> None:
    """A person and a week: once."""
    anna = await somebody(database)
    await train(database, anna, AFTER - timedelta(days=3))
    weekly, _ = worker(database, clock)
    assert await weekly.send_due() == 1
    await database.users.update_one({"_id": anna}, {"$set": {"time_zone": "America/New_York"}})
    clock.at = AFTER + timedelta(hours=6)
    assert await weekly.send_due() == 0
    assert await waiting(database) == 1


async def test_each_zone_has_its_own_eight_o_clock(database: Database, clock: SetClock) -> None:
    """Berlin first, New York six hours later."""
    for zone in ("Europe/Berlin", "America/New_York"):
        await train(database, await somebody(database, zone=zone), AFTER - timedelta(days=3))
    weekly, _ = worker(database, clock)
    assert await weekly.send_due() == 1
    clock.at = AFTER + timedelta(hours=6)
    assert await weekly.send_due() == 1


async def test_only_who_wants_it_is_looked_at(database: Database) -> None:
    """The people are read through the index of those who turned it on, in the order of their ids."""
    for on in (True, None, None, None, None):
        await somebody(database, on=on)
    query = {
        "preferences.notifications.weekly_summary.mail": True,
        "time_zone": "Europe/Berlin",
        "_id": {"$gt": ""},
        "disabled_at": None,
    }
    found = await database.users.find(query).sort([("_id", 1)]).explain()
    assert found["executionStats"]["totalDocsExamined"] == 1
    assert "SORT" not in str(found["queryPlanner"]["winningPlan"])
