"""Kinds of rooms: the part of a room's name before the colon decides who may look in, and who may go in.

A feature module lists its own as `ROOMS`; `ws/rooms.py` asks them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

Check = Callable[[Any, str, str], Awaitable[bool]]
"""`check(realtime, user, subject)`: whether that person may; `subject` is what stands after the colon."""

Sift = Callable[[Any, Collection[str], str], Awaitable[set[str]]]
"""`sift(realtime, users, subject)`: those of the persons who may."""


@dataclass(frozen=True, slots=True)
class RoomKind:
    """One kind of room."""

    name: str
    look: Check
    """Who may ask who is there."""
    enter: Check | None = None
    """Who may go in, and what going in means, where that is more than looking."""
    logged: bool = False
    """Whether durable events are said there; the others have no epoch, and nothing to recover."""
    meeting: bool = True
    """Whether people are there for each other: who comes and goes is told."""
    listed: bool = True
    """Whether those who are there are named to each other."""
    sift: Sift | None = None
    """`look` for many at once, for rooms in which many lose the permission in the same moment."""

    @property
    def door(self) -> Check:
        """Who may go in."""
        return self.enter or self.look
