from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fittracker.dev.notes import Account, NoNotes, Notes, read, write

DEVELOPER = Account("u1", "developer@example.org", "secret", "Dev", "user")
NOTES = Notes(
    url="http://127.0.0.1:1",
    server={"mongo_url": "mongodb://x"},
    developer=DEVELOPER,
    people=[Account("u2", "coach@example.org", "other", "Coach", "trainer")],
    session="s1",
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Everything of it; the developer is one of the accounts."""
    write(tmp_path, NOTES)
    assert read(tmp_path) == NOTES
    assert [each.user for each in read(tmp_path).accounts] == ["u1", "u2"]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """It holds passwords; also when an older file was open to all."""
    (tmp_path / "dev.json").write_text("{}")
    (tmp_path / "dev.json").chmod(0o644)
    path = write(tmp_path, NOTES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["dev.json"]


def test_a_folder_without_a_machine_says_what_to_do(tmp_path: Path) -> None:
    """The message names the command."""
    with pytest.raises(NoNotes, match="fittracker dev"):
        read(tmp_path)


@pytest.mark.parametrize("content", ["", "{", '{"url": 1}'])
def test_a_file_that_is_none_is_said(tmp_path: Path, content: str) -> None:
    """Not a traceback."""
    (tmp_path / "dev.json").write_text(content)
    with pytest.raises(NoNotes, match="cannot be read"):
        read(tmp_path)
