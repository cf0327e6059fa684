"""The application of the tests of REST, for those that go through it by the lines of the requirements."""

from __future__ import annotations

from tests.handlers.conftest import api, clock, database, settings

__all__ = ["api", "clock", "database", "settings"]
