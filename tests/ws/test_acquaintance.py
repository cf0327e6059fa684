"""What it costs a worker that many people may see less than before."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ws import acquaintance
from ws.acquaintance import Acquaintance


class Asker:
    """A socket that has asked about somebody."""

    def __init__(self, user: str) -> None:
        self.user = user


class Deaf:
    """Nobody says anything."""

    def subscribe(self, _room: str) -> None:
        """Nothing to wait for."""

    def unsubscribe(self, _room: str) -> None:
        """Nothing to end."""


async def test_that_a_session_of_a_thousand_ends_costs_one_look_at_each_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not one for each of the thousand: the loop would stand still for a second."""
    looks: list[str] = []

    def viewer(connection: Any) -> str:
        looks.append(connection.user)
        return cast("Asker", connection).user

    monkeypatch.setattr(acquaintance, "_viewer", viewer)
    nothing: Any = None
    known = Acquaintance(Deaf(), nothing, nothing, nothing)
    askers: list[Any] = [Asker(f"asker {number}") for number in range(100)]
    for asker in askers:
        known._watch(asker, "somebody")
    athletes = [f"athlete {number}" for number in range(1_000)]
    assert not known.concerns(athletes)
    assert len(looks) <= len(askers)
    assert known.concerns([*athletes, "asker 99"])
    assert known.concerns([*athletes, "somebody"])
