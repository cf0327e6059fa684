"""Accounts: how one is made, proven to be somebody's, and signed in to.

What an outsider may not learn is whether an address has an account: every answer here is the same, and takes
as long, whether it has one or not. Its owner learns everything, by mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from prometheus_client import Counter
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from fittracker.auth.emails import canonical
from fittracker.auth.lockout import Lockout
from fittracker.auth.passwords import Passwords
from fittracker.auth.sessions import Pair, RefreshReused, Sessions
from fittracker.background import Background
from fittracker.clock import Clock, rfc3339
from fittracker.errors import Invalid, Unauthenticated, Unavailable
from fittracker.ids import fingerprint, new_id, new_secret
from fittracker.limits import Bucket, Limits
from fittracker.mail import Mail
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.profile import check_profile, new_person

log = logger(__name__)

attempts = Counter("fittracker_logins", "Attempts to sign in, by outcome", ["outcome"])

ROLES: Final = ("user", "trainer")
"""What people may make themselves; admins are made on the command line."""
VERIFY_PREFIX: Final = "ftv_"
VERIFY_MINUTES: Final = 60
UNVERIFIED: Final = timedelta(days=7)
MAILS_AN_HOUR: Final = 5
_FORM: Final = re.compile(VERIFY_PREFIX + r"[A-Za-z0-9_-]{43}")
_REFUSED: Final = "The e-mail address or the password is wrong."


class Accounts:
    """The accounts of all people."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sessions: Sessions,
        lockout: Lockout,
        limits: Limits,
        mail: Mail,
        background: Background,
        clock: Clock,
        *,
        origin: str,
    ) -> None:
        self._users = database.users
        self._passwords = passwords
        self._sessions = sessions
        self._lockout = lockout
        self._limits = limits
        self._mail = mail
        self._background = background
        self._clock = clock
        self._origin = origin

    # -- registering ---------------------------------------------------------------------------------

    async def register(
        self, email: str, password: str, name: str, role: str, profile: Mapping[str, Any]
    ) -> None:
        """Make an account that a mailed link brings to life, or tell the owner of the one there is.

        Invalid for a weak password or an impossible profile; never for an address that is taken.
        """
        address = canonical(email)
        if role not in ROLES:
            raise Invalid("There is no such role.", fields={"role": "must be " + " or ".join(ROLES)})
        now = self._clock.utc()
        check_profile(profile, now.date())
        await self._passwords.check_strength(password, [email, address, name])
        token = VERIFY_PREFIX + new_secret()
        person = {
            **new_person(new_id(), address, name, role, now, profile),
            "password": await self._passwords.hash(password),
            "verify": self._verification(token),
            "unverified_until": now + UNVERIFIED,
        }
        stored = await self._store(address, person)
        if stored["verified_at"] is None:
            await self._send_link(address, token)
        elif await self._may_write(address, "already_registered"):
            await self._mail.queue(address, "already_registered")

    async def _store(self, address: str, person: Document) -> Document:
        """Insert the person, or put them in the place of one who never proved the address theirs.

        The last registration counts: else somebody could register another's address in advance, with a
        password of their own, and wait for the owner to verify it.
        """
        kept = {"$mergeObjects": ["$$ROOT", {"asked_at": person["created_at"]}]}
        # A literal: what people write may begin with a dollar sign.
        fresh = {"$mergeObjects": [{"$literal": person}, {"_id": {"$ifNull": ["$_id", person["_id"]]}}]}
        either = {"$cond": [{"$gt": ["$verified_at", None]}, kept, fresh]}
        for _ in range(2):
            try:
                stored = await self._users.find_one_and_update(
                    {"email": address},
                    [{"$replaceWith": either}],
                    upsert=True,
                    projection={"verified_at": 1},
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                continue  # somebody registered the same address at this very moment: now it is there
            if stored is not None:
                return stored
        raise Unavailable("Please try again.", retry_after_ms=1_000)

    def _verification(self, token: str) -> Document:
        return {
            "fingerprint": fingerprint(token),
            "expires_at": self._clock.utc() + timedelta(minutes=VERIFY_MINUTES),
        }

    async def verify(self, token: str) -> None:
        """Bring the account to life whose address the token was mailed to, once. Invalid otherwise."""
        found = None
        if _FORM.fullmatch(token):
            now = self._clock.utc()
            found = await self._users.find_one_and_update(
                {"verify.fingerprint": fingerprint(token), "verify.expires_at": {"$gt": now}},
                {
                    "$set": {"verified_at": now, "updated_at": now},
                    "$unset": {"verify": "", "unverified_until": ""},
                    "$inc": {"version": 1},
                },
                projection={"_id": 1},
            )
        if found is None:
            raise Invalid("The link is not valid, or no longer.", fields={"token": "is not valid"})
        log.info("account_verified", user=found["_id"])

    async def resend(self, email: str) -> None:
        """Send a new link, which makes the old one worthless, if there is somebody to send it to.

        Nobody waits for it, so that nobody can tell by the time it takes.
        """
        address = canonical(email)
        self._background.spawn(self._renew(address), name="verify-resend")

    async def _renew(self, address: str) -> None:
        # Asked for too often: the link that was mailed last stays good, for no newer one would come.
        if not await self._may_write(address, "verify_email"):
            return
        token = VERIFY_PREFIX + new_secret()
        found = await self._users.find_one_and_update(
            {"email": address, "verified_at": None},
            {"$set": {"verify": self._verification(token)}},
            projection={"_id": 1},
        )
        if found is not None:
            await self._queue_link(address, token)

    async def _send_link(self, address: str, token: str) -> None:
        if await self._may_write(address, "verify_email"):
            await self._queue_link(address, token)

    async def _queue_link(self, address: str, token: str) -> None:
        link = f"{self._origin}/verify?token={token}"
        await self._mail.queue(address, "verify_email", link=link, minutes=VERIFY_MINUTES)

    async def _may_write(self, address: str, template: str) -> bool:
        """Whether one more mail that a stranger may have caused goes to this address within the hour."""
        flood = Bucket(f"mail-{template}", fingerprint(address), MAILS_AN_HOUR, 3_600.0)
        allowances = await self._limits.take([flood])
        if allowances[0].wait_ms > 0:
            log.warning("mail_withheld", template=template)
        return allowances[0].wait_ms == 0

    # -- signing in ----------------------------------------------------------------------------------

    async def login(self, email: str, password: str, *, device: str, address: str) -> tuple[Pair, Document]:
        """Sign in: the tokens, and who it is.

        Unauthenticated, always the same and always after as long, for nobody, a wrong password, an account
        that is locked, disabled or not yet verified.
        """
        account = _address_or_none(email)
        locked = await self._lockout.attempt(account or email)
        found = await self._users.find_one({"email": account}) if account else None
        verdict = await self._passwords.matches(password, found["password"] if found else None)
        barred = locked or found is None or found["disabled_at"] is not None or found["verified_at"] is None
        if barred or not verdict.right or found is None or account is None:
            outcome = "locked" if locked else "refused"
            attempts.labels(outcome).inc()
            log.info("login_failed", user=found["_id"] if found else None, address=address, outcome=outcome)
            raise Unauthenticated(_REFUSED)
        await self._lockout.succeeded(account)
        if verdict.outdated:
            await self._rehash(found, password)
        pair = await self._sessions.begin(found, device=device, address=address)
        attempts.labels("succeeded").inc()
        log.info("login_succeeded", user=found["_id"], sid=pair.sid, address=address)
        return pair, found

    async def _rehash(self, person: Document, password: str) -> None:
        """The work factor was raised since: keep the password at today's."""
        renewed = await self._passwords.hash(password)
        await self._users.update_one(
            {"_id": person["_id"], "password": person["password"]}, {"$set": {"password": renewed}}
        )

    async def refresh(self, token: str) -> Pair:
        """A new pair of tokens; a used token ends its session, and the owner is told by mail."""
        try:
            return await self._sessions.refresh(token)
        except RefreshReused as reused:
            self._background.spawn(self._warn(reused), name="token-reused")
            raise

    async def _warn(self, reused: RefreshReused) -> None:
        owner = await self._users.find_one({"_id": reused.user}, {"email": 1})
        if owner is not None and await self._may_write(owner["email"], "token_reused"):
            since = rfc3339(reused.since)
            await self._mail.queue(owner["email"], "token_reused", device=reused.device, since=since)


def _address_or_none(email: str) -> str | None:
    try:
        return canonical(email)
    except Invalid:
        return None
