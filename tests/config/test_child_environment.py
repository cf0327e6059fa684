from __future__ import annotations

import pytest

from config.settings import SettingsError, load_for_child, mode_of_environment

MODE = {"mode": "development"}


def test_what_is_set_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load test raises a limit by setting it, as in production."""
    monkeypatch.setenv("WS_SOCKETS_PER_ADDRESS", "7")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    settings, environment = load_for_child(MODE, {})
    assert settings.ws_sockets_per_address == 7
    assert environment["WS_SOCKETS_PER_ADDRESS"] == "7"
    assert environment["SOMETHING_ELSE"] == "kept"


def test_a_default_gives_way_to_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long tokens are convenient, but not for somebody who tries short ones."""
    monkeypatch.delenv("ACCESS_TOKEN_S", raising=False)
    settings, environment = load_for_child(MODE, {"access_token_s": 99})
    assert (settings.access_token_s, environment["ACCESS_TOKEN_S"]) == (99, "99")
    monkeypatch.setenv("ACCESS_TOKEN_S", "5")
    settings, environment = load_for_child(MODE, {"access_token_s": 99})
    assert (settings.access_token_s, environment["ACCESS_TOKEN_S"]) == (5, "5")


def test_what_is_fixed_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`fittracker dev` is never in production, whatever the shell says."""
    monkeypatch.setenv("FITTRACKER_MODE", "production")
    settings, environment = load_for_child(MODE, {})
    assert settings.development
    assert environment["FITTRACKER_MODE"] == "development"


def test_the_child_reads_what_we_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment gives the same settings again."""
    settings, environment = load_for_child({**MODE, "bind": "127.0.0.1:81", "workers": 3}, {"drain_s": 1.5})
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_for_child({}, {})[0] == settings


def test_a_fault_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a process that ends without a word."""
    monkeypatch.setenv("DRAIN_S", "soon")
    with pytest.raises(SettingsError, match="DRAIN_S"):
        load_for_child(MODE, {})


def test_a_mode_that_nobody_set_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is production, but a shell that says nothing is not production."""
    monkeypatch.delenv("FITTRACKER_MODE", raising=False)
    assert mode_of_environment() is None
    monkeypatch.setenv("FITTRACKER_MODE", "production")
    assert mode_of_environment() == "production"
