"""Where things are kept: in the application, found from the REST sub-application by `request.config_dict`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from config.settings import Settings
from fittracker.auth.identity import Identity
from fittracker.contexts import Contexts


@dataclass(slots=True)
class Readiness:
    """Whether this worker takes new work; the worker sets `draining` when it is told to stop."""

    draining: bool = False


SETTINGS: Final = web.AppKey("settings", Settings)
CONTEXTS: Final = web.AppKey("contexts", Contexts)
READINESS: Final = web.AppKey("readiness", Readiness)

IDENTITY: Final = web.RequestKey("identity", Identity)
REQUEST_ID: Final = web.RequestKey("request_id", str)
ADDRESS: Final = web.RequestKey("address", str)
