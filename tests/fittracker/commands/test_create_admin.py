from __future__ import annotations

import subprocess

import pytest

import config.settings
from fittracker.caller import SYSTEM
from fittracker.clock import Clock
from fittracker.opening import open_contexts
from tests.dev_machine import ROOT, command

PASSWORD = "violet harbour 7 lantern"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, mongo_url: str, mongo_database: str, redis_url: str) -> None:
    """The settings of the server are in force."""
    for name, value in {
        "FITTRACKER_MODE": "test",
        "MONGO_URL": mongo_url,
        "MONGO_DATABASE": mongo_database,
        "REDIS_URL": redis_url,
        "BCRYPT_COST": "4",
    }.items():
        monkeypatch.setenv(name, value)


def create(email: str, password: str) -> subprocess.CompletedProcess[str]:
    """Run the command, the password on standard input."""
    return subprocess.run(
        command("create-admin", email, "--password-stdin"),
        input=f"{password}\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


async def test_an_administrator_can_sign_in_at_once(environment: None) -> None:
    """Verified, with the role; the password came by standard input."""
    created = create("Root@Example.org", PASSWORD)
    assert created.returncode == 0, created.stderr
    async with open_contexts(config.settings.load(), Clock()) as contexts:
        _, person = await contexts.accounts.sign_in.login("root@example.org", PASSWORD, SYSTEM)
    assert person["role"] == "admin"
    assert person["_id"] in created.stdout
    assert PASSWORD not in created.stdout + created.stderr


async def test_a_second_account_with_the_address_is_refused(environment: None) -> None:
    """Nobody becomes an administrator by having an account already."""
    assert create("twice@example.org", PASSWORD).returncode == 0
    again = create("TWICE@example.org", PASSWORD)
    assert again.returncode == 4
    assert "account" in again.stderr


async def test_a_weak_password_is_refused(environment: None) -> None:
    """The rules are the same as for everybody."""
    weak = create("weak@example.org", "password1234")
    assert weak.returncode == 4
    assert "password" in weak.stderr


async def test_settings_that_are_missing_are_said(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In production nothing has a default; no traceback, and nobody types a password in vain."""
    monkeypatch.setenv("FITTRACKER_MODE", "production")
    refused = create("root@example.org", PASSWORD)
    assert refused.returncode == 6
    assert "TOKEN_KEYS" in refused.stderr
    assert "Traceback" not in refused.stderr
