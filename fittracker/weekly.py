"""The weekly summary: each Monday from 08:00, by the clock of the person, for who has turned it on.

Who trained in the week that has ended gets its figures beside those of the week before, once, however many
workers there are and however often they end. The people of one time zone are gone through in the order of
their ids by one worker at a time, which notes how far it came; the note of each person's mail is written in
the transaction that queues it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from fittracker.clock import Clock
from fittracker.mail import Mail
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger

log = logger(__name__)

KIND: Final = "weekly_summary"
HOUR: Final = time(8)
LATE: Final = timedelta(days=2)
"""After an outage it is still sent for so long; later it would be about a week long past."""
LEASE: Final = timedelta(minutes=2)
SAVE_EVERY: Final = 50
REMEMBERED: Final = timedelta(days=30)
_WANTED: Final = {f"preferences.notifications.{KIND}.mail": True}
_NEEDED: Final = {"user": 1, "started_at": 1, "duration_s": 1, "summary": 1}


@dataclass(frozen=True, slots=True)
class Figures:
    """A week of training; None where no workout tells. Seconds, kilocalories, bpm; five zones."""

    workouts: int
    seconds: float
    kcal: float | None
    zones_s: list[float] | None
    longest_s: float | None
    best_avg_bpm: float | None
    trimp: float | None


def figures(workouts: Iterable[Mapping[str, Any]]) -> Figures:
    """What the workouts of a week come to; each has `duration_s` and `summary` as they are stored."""
    rows = list(workouts)
    lengths = [float(row["duration_s"]) for row in rows]
    zones = [row["summary"]["zones_s"] for row in rows if row["summary"].get("zones_s")]
    return Figures(
        workouts=len(rows),
        seconds=sum(lengths),
        kcal=_sum(rows, "kcal"),
        zones_s=[sum(each) for each in zip(*zones, strict=True)] if zones else None,
        longest_s=max(lengths, default=None),
        best_avg_bpm=max(_known(rows, "avg_bpm"), default=None),
        trimp=_sum(rows, "trimp"),
    )


def _known(rows: Iterable[Mapping[str, Any]], name: str) -> list[float]:
    return [row["summary"][name] for row in rows if row["summary"].get(name) is not None]


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> float | None:
    known = _known(rows, name)
    return sum(known) if known else None


def due(now: datetime, zone: ZoneInfo) -> date | None:
    """The Monday that began the week to be summed up now, where the zone's clock says; None at other times.

    In weeks in which the clock is changed Monday 08:00 is still 08:00.
    """
    local = now.astimezone(zone)
    monday = local.date() - timedelta(days=local.weekday())
    at = datetime.combine(monday, HOUR, zone).astimezone(UTC)
    return monday - timedelta(days=7) if at <= now < at + LATE else None


def bounds(monday: date, zone: ZoneInfo) -> tuple[datetime, datetime, datetime]:
    """The week before, the week, and its end: three midnights of the zone, in UTC.

    A week with a change of the clock has 167 or 169 hours.
    """
    days = (monday - timedelta(days=7), monday, monday + timedelta(days=7))
    before, begin, end = (datetime.combine(day, time.min, zone).astimezone(UTC) for day in days)
    return before, begin, end


class Weekly:
    """Sends the summaries that are due."""

    def __init__(self, database: Database, mail: Mail, clock: Clock, *, origin: str) -> None:
        self._database = database
        self._users = database.users
        self._workouts = database.workouts
        self._rounds = database.weekly_rounds
        self._sent = database.weekly_sent
        self._mail = mail
        self._clock = clock
        self._origin = origin

    async def send_due(self) -> int:
        """Queue what is due in every zone where it is time, as far as no other worker is at it; how many."""
        count = 0
        for name in await self._users.distinct("time_zone", _WANTED):
            monday = due(self._clock.utc(), ZoneInfo(name))
            if monday is not None:
                count += await self._zone(name, monday)
        return count

    async def _zone(self, zone: str, monday: date) -> int:
        claimed = await self._claim(f"{zone} {monday}")
        if claimed is None:
            return 0
        count = seen = 0
        async for person in self._people(zone, claimed.get("after", "")):
            count += await self._person(person, monday)
            seen += 1
            if seen % SAVE_EVERY == 0:
                await self._save(claimed, {"after": person["_id"], "until": self._clock.utc() + LEASE})
        await self._save(claimed, {"done": True})
        log.info("weekly_summaries_queued", zone=zone, week=str(monday), people=seen, mails=count)
        return count

    async def _claim(self, name: str) -> Document | None:
        """The round of a zone and a week, ours for two minutes; None where it is done or another's."""
        now = self._clock.utc()
        try:
            claimed: Document | None = await self._rounds.find_one_and_update(
                {"_id": name, "done": False, "until": {"$lte": now}},
                {"$set": {"until": now + LEASE}, "$setOnInsert": {"expires_at": now + REMEMBERED}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            return None
        return claimed

    async def _save(self, claimed: Document, values: Document) -> None:
        await self._rounds.update_one({"_id": claimed["_id"]}, {"$set": values})

    async def _people(self, zone: str, after: str) -> AsyncIterator[Document]:
        query = {**_WANTED, "time_zone": zone, "_id": {"$gt": after}, "disabled_at": None}
        async for person in self._users.find(query, {"email": 1, "time_zone": 1}, sort=[("_id", 1)]):
            yield person

    async def _person(self, person: Document, monday: date) -> bool:
        before, begin, end = bounds(monday, ZoneInfo(person["time_zone"]))
        query = {"user": person["_id"], "started_at": {"$gte": before, "$lt": end}}
        rows = await self._workouts.find(query, _NEEDED).to_list()
        week = [row for row in rows if row["started_at"] >= begin]
        if not week:
            return False
        values = {
            "first": str(monday),
            "last": str(monday + timedelta(days=6)),
            "now": asdict(figures(week)),
            "before": asdict(figures(row for row in rows if row["started_at"] < begin)),
            "link": f"{self._origin}/",
        }
        return await self._once(person, str(monday), values)

    async def _once(self, person: Document, week: str, values: Document) -> bool:
        async def work(session: Session) -> None:
            # Nobody else, and no other zone, gets past this for the same person and week.
            mark = {"_id": {"u": person["_id"], "w": week}, "expires_at": self._clock.utc() + REMEMBERED}
            await self._sent.insert_one(mark, session=session)
            await self._mail.queue(
                person["email"], KIND, user=person["_id"], kind=KIND, session=session, **values
            )

        try:
            await transact(self._database, work)
        except DuplicateKeyError:
            return False
        return True
