"""What one run measured, and many of them as a file."""

from __future__ import annotations

import platform
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from bench.figures import Connecting, FanOut, Pushing
from bench.others import Figures
from bench.talking import Talking

PACKAGES: Final = ("aiohttp", "uvloop", "msgspec", "pymongo", "redis", "hiredis", "python-jose")


class Run(msgspec.Struct):
    """Ours, the bare server's, those of others by name, and what one send() costs (us)."""

    connecting: Connecting
    echo_us: float
    pushing: dict[str, Pushing]
    fan_out: FanOut
    talking: Talking
    bare: Figures
    others: dict[str, Figures]
    send_update_us: float
    send_message_us: float


class Measured(msgspec.Struct):
    """All runs, when and on what they were made, and who was left out and why."""

    on: str
    machine: str
    versions: str
    missing: list[str]
    runs: list[Run]


def measured(runs: list[Run], missing: list[str]) -> Measured:
    """With the circumstances of this moment."""
    names = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = f"Python {sys.version.split()[0]}"
    return Measured(f"{datetime.now(UTC):%Y-%m-%d}", _machine(), f"{python}, {names}", missing, runs)


def keep(path: Path, result: Measured) -> None:
    """Write it down."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))


def read(path: Path) -> Measured:
    """What was written down; msgspec.DecodeError where that is something else."""
    return msgspec.json.decode(path.read_bytes(), type=Measured)


def _machine() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return f"{found[1] if found else platform.machine()}, Linux {platform.release().split('-')[0]}"
