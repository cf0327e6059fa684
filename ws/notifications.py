"""The inbox on the socket."""

from __future__ import annotations

from typing import Final

from fittracker.notifications import NOTIFICATION, Notification
from ws.events import EventType

EVENTS: Final = (EventType(NOTIFICATION, Notification, ("user",), durable=True),)
