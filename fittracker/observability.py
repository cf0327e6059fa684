"""Logs and metrics: structured JSON lines in production, coloured ones on a laptop.

Ids of the request and the connection come from context variables, so that every line of one piece of
work can be found. Tokens, passwords and heart rates never reach a log.
"""

from __future__ import annotations

import logging
import sys
from io import StringIO
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, ExcInfo, WrappedLogger

_SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie", "ticket", "totp", "bpm")


def configure_logs(log_format: str, level: str) -> None:
    """Route structlog and the standard library through one chain to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        mask_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(log_format))
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("pymongo").setLevel(logging.WARNING)


def _rendering(log_format: str) -> list[Any]:
    """Tracebacks come without local variables: among them are passwords and tokens."""
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if log_format == "pretty":
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=_indented_traceback
        )
        return [strip, keep_on_one_line, console]
    frames = ExceptionDictTransformer(show_locals=False)
    return [
        strip,
        structlog.processors.ExceptionRenderer(frames),
        structlog.processors.JSONRenderer(sort_keys=False),
    ]


def keep_on_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Line breaks and terminal codes in texts are shown, not obeyed; other values come as their repr."""
    return {_shown(key): _shown(value) if isinstance(value, str) else value for key, value in event.items()}


def _indented_traceback(output: TextIO, error: ExcInfo) -> None:
    """Nothing in it begins a line: what an exception says may be somebody's own text."""
    text = StringIO()
    structlog.dev.plain_traceback(text, error)
    for line in text.getvalue().strip("\n").split("\n"):
        output.write(f"\n    {_shown(line)}")


def _shown(text: str) -> str:
    """The same, with what is not printable written as in a Python string."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A field whose name speaks of a secret, or of a heart, is logged without its value."""
    for key in event:
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = "***"
    return event


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    return structlog.stdlib.get_logger(name)
