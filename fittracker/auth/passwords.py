"""Passwords: how they are kept, how they are checked, and which ones are refused.

A password is mixed with the pepper (HMAC-SHA384), which makes 64 characters of base64 of it, and these go
through bcrypt: nothing is ever cut at bcrypt's 72 bytes. All of it runs in a few threads of its own, because
bcrypt takes a quarter of a second on purpose, and lets no more wait than can be served in good time.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import threading
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import bcrypt
import zxcvbn

from fittracker.errors import Invalid, Unavailable

T = TypeVar("T")

SHORTEST: Final = 10
LONGEST: Final = 128
WEAKEST_SCORE: Final = 3
PRODUCT_WORDS: Final = ("fittracker", "fittracker pro", "workout", "heartrate")
ESTIMATED: Final = 72
"""zxcvbn looks at so many characters; the rest can only make a password stronger."""
WAITING_PER_THREAD: Final = 32
LEAST_BESIDE: Final = 4
"""So many characters a password has beside its owner's name and address."""
_BETWEEN_WORDS: Final = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password was right, and whether its hash should be made again at today's cost."""

    right: bool
    outdated: bool = False


class Passwords:
    """Hashes and checks in a bounded pool; `open` makes one and closes it."""

    def __init__(self, executor: ThreadPoolExecutor, *, pepper: str, cost: int, most_waiting: int) -> None:
        self._executor = executor
        self._pepper = pepper.encode()
        self._cost = cost
        self._most_waiting = most_waiting
        self._waiting = 0
        # zxcvbn keeps the words of the person it judges in a module-wide dictionary.
        self._one_judge = threading.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, *, pepper: str, cost: int, threads: int) -> AsyncIterator[Passwords]:
        """A pool of so many threads; what still waits at the end is dropped."""
        executor = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        try:
            yield cls(executor, pepper=pepper, cost=cost, most_waiting=threads * WAITING_PER_THREAD)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What is stored of a password."""
        return await self._run(lambda: self._hash(self._digest(password), self._cost))

    async def matches(self, password: str, stored: str | None) -> Verdict:
        """Whether this is the password; None, for nobody, is wrong after exactly as long."""
        return await self._run(lambda: self._matches(self._digest(password), stored))

    async def check_strength(self, password: str, about: Sequence[str]) -> None:
        """Invalid for one too short, too long, or soon guessed by who knows this `about` its owner."""
        length = len(_normal(password))
        if not SHORTEST <= length <= LONGEST:
            raise Invalid(
                f"A password has {SHORTEST} to {LONGEST} characters.",
                fields={"password": f"must have {SHORTEST} to {LONGEST} characters"},
            )
        advice = await self._run(lambda: self._judge(password, about))
        if advice is not None:
            raise Invalid(
                f"This password would soon be guessed. {advice}".strip(),
                fields={"password": "is easy to guess"},
            )

    def _digest(self, password: str) -> bytes:
        mixed = hmac.digest(self._pepper, _normal(password).encode(), "sha384")
        return base64.b64encode(mixed)

    @staticmethod
    def _hash(digest: bytes, cost: int) -> str:
        return bcrypt.hashpw(digest, bcrypt.gensalt(cost)).decode()

    def _matches(self, digest: bytes, stored: str | None) -> Verdict:
        if stored is None:
            self._hash(digest, self._cost)
            return Verdict(False)
        right = bcrypt.checkpw(digest, stored.encode())
        cost = int(stored.split("$")[2])
        # A hash of an older, lower cost would answer sooner, and so tell that there is an account: the sum
        # of these takes what is missing, for 2^k + (2^k + ... + 2^(n-1)) = 2^n.
        for lower in range(cost, self._cost):
            self._hash(digest, lower)
        return Verdict(right, outdated=cost < self._cost)

    def _judge(self, password: str, about: Sequence[str]) -> str | None:
        parts = [part for text in about for part in _BETWEEN_WORDS.split(text) if len(part) > 2]
        words = [*about, *parts, *PRODUCT_WORDS]
        if _left_of(password, words) < LEAST_BESIDE:
            return "It is made of what is known of you."
        with self._one_judge:
            verdict = zxcvbn.zxcvbn(password[:ESTIMATED], user_inputs=words)
        if verdict["score"] >= WEAKEST_SCORE:
            return None
        return str(verdict["feedback"]["warning"] or "")

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._most_waiting:
            raise Unavailable("Too many people are signing in at this moment.", retry_after_ms=3_000)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1


def _left_of(password: str, words: Sequence[str]) -> int:
    """How many letters and digits are left without these words: the estimator forgives two in a row."""
    left = _normal(password).casefold()
    for word in sorted(map(str.casefold, words), key=len, reverse=True):
        left = left.replace(word, " ") if word else left
    return sum(each.isalnum() or not each.isascii() for each in left)


def _normal(password: str) -> str:
    """The same keys give the same characters, whatever the keyboard composes them from (NIST 800-63B)."""
    return unicodedata.normalize("NFKC", password)
