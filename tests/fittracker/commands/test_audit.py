"""`fittracker audit verify`, as a process of its own."""

from __future__ import annotations

import subprocess

import pytest

import config.settings
from fittracker.caller import OPERATOR
from fittracker.clock import Clock
from fittracker.opening import open_contexts
from tests.dev_machine import ROOT, command


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, mongo_url: str, mongo_database: str, redis_url: str) -> None:
    """The settings of the server are in force."""
    variables = {"MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database, "REDIS_URL": redis_url}
    for name, value in {"FITTRACKER_MODE": "test", **variables}.items():
        monkeypatch.setenv(name, value)


def verify(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    line = command("audit", "verify", *arguments)
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)


async def test_F7_the_log_verifies_until_somebody_changes_an_entry(environment: None) -> None:
    """It prints the head, which it knows again; an entry written over ends it with 7 and its number."""
    async with open_contexts(config.settings.load(), Clock()) as contexts:
        for number in range(3):
            await contexts.audit.record("login.succeeded", OPERATOR, n=number)
        good = verify()
        assert (good.returncode, good.stderr) == (0, "")
        head = good.stdout.removeprefix("intact up to ").strip()
        assert head.startswith("3:")
        assert verify("--head", head).returncode == 0
        await contexts.audit.record("login.succeeded", OPERATOR)
        assert verify("--head", head).returncode == 0
        wrong = verify("--head", f"3:{'0' * 64}")
        assert (wrong.returncode, wrong.stderr.strip()) == (
            7,
            "fittracker: the audit log is not intact: entry 3 is not the one that was noted",
        )
        await contexts.database.audit.update_one({"_id": 2}, {"$set": {"detail.n": 9}})
        bad = verify()
    assert (bad.returncode, bad.stdout) == (7, "")
    assert bad.stderr.strip() == "fittracker: the audit log is not intact: entry 2 was changed"


def test_a_head_that_is_none_is_wrong_usage(environment: None) -> None:
    """Before anything is looked at."""
    answer = verify("--head", "7")
    assert answer.returncode == 2
    assert "64 hexadecimal digits" in answer.stderr
