"""`fittracker vapid-key`: what it prints can be set."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from config.settings import SettingsError, load
from fittracker.commands.vapid_key import command
from fittracker.push.vapid import public_key


def test_what_it_prints_are_settings_that_are_accepted() -> None:
    """The private key to standard output, for a file of settings; the public one beside it."""
    result = CliRunner().invoke(command, ["--contact", "https://fit.example.org"])
    printed = dict(each.split("=", 1) for each in result.stdout.split())
    settings = load(mode="test", vapid_key=printed["VAPID_KEY"], vapid_contact=printed["VAPID_CONTACT"])
    assert public_key(settings.vapid_key) in result.stderr
    assert printed["VAPID_KEY"] not in result.stderr


@pytest.mark.parametrize(
    "values",
    [
        {"vapid_key": "A" * 43},
        {"vapid_contact": "mailto:push@example.org"},
        {"vapid_key": "A" * 42, "vapid_contact": "mailto:push@example.org"},
        {"vapid_key": "A" * 43, "vapid_contact": "push@example.org"},
        {"vapid_key": "A" * 43, "vapid_contact": "mailto:push"},
    ],
)
def test_half_a_setting_or_a_wrong_one_stops_the_start(values: dict[str, str]) -> None:
    """Not the first push, some hours later."""
    with pytest.raises(SettingsError, match="VAPID"):
        load(mode="test", **values)
