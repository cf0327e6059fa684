from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from config.reference import configuration_markdown, environment_example
from config.settings import Settings, load

VARIABLES = {each.metadata["variable"] for each in dataclasses.fields(Settings)}


def test_every_setting_is_in_the_table_with_what_it_is() -> None:
    """A setting without a sentence is not done."""
    rows = [line.split("|") for line in configuration_markdown().splitlines() if line.startswith("| `")]
    assert {row[1].strip(" `") for row in rows} == VARIABLES
    assert all(len(row[4].strip()) > 5 for row in rows)


def test_the_example_sets_nothing_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied as it is, it changes nothing; every variable is in it, commented out."""
    example = tmp_path / ".env"
    example.write_text(environment_example())
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    assert load(example, mode="test") == load(mode="test")
    named = {line[1:].partition("=")[0] for line in example.read_text().splitlines() if "=" in line}
    assert named >= VARIABLES


def test_the_example_can_be_used_by_taking_the_signs_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line holds the default in the form in which the variable is read."""
    lines = environment_example().splitlines()
    example = tmp_path / ".env"
    example.write_text("\n".join(line.removeprefix("#") for line in lines if not line.startswith("# ")))
    for variable in VARIABLES:
        # so that what read_env puts into the environment is taken out of it again
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    read = load(example, mode="test", token_keys=(("k", "secret"),), password_pepper="p")
    for each in dataclasses.fields(Settings):
        if each.name not in {"mode", "token_keys", "password_pepper"}:
            assert getattr(read, each.name) == each.default, each.name
