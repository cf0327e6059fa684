"""A disk that is soon full: a file system in memory, of so many bytes. Only root may mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class TinyDisk:
    """Mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        chunk = b"x" * 65_536
        with self._ballast.open("ab", buffering=0) as file:
            for size in (len(chunk), 4_096, 1):
                try:
                    while True:
                        file.write(chunk[:size])
                except OSError:
                    continue  # full, for pieces of this size
        assert shutil.disk_usage(self.path).free < 4_096

    def free(self) -> None:
        """Give it back."""
        self._ballast.unlink()


@contextmanager
def tiny_disk(path: Path, megabytes: int) -> Iterator[TinyDisk]:
    """One at this folder, which is made; the test is skipped where it cannot be mounted."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a file system of its own")
    path.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield TinyDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
