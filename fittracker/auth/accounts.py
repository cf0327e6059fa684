"""Accounts: the rooms in which one is made, entered, secured and won back, opened together."""

from __future__ import annotations

from dataclasses import dataclass

from fittracker.audit import Audit
from fittracker.auth.email_change import EmailChange
from fittracker.auth.guard import Guard
from fittracker.auth.known_devices import KnownDevices
from fittracker.auth.letters import Letters
from fittracker.auth.lockout import Lockout
from fittracker.auth.mailed_links import MailedLinks
from fittracker.auth.password_change import PasswordChange
from fittracker.auth.passwords import Passwords
from fittracker.auth.recovery import Recovery
from fittracker.auth.registration import Registration
from fittracker.auth.second_factor import SecondFactor
from fittracker.auth.sessions import Sessions
from fittracker.auth.sign_in import SignIn
from fittracker.background import Background
from fittracker.caller import Caller
from fittracker.clock import Clock
from fittracker.errors import Conflict
from fittracker.limits import Limits
from fittracker.mail import Mail
from fittracker.mongo import Database
from fittracker.sealing import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all rooms stand on. `seal` is the one for secrets of second factors, `origin` where links lead."""

    database: Database
    passwords: Passwords
    sessions: Sessions
    lockout: Lockout
    limits: Limits
    mail: Mail
    seal: Seal
    audit: Audit
    background: Background
    clock: Clock
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The accounts of all people.

    `guard.present` is for whatever else must not happen without the current password.
    """

    registration: Registration
    sign_in: SignIn
    guard: Guard
    recovery: Recovery
    password_change: PasswordChange
    email_change: EmailChange
    second_factor: SecondFactor
    letters: Letters

    async def end_second_factor(self, user: str, current: str, code: str, caller: Caller) -> None:
        """Turn it off, knowing the password and a code; wrong ones are Invalid and count as tries to sign in.

        Conflict where it is not on.
        """
        if not await self.second_factor.is_on(user):
            raise Conflict("The second factor is not on.")
        person = await self.guard.present(user, current, caller, code=code)
        await self.second_factor.turn_off(person, caller)


def open_accounts(ground: Ground) -> Accounts:
    """Put the rooms together."""
    database, passwords, sessions = ground.database, ground.passwords, ground.sessions
    audit, background, clock = ground.audit, ground.background, ground.clock
    letters = Letters(ground.mail, ground.limits, clock)
    links = MailedLinks(letters, clock, origin=ground.origin)
    factor = SecondFactor(database, ground.seal, letters, audit, clock)
    guard = Guard(database, passwords, ground.lockout, factor, letters, audit, background, clock)
    devices = KnownDevices(database, letters, clock)
    return Accounts(
        registration=Registration(database, passwords, links, letters, audit, background, clock),
        sign_in=SignIn(database, passwords, sessions, guard, factor, devices, letters, audit, background),
        guard=guard,
        recovery=Recovery(database, passwords, sessions, guard, links, letters, audit, background, clock),
        password_change=PasswordChange(database, passwords, sessions, guard, letters, audit, clock),
        email_change=EmailChange(database, sessions, guard, links, letters, audit, background, clock),
        second_factor=factor,
        letters=letters,
    )
