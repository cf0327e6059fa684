"""Sign-in sessions: what a refresh token is good for, and how a stolen one gives itself away.

A refresh token is `ftr_`, the session's id, and 256 bits. Using it makes it worthless and gives its
successor, which follows from the old token, a nonce in the session and a secret of the server: so only
hashes are stored, and a client whose answer was lost gets the same successor again for ten seconds. After
that, whoever shows a used token has stolen it, or was stolen from: the whole session ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pymongo import ReturnDocument

from fittracker.audit import Audit
from fittracker.auth.liveness import Liveness, State
from fittracker.auth.tokens import AccessTokens
from fittracker.caller import SYSTEM, Caller
from fittracker.clock import Clock
from fittracker.errors import NotFound, Unauthenticated
from fittracker.ids import fingerprint, is_id, new_secret
from fittracker.mongo import Database, Document, Session, transact

PREFIX: Final = "ftr_"
RETRY_S: Final = 10
LONGEST_S: Final = 365 * 86_400
"""However often it is refreshed, a session ends a year after the password was last asked for."""
MOST: Final = 100
"""Signing in once more ends the session that was not used for longest."""
_FORM: Final = re.compile(PREFIX + r"([0-9a-f]{24})([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Pair:
    """What signing in and refreshing give. `expires_in`: seconds the access token lives."""

    access_token: str
    refresh_token: str
    expires_in: int
    sid: str


class RefreshReused(Unauthenticated):
    """A used refresh token came back, so its session is over; to the client it is any other 401."""

    def __init__(self, session: Document) -> None:
        super().__init__(REFUSED)
        self.user: str = session["user"]
        self.device: str = session["device"]
        self.since: datetime = session["created_at"]


REFUSED: Final = "The refresh token is not valid, or no longer."


class Sessions:
    """The sign-ins of all people, one person at a time."""

    def __init__(
        self,
        database: Database,
        tokens: AccessTokens,
        liveness: Liveness,
        audit: Audit,
        clock: Clock,
        *,
        keys: Sequence[tuple[str, str]],
        access_s: int,
        refresh_s: int,
    ) -> None:
        self._database = database
        self._sessions = database.sessions
        self._users = database.users
        self._tokens = tokens
        self._liveness = liveness
        self._audit = audit
        self._clock = clock
        self._access_s = access_s
        self._refresh_s = refresh_s
        self._secrets = [hmac.digest(key.encode(), b"refresh successor", "sha256") for _, key in keys]

    # -- beginning and going on ----------------------------------------------------------------------

    async def begin(self, user: Document, *, device: str, address: str) -> Pair:
        """Sign somebody in, whose password (and second factor) has been checked."""
        now = self._clock.utc()
        # Random, not in order of creation like other ids: knowing one's own must not help to find another.
        sid = secrets.token_hex(12)
        secret = new_secret()
        await self._make_room(user["_id"])
        await self._sessions.insert_one(
            {
                "_id": sid,
                "user": user["_id"],
                "refresh": fingerprint(secret),
                "previous": None,
                "device": device,
                "address": address,
                "created_at": now,
                "last_used_at": now,
                "expires_at": self._end(now, now),
                "ended_at": None,
                "schema_version": 1,
            }
        )
        await self._liveness.begin(sid, State(sid, user["_id"], user["name"], user["role"]))
        return self._pair(user["_id"], sid, user["role"], secret)

    async def refresh(self, token: str, caller: Caller = SYSTEM) -> Pair:
        """A new pair for a refresh token, which is worthless from then on.

        Unauthenticated where it is no good; RefreshReused where it had been used: then the session is over.
        """
        form = _FORM.fullmatch(token)
        if form is None:
            raise Unauthenticated(REFUSED)
        sid, secret = form.groups()
        nonce = secrets.token_hex(16)
        successor = self._successor(self._secrets[0], secret, nonce)
        session = await self._rotate(sid, secret, successor, nonce)
        if session is None:
            session, successor = await self._retry(sid, secret, caller)
        owner = await self._users.find_one(
            {"_id": session["user"], "disabled_at": None}, {"name": 1, "role": 1}
        )
        if owner is None:
            raise Unauthenticated(REFUSED)
        return self._pair(owner["_id"], sid, owner["role"], successor)

    async def _rotate(self, sid: str, secret: str, successor: str, nonce: str) -> Document | None:
        now = self._clock.utc()
        used = fingerprint(secret)
        return await self._sessions.find_one_and_update(
            {"_id": sid, "refresh": used, "ended_at": None, "expires_at": {"$gt": now}},
            [
                {
                    "$set": {
                        "refresh": fingerprint(successor),
                        "previous": {"fingerprint": used, "nonce": nonce, "at": now},
                        "last_used_at": now,
                        "expires_at": {
                            "$min": [
                                now + timedelta(seconds=self._refresh_s),
                                {"$add": ["$created_at", LONGEST_S * 1000]},
                            ]
                        },
                    }
                }
            ],
            return_document=ReturnDocument.AFTER,
        )

    async def _retry(self, sid: str, secret: str, caller: Caller) -> tuple[Document, str]:
        """The token was used before: within 10 s by a client that tries again, else by a thief."""
        now = self._clock.utc()
        session = await self._sessions.find_one({"_id": sid, "ended_at": None, "expires_at": {"$gt": now}})
        if session is None:
            raise Unauthenticated(REFUSED)
        previous = session["previous"]
        recent = (
            previous is not None
            and hmac.compare_digest(previous["fingerprint"], fingerprint(secret))
            and now - previous["at"] <= timedelta(seconds=RETRY_S)
        )
        if recent:
            for key in self._secrets:
                successor = self._successor(key, secret, previous["nonce"])
                if hmac.compare_digest(session["refresh"], fingerprint(successor)):
                    return session, successor
        await self._close(session["user"], [sid], "refresh token reused", "token.reused", caller)
        raise RefreshReused(session)

    async def shorten(self, sid: str, life_s: int) -> None:
        """Let a session end by itself, so many seconds from now, unless it ends earlier."""
        end = self._clock.utc() + timedelta(seconds=life_s)
        await self._sessions.update_one({"_id": sid}, {"$min": {"expires_at": end}})

    # -- ending --------------------------------------------------------------------------------------

    async def of_user(self, user: str) -> list[Document]:
        """Where a person is signed in, last used first."""
        alive = {"user": user, "ended_at": None, "expires_at": {"$gt": self._clock.utc()}}
        return await self._sessions.find(alive, sort=[("last_used_at", -1)], limit=MOST).to_list()

    async def end(self, user: str, sid: str, caller: Caller = SYSTEM) -> None:
        """End one session, everywhere and at once; ending an ended one is no error, another's is NotFound."""
        session = await self._sessions.find_one({"_id": sid, "user": user}) if is_id(sid) else None
        if session is None:
            raise NotFound("There is no such session.")
        await self._close(user, [sid], "signed out", "session.ended", caller)

    async def end_all(self, user: str, *, but: str | None = None, caller: Caller | None = None) -> None:
        """End all sessions of a person, perhaps but the one that asks for it.

        Audited where there is a `caller`; without, it is part of something that is audited itself.
        """
        ids = await self._alive(user, but)
        event = "session.ended" if caller and ids else None
        await self._close(user, ids, "signed out everywhere", event, caller or SYSTEM)

    async def mark_all(
        self, user: str, reason: str, session: Session, *, but: str | None = None
    ) -> list[str]:
        """Write down, in a transaction, that all sessions (but one) are over; their ids, for `sweep`."""
        ids = await self._alive(user, but, session)
        await self._mark(user, ids, reason, session)
        return ids

    async def sweep(self, user: str, marked: Sequence[str], reason: str, *, but: str | None = None) -> None:
        """After that transaction: tell everybody, and end what was begun while it was being written."""
        late = await self._alive(user, but)
        await self._mark(user, late, reason)
        await self._liveness.end([(sid, sid) for sid in (*marked, *late)], reason)

    async def _alive(self, user: str, but: str | None, session: Session | None = None) -> list[str]:
        query: Document = {"user": user, "ended_at": None, "_id": {"$ne": but}}
        return [each["_id"] async for each in self._sessions.find(query, {"_id": 1}, session=session)]

    async def _mark(self, user: str, ids: Sequence[str], reason: str, session: Session | None = None) -> int:
        ended = await self._sessions.update_many(
            {"_id": {"$in": list(ids)}, "user": user, "ended_at": None},
            {"$set": {"ended_at": self._clock.utc(), "reason": reason}},
            session=session,
        )
        return ended.modified_count

    async def _close(
        self, user: str, ids: Sequence[str], reason: str, event: str | None, caller: Caller
    ) -> None:
        """End these, audited in the same transaction where `event` says so, then tell every worker."""

        async def work(session: Session) -> None:
            if await self._mark(user, ids, reason, session) and event is not None:
                await self._audit.record(event, caller, target=user, session=session, sessions=list(ids))

        if event is None:
            await self._mark(user, ids, reason)
        else:
            await transact(self._database, work)
        await self._liveness.end([(sid, sid) for sid in ids], reason)

    async def _make_room(self, user: str) -> None:
        alive = await self.of_user(user)
        if len(alive) >= MOST:
            ids = [each["_id"] for each in alive[MOST - 1 :]]
            await self._close(user, ids, "too many sessions", None, SYSTEM)

    # -- tokens --------------------------------------------------------------------------------------

    def _end(self, created: datetime, used: datetime) -> datetime:
        return min(used + timedelta(seconds=self._refresh_s), created + timedelta(seconds=LONGEST_S))

    def _pair(self, user: str, sid: str, role: str, secret: str) -> Pair:
        access, _ = self._tokens.issue(user, sid, role)
        return Pair(access, f"{PREFIX}{sid}{secret}", self._access_s, sid)

    @staticmethod
    def _successor(key: bytes, secret: str, nonce: str) -> str:
        digest = hmac.new(key, f"{secret}.{nonce}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
