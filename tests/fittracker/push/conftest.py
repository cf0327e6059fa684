"""A push service."""

from __future__ import annotations

from tests.fittracker.inbox.conftest import service

__all__ = ["service"]
