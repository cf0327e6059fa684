"""The courier: encrypts a message for one browser (RFC 8291) and hands it to its push service (RFC 8030).

What a service may do to us is bounded: it resolves to public addresses only, redirects nobody, answers within
10 s, and of its answer nothing but the status and `Retry-After` is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from prometheus_client import Counter

from fittracker.clock import Clock
from fittracker.errors import Invalid
from fittracker.push.endpoints import Endpoints, is_public
from fittracker.push.subscriptions import Target
from fittracker.push.vapid import Vapid

ALL_S: Final = 10.0
CONNECT_S: Final = 5.0
AT_ONCE: Final = 50
OF_A_HOST: Final = 20
LONGEST_PAUSE_S: Final = 3_600.0
TAKEN_STATUS: Final = range(200, 300)
GONE_STATUS: Final = frozenset({404, 410})
LATER_STATUS: Final = frozenset({408, 425, 429, *range(500, 600)})

sent = Counter("fittracker_pushes", "Messages handed to push services, by what came of it", ["outcome"])


class Outcome(Enum):
    """What came of it."""

    TAKEN = "taken"
    GONE = "gone"
    """The subscription is over."""
    REFUSED = "refused"
    """It will not be taken however often it is sent."""
    LATER = "later"
    """It may be taken later."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a push service said: `reason` without the address, `pause_s` where it named a time to wait."""

    outcome: Outcome
    reason: str
    pause_s: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is pushed. `topic`: a later message with the same one takes the place of one not yet delivered."""

    payload: bytes
    ttl_s: int
    urgency: str
    topic: str


class PrivateAddress(OSError):  # noqa: N818  it reads as what it is
    """A name that leads into our own network, or to this machine."""


class PublicOnly(AbstractResolver):
    """Resolves names, and refuses those with an address that is not public. Nobody resolves them again."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host; PrivateAddress where one of them is not public."""
        found = await self._resolver.resolve(host, port, family)
        if not self._endpoints.exempts(host, port) and not all(is_public(each["host"]) for each in found):
            raise PrivateAddress(f"{host} has an address that is not public")
        return found

    async def close(self) -> None:
        """Nothing is kept open."""
        await self._resolver.close()


class Courier:
    """Sends messages, one request each; to be used within `running`."""

    def __init__(self, vapid: Vapid, endpoints: Endpoints, clock: Clock) -> None:
        # Only where push is on, see `Vapid`.
        from pywebpush import WebPusher

        self._pusher: Any = WebPusher
        self._vapid = vapid
        self._endpoints = endpoints
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections to push services until the block ends."""
        connector = aiohttp.TCPConnector(
            resolver=PublicOnly(self._endpoints), limit=AT_ONCE, limit_per_host=OF_A_HOST
        )
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ALL_S, sock_connect=CONNECT_S),
            auto_decompress=False,
            trust_env=False,
        ) as self._http:
            yield
        self._http = None

    async def send(self, target: Target, message: Message) -> Answer:
        """Encrypt and hand over; never raises for what a push service or a network may do."""
        answer = await self._send(target, message)
        sent.labels(answer.outcome.value).inc()
        return answer

    async def _send(self, target: Target, message: Message) -> Answer:
        try:
            origin = self._endpoints.check(target.endpoint)  # the settings may have changed since
        except Invalid:
            return Answer(Outcome.REFUSED, "no acceptable address")
        # Some 0.3 ms of elliptic curves, which sockets need not wait for.
        try:
            body = await asyncio.to_thread(self._encrypt, target, message.payload)
        except ValueError:
            return Answer(Outcome.REFUSED, "keys that are none")
        headers = {
            "Authorization": self._vapid.authorization(origin),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(message.ttl_s),
            "Urgency": message.urgency,
            "Topic": message.topic,
        }
        if self._http is None:
            return Answer(Outcome.LATER, "the server restarts")
        try:
            async with self._http.post(
                target.endpoint, data=body, headers=headers, allow_redirects=False
            ) as response:
                return self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(getattr(error, "os_error", None), PrivateAddress):
                return Answer(Outcome.REFUSED, "an address that is not public")
            return Answer(Outcome.LATER, type(error).__name__)

    def _encrypt(self, target: Target, payload: bytes) -> bytes:
        keys = {"p256dh": target.p256dh, "auth": target.auth}
        pusher = self._pusher({"endpoint": target.endpoint, "keys": keys})
        body: bytes = pusher.encode(payload, "aes128gcm")["body"]
        return body

    def _read(self, response: aiohttp.ClientResponse) -> Answer:
        status = response.status
        reason = f"status {status}"
        if status in TAKEN_STATUS:
            return Answer(Outcome.TAKEN, reason)
        if status in GONE_STATUS:
            return Answer(Outcome.GONE, reason)
        if status in LATER_STATUS:
            return Answer(Outcome.LATER, reason, self._pause(response.headers.get("Retry-After")))
        return Answer(Outcome.REFUSED, reason)

    def _pause(self, text: str | None) -> float | None:
        """`Retry-After`: seconds, or a date; an hour at most."""
        if text is None:
            return None
        if text.isascii() and text.isdecimal():
            pause = float(text[:9])
        else:
            try:
                pause = parsedate_to_datetime(text).timestamp() - self._clock.now()
            except (ValueError, OverflowError):
                return None
        return min(max(pause, 0.0), LONGEST_PAUSE_S)
