"""Measurements: what a person weighed, and how their heart was, on which day.

The profile's weight and heart rates are the newest measurement of their kind: whatever changes one changes
the other in the same transaction, which touches the person, so that two of one person never overlap.
A null as a value stands for "not known from here on": somebody took the value in their profile back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument

from fittracker.clock import Clock
from fittracker.errors import Conflict, Invalid, NotFound
from fittracker.ids import is_id, new_id
from fittracker.measured import OF_PROFILE, Kind, check_moment, check_value, kind_of
from fittracker.mongo import Database, Document, Session, transact
from fittracker.paging import Cursor
from fittracker.profile import FIELDS, History, check_profile

NEWEST: Final = Cursor("at")
DOUBLE_CLICK: Final = timedelta(seconds=10)
_PERSON: Final = dict.fromkeys((*FIELDS, "created_at", "version"), 1)
_POINT: Final = {"_id": 0, "kind": 1, "at": 1, "value": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which measurements: of one kind or all, from a moment on, until before another."""

    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def query(self, user: str) -> Document:
        """The same for MongoDB."""
        query: Document = {"user": user}
        if self.kind is not None:
            query["kind"] = self.kind
        span = {"$gte": self.since, "$lt": self.until}
        if found := {name: moment for name, moment in span.items() if moment is not None}:
            query["at"] = found
        return query


