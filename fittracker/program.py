"""How the server is started: gunicorn with our configuration, in production as in development."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import config

CONFIGURATION: Final = Path(config.__file__).with_name("gunicorn.conf.py")


def program() -> list[str]:
    """The program and its arguments; what can be set is in its environment."""
    return [sys.executable, "-m", "gunicorn", "--config", str(CONFIGURATION)]
