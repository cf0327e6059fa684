"""Fixtures for the contexts: those of the accounts are good for all."""

from __future__ import annotations

from tests.fittracker.auth.conftest import clock, contexts, other, settings, settle

__all__ = ["clock", "contexts", "other", "settings", "settle"]
