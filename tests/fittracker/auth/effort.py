"""How much bcrypt an answer cost. Beside it everything else is noise, and unlike time it can be counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import bcrypt
import pytest


class Effort:
    """Counts the rounds (2 to the power of the cost) of every hash that is computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rounds = 0
        hash_really, check_really = bcrypt.hashpw, bcrypt.checkpw

        def hashpw(password: bytes, salt: bytes) -> bytes:
            self._count(salt)
            return hash_really(password, salt)

        def checkpw(password: bytes, hashed: bytes) -> bool:
            self._count(hashed)
            return check_really(password, hashed)

        monkeypatch.setattr(bcrypt, "hashpw", hashpw)
        monkeypatch.setattr(bcrypt, "checkpw", checkpw)

    def _count(self, salt: bytes) -> None:
        self.rounds += 2 ** int(salt.split(b"$")[2])

    async def of(self, works: Mapping[str, Callable[[], Awaitable[object]]]) -> dict[str, int]:
        """The rounds of each of these."""
        efforts = {}
        for name, work in works.items():
            self.rounds = 0
            await work()
            efforts[name] = self.rounds
        return efforts
