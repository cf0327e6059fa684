"""Logs: one line an event, and nothing in them that is nobody's business."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from fittracker.observability import configure_logs, logger


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Configuring logs is for a whole process; the other tests keep theirs."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**before)


def fail_with_a_secret() -> None:
    """An exception beside a password."""
    password = "hunter2-secret"  # noqa: F841  it is there to be found in a traceback
    raise RuntimeError("the database said no")


def test_an_event_is_one_line_of_json_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """Also one of the standard library's loggers, with its arguments in place."""
    configure_logs("json", "info")
    logger("a.module").info("request", status=200)
    logging.getLogger("a.library").warning("%s is slow", "it")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["status"], first["level"]) == ("request", 200, "info")
    assert first["logger"] == "a.module"
    assert (second["event"], second["level"]) == ("it is slow", "warning")


@pytest.mark.parametrize("log_format", ["json", "pretty"])
def test_a_traceback_shows_where_and_not_what(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines are there; the values of local variables are not."""
    configure_logs(log_format, "info")
    try:
        fail_with_a_secret()
    except RuntimeError:
        logger("a.module").exception("command_failed")
    text = capsys.readouterr().err
    assert "the database said no" in text
    assert "fail_with_a_secret" in text
    assert "hunter2-secret" not in text


@pytest.mark.parametrize(
    "name", ["password", "refresh_token", "Authorization", "ticket", "bpm", "smtp_secret"]
)
def test_what_is_named_like_a_secret_is_masked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody will log it by mistake one day."""
    configure_logs("json", "info")
    logger("a.module").info("mistake", **{name: "the-value"})
    assert json.loads(capsys.readouterr().err)[name] == "***"


def test_a_name_with_line_breaks_and_colours_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody forges a log line with their display name."""
    configure_logs("json", "info")
    logger("a.module").info("hello", name='Eve\r\n{"event":"login_succeeded"}\x1b[31m')
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "hello"
    assert "\x1b" not in line


def test_a_level_leaves_out_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    """In production nobody reads debug lines."""
    configure_logs("json", "warning")
    logger("a.module").info("quiet")
    logger("a.module").warning("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]
