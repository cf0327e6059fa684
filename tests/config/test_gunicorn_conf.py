from __future__ import annotations

import runpy
import subprocess
import sys
from typing import Any

import pytest
from gunicorn.config import KNOWN_SETTINGS

from fittracker.gunicorn_logs import Logs
from fittracker.program import CONFIGURATION, program
from fittracker.worker import Worker


def configuration(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    """What gunicorn reads from the file under these variables."""
    monkeypatch.setenv("FITTRACKER_MODE", "test")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    values = runpy.run_path(str(CONFIGURATION))
    known = {each.name for each in KNOWN_SETTINGS}
    return {name: value for name, value in values.items() if name in known}


def test_every_name_in_the_file_is_a_setting_of_gunicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn ignores a name that it does not know, a slip included."""
    monkeypatch.setenv("FITTRACKER_MODE", "test")
    names = {name for name in runpy.run_path(str(CONFIGURATION)) if not name.startswith("_")}
    assert names - {"math", "Path", "load"} <= {each.name for each in KNOWN_SETTINGS}


def test_what_can_be_set_comes_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, workers and log level."""
    made = configuration(monkeypatch, BIND="127.0.0.1:9999", WORKERS="5", LOG_LEVEL="warning")
    assert (made["bind"], made["workers"], made["loglevel"]) == ("127.0.0.1:9999", 5, "warning")


def test_a_draining_worker_has_more_time_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL in the middle of a drain would lose what was about to be stored."""
    made = configuration(monkeypatch, DRAIN_S="20.5")
    assert made["graceful_timeout"] >= 21 + 15
    assert made["timeout"] > made["graceful_timeout"]


def test_each_worker_has_a_socket_of_its_own_where_that_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel then spreads connections; a unix socket can only be shared."""
    assert configuration(monkeypatch, BIND="0.0.0.0:80")["reuse_port"] is True
    assert configuration(monkeypatch, BIND="unix:/run/fit.sock")["reuse_port"] is False


def test_there_is_no_second_way_in_and_no_second_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """No control socket, no access log, nothing loaded before the fork."""
    made = configuration(monkeypatch)
    assert made["control_socket_disable"] is True
    assert made["accesslog"] is None
    assert made["preload_app"] is False


def test_the_classes_that_it_names_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names under which gunicorn imports them."""
    made = configuration(monkeypatch)
    assert made["worker_class"] == f"{Worker.__module__}.{Worker.__qualname__}"
    assert made["logger_class"] == f"{Logs.__module__}.{Logs.__qualname__}"
    assert made["wsgi_app"] == "fittracker.worker:make_runner"


def test_gunicorn_accepts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own check, which also imports the application."""
    monkeypatch.setenv("FITTRACKER_MODE", "test")
    checked = subprocess.run([*program(), "--check-config"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert program()[0] == sys.executable
