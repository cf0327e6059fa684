"""People who are made by whoever runs the server: admins, and the people of a developer's machine.

Nobody mails them a link: their address counts as theirs from the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.errors import DuplicateKeyError

from fittracker.audit import Audit
from fittracker.auth.emails import canonical
from fittracker.auth.passwords import Passwords
from fittracker.caller import OPERATOR
from fittracker.clock import Clock
from fittracker.errors import Conflict
from fittracker.ids import new_id
from fittracker.mongo import Database, Document, Session, transact
from fittracker.profile import check_profile, new_person


class Founding:
    """Makes verified people."""

    def __init__(self, database: Database, passwords: Passwords, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._users = database.users
        self._passwords = passwords
        self._audit = audit
        self._clock = clock

    async def found(
        self, email: str, password: str, name: str, role: str, profile: Mapping[str, Any] | None = None
    ) -> str:
        """Make one; the id.

        Invalid for a weak password, an impossible address or profile; Conflict for a taken address.
        """
        address = canonical(email)
        check_profile(profile or {}, self._clock.utc().date())
        await self._passwords.check_strength(password, [email, address, name])
        person = self._verified(address, name, role, profile or {})
        person["password"] = await self._passwords.hash(password)
        user: str = person["_id"]

        async def work(session: Session) -> None:
            await self._users.insert_one(person, session=session)
            await self._audit.record("account.registered", OPERATOR, target=user, session=session, role=role)

        try:
            await transact(self._database, work)
        except DuplicateKeyError as error:
            raise Conflict("There is an account with this e-mail address.") from error
        return user

    async def replace_password(self, user: str, password: str) -> None:
        """Give somebody another password, unasked: for the people of a developer's machine."""
        hashed = await self._passwords.hash(password)

        async def work(session: Session) -> None:
            await self._users.update_one({"_id": user}, {"$set": {"password": hashed}}, session=session)
            await self._audit.record("password.changed", OPERATOR, target=user, session=session)

        await transact(self._database, work)

    async def found_crowd(self, count: int, role: str, profile: Mapping[str, Any]) -> list[Document]:
        """Make many for a load test; they have no password, so nobody can sign in with one."""
        people = []
        for place in range(count):
            person = self._verified("", f"{role.capitalize()} {place + 1}", role, profile)
            people.append({**person, "email": f"{person['_id']}@crowd.invalid", "password": None})
        if people:
            await self._users.insert_many(people, ordered=False)
        return people

    def _verified(self, address: str, name: str, role: str, profile: Mapping[str, Any]) -> Document:
        now = self._clock.utc()
        return {**new_person(new_id(), address, name, role, now, profile), "verified_at": now}
