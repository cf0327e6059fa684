"""Fields that many commands have."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Id = Annotated[str, Meta(pattern="^[0-9a-f]{24}$")]
"""Of a person, a session, a message, a post: whatever the server has named."""
