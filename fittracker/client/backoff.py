"""When to come back after a connection went away, and when to stay away."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from random import Random, SystemRandom
from typing import Final

TOKEN_EXPIRED: Final = 4009
SIGNED_OUT: Final = 4010
RESTART: Final = 1012
ABNORMAL: Final = 1006
FIRST_OF_NO_RETURN: Final = 4500

_SIGN_IN_FIRST: Final = frozenset({401, TOKEN_EXPIRED, SIGNED_OUT})

# Something about what we sent was wrong, and we would send the same again.
_OUR_FAULT: Final = frozenset({1002, 1003, 1007, 1008, 1009, 1010})


class Verdict(Enum):
    """What a close code asks of a client."""

    COME_BACK = "come back"
    SIGN_IN_FIRST = "sign in again, then come back"
    STAY_AWAY = "stay away"


def verdict(code: int) -> Verdict:
    """Close codes 4000 to 4499 invite us back, 4009 and 4010 after signing in again; from 4500 we stay away.

    A code below 1000 is the HTTP status of a refused upgrade.
    """
    if code in _SIGN_IN_FIRST:
        return Verdict.SIGN_IN_FIRST
    if code < 1000:
        return Verdict.COME_BACK if code == 429 or code >= 500 else Verdict.STAY_AWAY
    if code >= FIRST_OF_NO_RETURN or code in _OUR_FAULT:
        return Verdict.STAY_AWAY
    return Verdict.COME_BACK


@dataclass(slots=True)
class Backoff:
    """Exponential back-off with full jitter: a random wait between nothing and a ceiling that doubles.

    The ceiling starts at `first_s` and ends at `most_s`. A connection that lasted `stable_s` starts over.
    """

    first_s: float = 0.5
    most_s: float = 30.0
    stable_s: float = 10.0
    random: Random = field(default_factory=SystemRandom)
    attempt: int = 0

    def next_s(self) -> float:
        """Seconds to wait before the next attempt."""
        ceiling = min(self.most_s, self.first_s * 2.0 ** min(self.attempt, 30))
        self.attempt += 1
        return self.random.uniform(0, ceiling)

    def lasted(self, seconds: float) -> None:
        """A connection ended after so long."""
        if seconds >= self.stable_s:
            self.attempt = 0
