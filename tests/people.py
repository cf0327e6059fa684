"""People for tests of sockets: verified, signed in, in sessions and with grants, within milliseconds.

They are made by the contexts of the product, straight in the database; that registering leads to the same is
the business of the tests of REST.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from config.settings import Settings
from fittracker.auth.founding import Founding
from fittracker.auth.passwords import Passwords
from fittracker.caller import SYSTEM
from fittracker.clock import Clock
from fittracker.contexts import Contexts
from fittracker.opening import open_contexts

# Born in 1990, so zones and limits are known.
PROFILE: dict[str, Any] = {"sex": "female", "birth_date": "1990-01-01", "weight_kg": 62.0, "resting_hr": 52}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in. `sid` is the sign-in, `token` its access token."""

    id: str
    name: str
    token: str
    sid: str


class People:
    """Makes people on the database of a test; `contexts` are those of a worker that serves nobody."""

    def __init__(self, contexts: Contexts, founding: Founding) -> None:
        self.contexts = contexts
        self._founding = founding

    async def crowd(self, count: int, role: str = "user", **profile: Any) -> list[Person]:
        """So many at once."""
        documents = await self._founding.found_crowd(count, role, {**PROFILE, **profile})
        return [await self._signed_in(document) for document in documents]

    async def athlete(self, **profile: Any) -> Person:
        """Somebody with a heart; `profile` in place of what they are by default."""
        (athlete,) = await self.crowd(1, **profile)
        return athlete

    async def trainer(self) -> Person:
        """Somebody with the role trainer."""
        (trainer,) = await self.crowd(1, "trainer")
        return trainer

    async def _signed_in(self, document: dict[str, Any]) -> Person:
        pair = await self.contexts.sessions.begin(document, device="test", address="127.0.0.1")
        return Person(document["_id"], document["name"], pair.access_token, pair.sid)

    async def sign_in(self, person: Person) -> Person:
        """The same person, signed in once more."""
        document = await self.contexts.users.get(person.id)
        return await self._signed_in(document)

    async def device(self, person: Person) -> tuple[str, str]:
        """A device token of theirs: its id, and the token."""
        document, token = await self.contexts.device_tokens.create(person.id, "strap", ["telemetry:write"])
        return document["_id"], token

    async def ticket(self, person: Person) -> str:
        """A ticket for a browser of theirs."""
        return await self.contexts.tickets.issue(await self.contexts.authenticator.authenticate(person.token))

    async def grant(self, athlete: Person, trainer: Person) -> str:
        """The athlete lets the trainer see their heart rate; the grant's id."""
        given = await self.contexts.grants.give(athlete.id, trainer.id, ["heart_rate"], caller=SYSTEM)
        return str(given["_id"])

    async def session(self, trainer: Person, athletes: Sequence[Person]) -> str:
        """A live coaching session of people who have agreed to it; its id."""
        for athlete in athletes:
            await self.grant(athlete, trainer)
        members = [athlete.id for athlete in athletes]
        made = await self.contexts.coaching.create(trainer.id, title="Test", capacity=100, athletes=members)
        return str(made["_id"])

    async def challenge(self, owner: Person, *others: Person, **more: Any) -> str:
        """A challenge that runs and counts what is reported, with these people in it; its id."""
        now = self.contexts.clock.utc()
        what: dict[str, Any] = {
            "title": "Push-ups",
            "about": "",
            "metric": "custom",
            "unit": "",
            "goal": None,
            "starts_at": now - timedelta(hours=1),
            "ends_at": now + timedelta(hours=1),
            "visibility": "public" if others else "followers",
            **more,
        }
        made = await self.contexts.arena.challenges.create(owner.id, **what)
        for each in (owner, *others):
            await self.contexts.arena.join(each.id, made["_id"])
        return str(made["_id"])

    async def conversation(self, *people: Person, title: str = "Runners") -> str:
        """A conversation that the first of these people begins: of two, or a group; its id."""
        first, *others = people
        ids = [each.id for each in others]
        begin = self.contexts.conversations.begin
        if len(others) == 1:
            made = await begin(first.id, "direct", ids, None)
        else:
            made = await begin(first.id, "group", ids, title)
        return str(made["_id"])

    async def lesson(self, trainer: Person, athletes: Sequence[Person], **more: Any) -> str:
        """A live coaching session that these have entered, without any grant; its id."""
        members = [athlete.id for athlete in athletes]
        wanted = {"title": "Test", "capacity": 100, "athletes": members, **more}
        made = await self.contexts.coaching.create(trainer.id, **wanted)
        for member in members:
            await self.contexts.coaching.enter(made["_id"], member)
        return str(made["_id"])


@asynccontextmanager
async def open_people(settings: Settings) -> AsyncIterator[People]:
    """People on the database of these settings, who the servers with these settings believe."""
    clock = Clock()
    async with (
        open_contexts(settings, clock) as contexts,
        Passwords.open(pepper=settings.password_pepper, cost=4, threads=1) as passwords,
    ):
        yield People(contexts, Founding(contexts.database, passwords, contexts.audit, clock))
