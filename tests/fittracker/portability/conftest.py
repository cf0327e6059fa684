"""The fixtures of the contexts."""

from __future__ import annotations

from tests.fittracker.auth.conftest import clock, contexts, settings, settle

__all__ = ["clock", "contexts", "settings", "settle"]
