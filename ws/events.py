"""What the server says of its own accord: every type of event, declared beside the feature that causes it.

A feature module lists its own as `EVENTS`. The AsyncAPI document and the tables in docs/ are made from them,
and in the tests each event that comes is held against its declaration.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event: its name on the wire and the shape (a msgspec struct) of its `data`."""

    name: str
    data: type
    rooms: tuple[str, ...] = ()
    """The kinds of rooms in which it is said, "*" for every room with a log; none: to one socket alone."""
    durable: bool = False
    """Whether it has a place (`seq`, `epoch`) in the log of its room, and can be recovered."""

    @property
    def about(self) -> str:
        """When it comes: the docstring of its shape."""
        return " ".join((inspect.getdoc(self.data) or "").split())