class Measurements:
    """The measurements of all people, one person at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._measurements = database.measurements
        self._users = database.users
        self._clock = clock

    # -- reading -------------------------------------------------------------------------------------

    async def page(
        self, user: str, wanted: Wanted, limit: int, cursor: str | None
    ) -> tuple[list[Document], str | None]:
        """A person's measurements, newest first, and the cursor of the next page."""
        return await NEWEST.page(self._measurements, wanted.query(user), limit, cursor)

    async def around(self, user: str, end: datetime) -> History:
        """What of the profile is in force at `end`: by field the first value, and the newest one until then.

        One command; each part of it reads one entry of an index and no document.
        """
        parts = [part for kind, _ in OF_PROFILE for part in _points(user, kind, end)]
        rest = [{"$unionWith": {"coll": "measurements", "pipeline": part}} for part in parts[1:]]
        found = await self._measurements.aggregate([*parts[0], *rest])
        return _history(await found.to_list())

    async def history(self, user: str) -> History:
        """All that is known of the fields of the profile."""
        query = {"user": user, "kind": {"$in": [kind.name for kind, _ in OF_PROFILE]}}
        return _history(await self._measurements.find(query, _POINT).to_list())

    # -- writing -------------------------------------------------------------------------------------

    async def add(
        self, user: str, name: str, value: float, at: datetime | None = None, note: str | None = None
    ) -> Document:
        """Write one down, of now or of `at`; the measurement.

        The same once more is the one that is there: of the same moment, or without a moment within 10 s.
        Conflict for another value of that moment, Invalid for what cannot be.
        """
        kind, now = kind_of(name), self._clock.utc()
        check_value(kind, value)

        async def work(session: Session) -> Document:
            person = await self._hold(user, session)
            check_moment(person, at or now, now)
            await self._adopt(person, kind, session)
            there = await self._there(user, kind, at, session)
            if there is not None and _repeats(there, value, at, note, now):
                return there
            if there is not None and at is not None:
                raise Conflict("There is another measurement of this moment.")
            made = _new(user, kind, value, _after(there, at, now), note, now)
            await self._measurements.insert_one(made, session=session)
            await self._follow(person, kind, session)
            return made

        return await transact(self._database, work)

    async def change(self, user: str, measurement: str, changes: Mapping[str, Any]) -> Document:
        """Correct `value`, `at` or `note`; the measurement after it. NotFound for everybody else's."""
        now = self._clock.utc()

        async def work(session: Session) -> Document:
            person = await self._hold(user, session)
            before = await self._get(user, measurement, session)
            after = {**before, **changes}
            kind = kind_of(after["kind"])
            if "value" in changes:
                check_value(kind, after["value"])
            check_moment(person, after["at"], now)
            other = await self._there(user, kind, after["at"], session)
            if other is not None and other["_id"] != measurement:
                raise Conflict("There is another measurement of this moment.")
            await self._measurements.replace_one({"_id": measurement}, after, session=session)
            await self._follow(person, kind, session)
            return after

        return await transact(self._database, work)

    async def delete(self, user: str, measurement: str) -> None:
        """Forget one; the profile falls back to the one before. NotFound for everybody else's."""

        async def work(session: Session) -> None:
            person = await self._hold(user, session)
            found = await self._get(user, measurement, session)
            await self._measurements.delete_one({"_id": measurement}, session=session)
            # What is left may contradict itself: a highest rate below a resting one. It must go all the same.
            await self._follow(person, kind_of(found["kind"]), session, check=False)

        await transact(self._database, work)

    async def restore(
        self, user: str, name: str, value: float | None, at: datetime, note: str | None
    ) -> bool:
        """Write down one out of an export; False where something is written of that moment.

        A null is somebody who took their value back. Invalid for what cannot be.
        """
        kind, now = kind_of(name), self._clock.utc()
        if value is not None:
            check_value(kind, value)
        moment = at.replace(microsecond=at.microsecond // 1000 * 1000)

        async def work(session: Session) -> bool:
            person = await self._hold(user, session)
            check_moment(person, moment, now)
            if await self._there(user, kind, moment, session) is not None:
                return False
            await self._measurements.insert_one(_new(user, kind, value, moment, note, now), session=session)
            await self._follow(person, kind, session)
            return True

        return await transact(self._database, work)

    async def take(self, person: Document, changes: Mapping[str, Any], session: Session) -> None:
        """Write down what changes in a profile, in the transaction that changes it and touched the person.

        It becomes the newest of its kind also where one lies a few hours ahead.
        """
        now = self._clock.utc()
        for kind, field in OF_PROFILE:
            if field in changes and changes[field] != person[field]:
                await self._adopt(person, kind, session)
                there = await self._there(person["_id"], kind, None, session)
                made = _new(person["_id"], kind, changes[field], _after(there, None, now), None, now)
                await self._measurements.insert_one(made, session=session)

    # -- inside a transaction ------------------------------------------------------------------------

    async def _hold(self, user: str, session: Session) -> Document:
        """The person, whom no other transaction of this kind touches until this one ends."""
        person = await self._users.find_one_and_update(
            {"_id": user},
            {"$inc": {"measured": 1}},
            projection=_PERSON,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if person is None:
            raise NotFound("There is no such person.")
        return person

    async def _get(self, user: str, measurement: str, session: Session) -> Document:
        query = {"_id": measurement, "user": user}
        found = await self._measurements.find_one(query, session=session) if is_id(measurement) else None
        if found is None:
            raise NotFound("There is no such measurement.")
        return found

    async def _there(self, user: str, kind: Kind, at: datetime | None, session: Session) -> Document | None:
        """The measurement of a moment; without one, the newest."""
        query: Document = {"user": user, "kind": kind.name}
        if at is not None:
            query["at"] = at
        return await self._measurements.find_one(query, sort=[("at", -1)], session=session)

    async def _adopt(self, person: Document, kind: Kind, session: Session) -> None:
        """What somebody said when they registered is their first measurement, dated then."""
        known = None if kind.field is None else person[kind.field]
        if known is not None and await self._there(person["_id"], kind, None, session) is None:
            at = person["created_at"]
            await self._measurements.insert_one(
                _new(person["_id"], kind, known, at, None, at), session=session
            )

    async def _follow(self, person: Document, kind: Kind, session: Session, *, check: bool = True) -> None:
        """Make the profile say what the newest measurement says."""
        if kind.field is None:
            return
        newest = await self._there(person["_id"], kind, None, session)
        value = None if newest is None else newest["value"]
        if value == person[kind.field]:
            return
        now = self._clock.utc()
        if check:
            _check_together({**person, kind.field: value}, now)
        await self._users.update_one(
            {"_id": person["_id"]},
            {"$set": {kind.field: value, "updated_at": now}, "$inc": {"version": 1}},
            session=session,
        )


def _check_together(person: Document, now: datetime) -> None:
    try:
        check_profile(person, now.date())
    except Invalid as error:
        raise Invalid(error.detail, fields={"value": "contradicts the profile"}) from error


def _repeats(there: Document, value: float, at: datetime | None, note: str | None, now: datetime) -> bool:
    if there["value"] != value:
        return False
    return at is not None or (there["note"] == note and abs(now - there["created_at"]) < DOUBLE_CLICK)


def _after(newest: Document | None, at: datetime | None, now: datetime) -> datetime:
    """The moment of a new one: as it was said, or now, but after the newest there is."""
    if at is not None:
        return at
    return now if newest is None else max(now, newest["at"] + timedelta(milliseconds=1))


def _new(
    user: str, kind: Kind, value: float | None, at: datetime, note: str | None, now: datetime
) -> Document:
    return {
        "_id": new_id(),
        "user": user,
        "kind": kind.name,
        "value": int(value) if kind.whole and value is not None else value,
        "at": at,
        "note": note,
        "created_at": now,
        "schema_version": 1,
    }


def _points(user: str, kind: Kind, end: datetime) -> list[list[Document]]:
    mine: Document = {"user": user, "kind": kind.name}
    last: list[Document] = [{"$limit": 1}, {"$project": _POINT}]
    return [
        [{"$match": {**mine, "value": {"$ne": None}}}, {"$sort": {"at": 1}}, *last],
        [{"$match": {**mine, "at": {"$lte": end}}}, {"$sort": {"at": -1}}, *last],
    ]


def _history(points: list[Document]) -> History:
    found: dict[str, list[tuple[datetime, float | None]]] = {}
    fields = {kind.name: field for kind, field in OF_PROFILE}
    for each in sorted(points, key=lambda point: point["at"]):
        found.setdefault(fields[each["kind"]], []).append((each["at"], each["value"]))
    return found
