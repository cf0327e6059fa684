"""The head of a request for an upgrade, kept only as long as somebody reads it.

aiohttp holds what it parsed until the handler returns: for a socket that may be days, and it is 3 KB, among
them the token. Its own object cannot be emptied; this one can.
"""

from __future__ import annotations

from collections import deque
from typing import Any


class Head:
    """The parsed head of one request, as aiohttp reads it."""

    __slots__ = (
        "chunked",
        "compression",
        "headers",
        "method",
        "path",
        "raw_headers",
        "should_close",
        "upgrade",
        "url",
        "version",
    )

    def __init__(self, parsed: Any) -> None:
        """`parsed`: aiohttp's RawRequestMessage."""
        for name in self.__slots__:
            setattr(self, name, getattr(parsed, name))

    def forget(self) -> None:
        """Nobody reads it any more."""
        for name in self.__slots__:
            setattr(self, name, None)


class Heads(deque[tuple[Any, Any]]):
    """The requests of one connection that wait for their turn; those for an upgrade come out forgettable."""

    def popleft(self) -> tuple[Any, Any]:
        """The next one, and its body."""
        parsed, body = super().popleft()
        return (Head(parsed), body) if getattr(parsed, "upgrade", False) else (parsed, body)
