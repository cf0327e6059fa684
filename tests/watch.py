"""What a piece of code reaches for outside of the interpreter: files, names, connections, processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

REACHING_OUT = ("open", "os.listdir", "socket.", "subprocess.", "urllib.", "http.", "import")
"""Beginnings of the names of Python's audit events; `open` is every way of opening a file."""


class Watch:
    """To be given to `sys.addaudithook`, which never lets go of it; it only notes during `over`."""

    def __init__(self) -> None:
        self._seen: list[str] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Called by Python for everything that its audit events tell of."""
        if self._seen is not None and event.startswith(REACHING_OUT):
            self._seen.append(event)

    @contextmanager
    def over(self) -> Iterator[list[str]]:
        """The events of what is done meanwhile, in this process."""
        self._seen = seen = []
        try:
            yield seen
        finally:
            self._seen = None
