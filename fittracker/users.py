"""People: their profile, their zones, their preferences, and what of it is needed to read their heart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pymongo import ReturnDocument

from fittracker.auth.liveness import Liveness, State
from fittracker.clock import Clock
from fittracker.control import Control, SightChanged
from fittracker.errors import Invalid, NotFound, PreconditionFailed
from fittracker.measured import OF_PROFILE
from fittracker.measurements import Measurements
from fittracker.mongo import Database, Document, Session, transact
from fittracker.observability import logger
from fittracker.physiology import Physiology
from fittracker.preferences import NOTIFICATIONS, stored
from fittracker.profile import (
    FIELDS,
    age_on,
    alert_limits,
    check_profile,
    end_of,
    in_force,
    maximum_on,
    resting_on,
)
from fittracker.redis import OUTAGES
from fittracker.search_words import search_field
from fittracker.zones import complete, zones_on

log = logger(__name__)

# Never more than this leaves the collection: hashes of passwords and mailed tokens stay where they are.
_SHOWN: Final = dict.fromkeys(
    (*FIELDS, "email", "role", "zones", "preferences", "verified_at", "created_at", "version"), 1
)
_HEART: Final = dict.fromkeys((*FIELDS, "zones", "preferences"), 1)


class Users:
    """The people, one at a time. Days are in the person's own time zone."""

    def __init__(
        self,
        database: Database,
        liveness: Liveness,
        measurements: Measurements,
        control: Control,
        clock: Clock,
    ) -> None:
        self._database = database
        self._measurements = measurements
        self._users = database.users
        self._sessions = database.sessions
        self._device_tokens = database.device_tokens
        self._liveness = liveness
        self._control = control
        self._clock = clock

    async def get(self, user: str) -> Document:
        """A person as they see themselves; NotFound where there is nobody."""
        found = await self._users.find_one({"_id": user}, _SHOWN)
        if found is None:
            raise NotFound("There is no such person.")
        return found

    async def physiology(self, user: str, sport: str | None = None, at: datetime | None = None) -> Physiology:
        """What is known of a person's heart at a moment, for a sport, by two reads; without a moment, by one.

        What was measured counts as it was at the end of that local day (`fittracker.profile.in_force`). For
        the zones see `fittracker.zones.zones_on`.
        """
        person = await self._users.find_one({"_id": user}, _HEART)
        if person is None:
            raise NotFound("There is no such person.")
        day = self._day(person["time_zone"], at)
        if at is not None:
            person["history"] = await self._measurements.around(user, end_of(day, person["time_zone"]))
        return Physiology(
            zones=zones_on(person, sport, day),
            limits=alert_limits(person, day),
            time_zone=person["time_zone"],
            sex=person["sex"],
            age=age_on(person["birth_date"], day),
            weight_kg=in_force(person, "weight_kg", day),
            resting=resting_on(person, day),
            maximum=maximum_on(person, day),
        )

    async def change(self, user: str, changes: Mapping[str, Any], version: int | None) -> Document:
        """Change the profile, and write down what of it is measured; the person after it.

        PreconditionFailed where `version` is given and is not the present one, Invalid for what cannot be.
        """
        now = await self.get(user)
        after = {**now, **changes}
        today = datetime.fromisoformat(self._day(after["time_zone"])).date()
        check_profile(after, today)
        if "name" in changes:
            changes = {**changes, "search": search_field(after["name"])}
        if any(field in changes for _, field in OF_PROFILE):
            changed = await self._measure(user, changes, version)
        else:
            changed = await self._update(user, changes, version)
        if changed["name"] != now["name"]:
            await self._spread(changed)
        return changed

    async def _measure(self, user: str, changes: Mapping[str, Any], version: int | None) -> Document:
        """The same where a measurement changes: the two are stored together or not at all."""

        async def work(session: Session) -> Document:
            now = await self._users.find_one({"_id": user}, _SHOWN, session=session)
            # Touched first, so that this never overlaps with what changes the measurements themselves.
            after = await self._update(user, changes, version, session)
            check_profile(after, datetime.fromisoformat(self._day(after["time_zone"])).date())
            if now is not None:
                await self._measurements.take(now, changes, session)
            return after

        return await transact(self._database, work)

    async def change_preferences(
        self, user: str, changes: Mapping[str, Any], version: int | None
    ) -> Document:
        """Change preferences group by group (see `fittracker.preferences.stored`); the person after it."""
        paths = stored(changes)
        if "alerts" in changes:
            now = await self.get(user)
            day = self._day(now["time_zone"])
            # Refused here, with the fields named, what a device would stumble over at its next stream.
            alert_limits({**now, "preferences": {}}, day).with_own(changes["alerts"])
        changed = await self._update(user, paths, version)
        if "privacy" in changes:
            await self._tell_sight(user)
        return changed

    async def set_notification(self, user: str, kind: str, channel: str, on: bool) -> Document:
        """Turn one kind of notification on or off for one channel; the person after it.

        Also for who is not signed in, such as the reader of a mail with a link to stop it. NotFound where
        there is nobody, Invalid for what cannot be turned off or does not exist.
        """
        if channel not in NOTIFICATIONS.get(kind, {}):
            raise Invalid(
                "There is no such notification.", fields={f"notifications.{kind}.{channel}": "is not known"}
            )
        await self.get(user)
        return await self.change_preferences(user, {"notifications": {kind: {channel: on}}}, None)

    async def change_zones(
        self, user: str, rows: Sequence[Mapping[str, Any]], version: int | None
    ) -> Document:
        """Replace the dated zones by these rows (see `fittracker.zones.complete`); the person after it."""
        person = await self.get(user) | {"history": await self._measurements.history(user)}
        return await self._update(user, {"zones": complete(rows, person)}, version)

    async def _update(
        self, user: str, values: Mapping[str, Any], version: int | None, session: Session | None = None
    ) -> Document:
        query: Document = {"_id": user}
        if version is not None:
            query["version"] = version
        changed = await self._users.find_one_and_update(
            query,
            {"$set": {**values, "updated_at": self._clock.utc()}, "$inc": {"version": 1}},
            projection=_SHOWN,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if changed is None:
            raise PreconditionFailed("It has changed since you read it; read it again.")
        return changed

    async def _tell_sight(self, user: str) -> None:
        """Whoever watches them and may not any more is shown nothing from this moment on."""
        try:
            await self._control.tell(SightChanged(user))
        except OUTAGES:
            log.warning("sight_change_not_told", user=user)

    async def _spread(self, person: Document) -> None:
        """Tell every sign-in the new name: it is kept with them, so that connecting costs no look here."""
        user, name, role = person["_id"], person["name"], person["role"]
        async for each in self._sessions.find({"user": user, "ended_at": None}, {"_id": 1}):
            await self._liveness.update(each["_id"], State(each["_id"], user, name, role))
        async for each in self._device_tokens.find({"user": user}, {"fingerprint": 1, "scopes": 1}):
            state = State(each["_id"], user, name, role, tuple(each["scopes"]))
            await self._liveness.update(each["fingerprint"], state)

    def _day(self, time_zone: str, at: datetime | None = None) -> str:
        return (at or self._clock.utc()).astimezone(ZoneInfo(time_zone)).date().isoformat()
