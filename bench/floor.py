"""What one system call costs on this machine, now: a delivery cannot be cheaper than its share of one."""

from __future__ import annotations

import subprocess
import sys

UPDATES_BYTES = 2_300
"""What a tick brings to one member of the room: some thirteen updates."""
MESSAGE_BYTES = 300
"""One chat message as it is delivered."""


def send_us(size: int) -> float:
    """us of CPU of one send() of so many bytes."""
    sent = subprocess.run(
        [sys.executable, "-m", "bench.bare", "send", str(size)], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(sent.stdout)
