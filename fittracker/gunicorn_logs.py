"""gunicorn's own lines, in the same form as all others."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

from config.settings import load
from fittracker.observability import configure_logs


class Logs(Logger):  # type: ignore[misc]  # gunicorn has no types
    """What `logger_class` names: the lines of the master and of the workers go through structlog."""

    def setup(self, cfg: Any) -> None:
        """As gunicorn does, but without a handler of its own."""
        super().setup(cfg)
        settings = load()
        configure_logs(settings.log_format, settings.log_level)
        self.error_log.handlers = []
        self.error_log.propagate = True
