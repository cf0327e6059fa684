"""Subscriptions: the browsers that want to be woken, each as it described itself.

Its address and keys are sealed: who knows them can send to the browser. A subscription belongs to the sign-in
it was made in, and ends with it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from pymongo import ReturnDocument

from fittracker.clock import Clock
from fittracker.errors import Conflict, Invalid, NotFound
from fittracker.ids import fingerprint, is_id, new_id
from fittracker.mongo import Database, Document
from fittracker.observability import logger
from fittracker.paging import Cursor
from fittracker.push.endpoints import Endpoints
from fittracker.sealing import Seal, Unsealable

log = logger(__name__)

MOST: Final = 20
"""So many a person has; a further one takes the place of the oldest."""
MOST_REFUSALS: Final = 10
"""A subscription that its service has refused so often in a row is given up."""
AUTH_BYTES: Final = 16
POINT_BYTES: Final = 65


class Target(msgspec.Struct, frozen=True):
    """A browser: its endpoint, its public key and its secret (base64url), as the Push API calls them."""

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A target, and which of somebody's subscriptions it is."""

    id: str
    target: Target


class Subscriptions:
    """The subscriptions of all people. `key`: our public key; None where push is off."""

    def __init__(
        self, database: Database, seal: Seal, endpoints: Endpoints, clock: Clock, *, key: str | None
    ) -> None:
        self._subscriptions = database.push_subscriptions
        self._sessions = database.sessions
        self._seal = seal
        self._endpoints = endpoints
        self._clock = clock
        self.key = key

    async def add(self, user: str, sid: str, target: Target, expires_at: datetime | None = None) -> Document:
        """Keep a subscription; again, by whomever, is the same one, which is theirs then.

        Conflict where push is off, Invalid for what is no push service's address or no key.
        """
        if self.key is None:
            raise Conflict("Push is off on this server: it has no key.")
        self._endpoints.check(target.endpoint)
        _check_keys(target)
        now = self._clock.utc()
        kept = {
            "user": user,
            "sid": sid,
            "host": urlsplit(target.endpoint).hostname,
            "sealed": self._seal.close(msgspec.json.encode(target)),
            "refusals": 0,
            "created_at": now,
            "ends_at": expires_at,
            "schema_version": 1,
        }
        made: Document = await self._subscriptions.find_one_and_update(  # type: ignore[assignment]
            {"fingerprint": fingerprint(target.endpoint)},
            {"$set": kept, "$setOnInsert": {"_id": new_id()}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        await self._make_room(user)
        return made

    async def _make_room(self, user: str) -> None:
        newest = [("created_at", -1), ("_id", -1)]
        old = self._subscriptions.find({"user": user}, {"_id": 1}, sort=newest, skip=MOST)
        if ids := [each["_id"] async for each in old]:
            await self._subscriptions.delete_many({"_id": {"$in": ids}})

    async def page(self, user: str, limit: int, cursor: str | None) -> tuple[list[Document], str | None]:
        """A person's subscriptions, newest first, and the cursor of the next page."""
        query = {"user": user}
        return await Cursor("created_at").page(self._subscriptions, query, limit, cursor, shown=_SHOWN)

    async def remove(self, user: str, subscription: str) -> None:
        """End one; NotFound where it is not this person's."""
        query = {"_id": subscription, "user": user}
        gone = await self._subscriptions.delete_one(query) if is_id(subscription) else None
        if gone is None or not gone.deleted_count:
            raise NotFound("There is no such subscription.")

    # -- sending -------------------------------------------------------------------------------------

    async def of(self, user: str) -> list[Subscription]:
        """Where this person is to be reached now. What has ended is removed."""
        found = await self._subscriptions.find({"user": user}, limit=MOST).to_list()
        now = self._clock.utc()
        sids = {"$in": [each["sid"] for each in found]}
        live = {"_id": sids, "ended_at": None, "expires_at": {"$gt": now}}
        signed_in = {each["_id"] async for each in self._sessions.find(live, {"_id": 1})}
        targets, ended = [], []
        for each in found:
            target = self._target(each)
            over = each["ends_at"] is not None and each["ends_at"] <= now
            if target is None or over or each["sid"] not in signed_in:
                ended.append(each["_id"])
            else:
                targets.append(Subscription(each["_id"], target))
        if ended:
            await self._subscriptions.delete_many({"_id": {"$in": ended}})
        return targets

    def _target(self, document: Document) -> Target | None:
        try:
            return msgspec.json.decode(self._seal.open(document["sealed"]), type=Target)
        except Unsealable:
            log.warning("push_subscription_unsealable", subscription=document["_id"])
            return None

    async def forget(self, subscription: str) -> None:
        """Its service says that it is over."""
        await self._subscriptions.delete_one({"_id": subscription})

    async def refused(self, subscription: str) -> None:
        """Its service did not take a message; forgotten where that goes on."""
        counted: Any = await self._subscriptions.find_one_and_update(
            {"_id": subscription}, {"$inc": {"refusals": 1}}, return_document=ReturnDocument.AFTER
        )
        if counted is not None and counted["refusals"] >= MOST_REFUSALS:
            await self.forget(subscription)

    async def taken(self, subscription: str) -> None:
        """Its service took a message."""
        query = {"_id": subscription, "refusals": {"$gt": 0}}
        await self._subscriptions.update_one(query, {"$set": {"refusals": 0}})


_SHOWN: Final = {"host": 1, "created_at": 1}


def _check_keys(target: Target) -> None:
    """Invalid unless the public key is a point of the curve P-256, and the secret has 16 bytes."""
    try:
        point = _bytes(target.p256dh)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        if len(point) != POINT_BYTES:
            raise ValueError("it is compressed")
    except (ValueError, binascii.Error):
        raise Invalid("This is no key.", fields={"keys.p256dh": "is no point of P-256"}) from None
    try:
        length = len(_bytes(target.auth))
    except (ValueError, binascii.Error):
        length = 0
    if length != AUTH_BYTES:
        raise Invalid("This is no secret.", fields={"keys.auth": f"is not of {AUTH_BYTES} bytes"})


def _bytes(text: str) -> bytes:
    return base64.b64decode(
        text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True
    )
