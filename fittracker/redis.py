"""Redis or Valkey: the client for single calls, and its keys in one list.

Everything here may be lost: caches, tickets, presence, limits. What must not be lost is in MongoDB.
The pub/sub socket is `ws/broker.py`'s own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

# Redis is away: nothing that must not be lost is in it.
OUTAGES = (RedisConnectionError, RedisTimeoutError)
# Whatever it says that is no answer.
REDIS_ERRORS = (RedisError,)
# It answers, and is of no use: its memory is full, or it is no master (any more).
USELESS = (OutOfMemoryError, ReadOnlyError, MasterDownError)
USELESS_WORDS = ("MISCONF", "NOREPLICAS")
"""How answers begin that redis-py has no class for: its disk is full, or it has too few replicas."""

MOST_CONNECTIONS: Final = 50
"""Of one client; a worker has a few."""
CONTROL_CHANNEL = "control"
"""Every worker listens here: revoked sessions, taken streams, ended grants."""


def is_away(error: BaseException) -> bool:
    """Whether this says that Redis cannot be used at the moment, and not that we asked something wrong."""
    if isinstance(error, (*OUTAGES, *USELESS)):
        return True
    return isinstance(error, ResponseError) and str(error).startswith(USELESS_WORDS)


def session_key(sid: str) -> str:
    """What is known of a sign-in session: JSON of its state, or "0" once it ended."""
    return f"sid:{sid}"


def ticket_key(fingerprint: str) -> str:
    """A WebSocket ticket, by its fingerprint."""
    return f"ticket:{fingerprint}"


def console_key(fingerprint: str) -> str:
    """The session of a browser's console, by the fingerprint of its cookie."""
    return f"console:{fingerprint}"


def worker_key(worker: str) -> str:
    """Exists while that worker lives."""
    return f"worker:{worker}"


WORKERS = "workers"
"""The workers there may be: each puts itself in. Whether one lives, its `worker_key` says."""


def roll_key(question: str) -> str:
    """A list of what the workers answer to one question, see fittracker/connections.py."""
    return f"roll:{question}"


def present_key(room: str) -> str:
    """A hash of who is in a room: person -> workers, and JSON of name and role (see ws/presence.lua)."""
    return f"present:{room}"


def online_key(user: str) -> str:
    """The workers that have a socket of this person."""
    return f"online:{user}"


def held_key(worker: str) -> str:
    """A set of who is where, as far as that worker has said it."""
    return f"held:{worker}"


def lingers_key(worker: str) -> str:
    """Exists for a moment after that worker has ended properly: its people are coming back elsewhere."""
    return f"lingers:{worker}"


HOLDERS = "holders"
"""The workers that have said who is where, and may have something to be taken back."""


def pulses_key(session: str) -> str:
    """A hash of the hearts in a coaching session: user -> JSON, see fittracker/coaching/roster.py."""
    return f"pulses:{session}"


class _Prompt(AbstractConnection):
    """uvloop says RuntimeError where a transport was closed a moment ago: for whoever asks, Redis is away."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """As ever."""
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise RedisConnectionError("The connection was closed.") from error


class _Tcp(_Prompt, Connection):
    """redis://"""


class _Tls(_Prompt, SSLConnection):
    """rediss://"""


class _Local(_Prompt, UnixDomainSocketConnection):
    """unix://"""


_KINDS: Final[dict[type[AbstractConnection], type[AbstractConnection]]] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Local,
}


@asynccontextmanager
async def open_redis(url: str, *, text: bool = True) -> AsyncIterator[Redis]:
    """A client whose calls fail within 10 s, at once where nobody listens; it belongs to the running loop.

    Answers are `text`, or else bytes.
    """
    # Made once: each new connection would read the version of redis-py from its files, which takes 0.5 ms.
    driver = DriverInfo()
    pool = BlockingConnectionPool.from_url(
        url,
        decode_responses=text,
        socket_timeout=5,
        socket_connect_timeout=5,
        # Thousands may ask in the same moment: they wait for each other. redis-py's other pool would refuse
        # the 101st, which looks like a Redis that is away.
        max_connections=MOST_CONNECTIONS,
        timeout=5,
        # Once, for a pooled connection that a restart of Redis left behind; redis-py's default is ten times.
        retry=Retry(NoBackoff(), 1),
        driver_info=driver,
    )
    pool.connection_class = _KINDS[pool.connection_class]
    client = Redis.from_pool(pool)
    try:
        yield client
    finally:
        await client.aclose()
