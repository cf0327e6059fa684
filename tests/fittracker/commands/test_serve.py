from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from fittracker.embedded.server import free_port
from tests.dev_machine import ROOT, command
from tests.patience import until


def ready(url: str) -> bool:
    """Whether the server answers that it is."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def test_it_becomes_gunicorn_and_ends_well(
    tmp_path: Path, mongo_url: str, mongo_database: str, redis_url: str
) -> None:
    """The process that was started is the master itself: who supervises it can signal it directly."""
    port = free_port()
    environment = {
        "FITTRACKER_MODE": "test",
        "BIND": f"127.0.0.1:{port}",
        "WORKERS": "1",
        "DRAIN_S": "0.5",
        "MONGO_URL": mongo_url,
        "MONGO_DATABASE": mongo_database,
        "REDIS_URL": redis_url,
    }
    with (tmp_path / "log").open("wb") as log:
        served = subprocess.Popen(
            command("serve"), env={**os.environ, **environment}, cwd=ROOT, stdout=log, stderr=log
        )
    try:
        until(lambda: ready(f"http://127.0.0.1:{port}"), "the server is ready", seconds=60)
        master = psutil.Process(served.pid)
        assert "gunicorn" in " ".join(master.cmdline())
        assert len(master.children()) == 1
        master.terminate()
        assert served.wait(30) == 0
    finally:
        if served.poll() is None:
            served.kill()
            served.wait()
