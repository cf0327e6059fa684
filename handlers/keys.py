"""Where things are kept: in the application, found from the REST sub-application by `request.config_dict`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp_session import Session

from config.settings import Settings
from fittracker.auth.identity import Identity
from fittracker.contexts import Contexts
from handlers.console_storage import ConsoleStorage


@dataclass(slots=True)
class Readiness:
    """Whether this worker takes new work; the worker sets `draining` when it is told to stop."""

    draining: bool = False


SETTINGS: Final = web.AppKey("settings", Settings)
CONTEXTS: Final = web.AppKey("contexts", Contexts)
READINESS: Final = web.AppKey("readiness", Readiness)
CONSOLE: Final = web.AppKey("console", ConsoleStorage)

IDENTITY: Final = web.RequestKey("identity", Identity)
REQUEST_ID: Final = web.RequestKey("request_id", str)
CONSOLE_SESSION: Final = web.RequestKey("console_session", Session)
"""What the cookie stands for, where it was the cookie that said who calls."""
CONSOLE_CHANGED: Final = web.RequestKey("console_changed", Session)
"""The session that the answer gives a cookie for; an empty one takes the cookie back."""
ADDRESS: Final = web.RequestKey("address", str)
