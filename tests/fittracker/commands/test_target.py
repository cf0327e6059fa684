from __future__ import annotations

from pathlib import Path

import pytest

from fittracker.commands.target import DEFAULT_URL, find
from fittracker.dev.notes import Account, NoNotes, Notes, write

DEVELOPER = Account("u1", "developer@example.org", "secret", "Dev", "user")
COACH = Account("u2", "coach@example.org", "other", "Coach", "trainer")
URL = "http://127.0.0.1:8181"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with notes."""
    write(tmp_path, Notes(url=URL, server={}, developer=DEVELOPER, people=[COACH]))
    return tmp_path


def test_with_nothing_said_we_are_the_developer(data: Path) -> None:
    """At the address of the notes, with the names of everybody in them."""
    target = find(None, None, None, None, data)
    assert (target.url, target.email, target.password) == (URL, DEVELOPER.email, "secret")
    assert target.names == {"u1": "Dev", "u2": "Coach"}


def test_somebody_of_the_notes_needs_no_password(data: Path) -> None:
    """The address is enough."""
    target = find(None, None, COACH.email, None, data)
    assert (target.email, target.password) == (COACH.email, "other")


def test_a_token_is_used_as_it_is(tmp_path: Path) -> None:
    """Without notes, at the usual address."""
    target = find(None, "t", None, None, tmp_path)
    assert (target.url, target.token, target.email) == (DEFAULT_URL, "t", None)
    assert find("https://fit.example.org", "t", None, None, tmp_path).url == "https://fit.example.org"


def test_the_passwords_of_the_notes_go_nowhere_else(data: Path) -> None:
    """Another server gets none of them."""
    with pytest.raises(NoNotes, match="say who you are"):
        find("https://elsewhere.example.org", None, None, None, data)


def test_a_stranger_is_asked_for_the_password(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the terminal, unseen."""
    asked: list[bool] = []

    def prompt(_text: str, *, hide_input: bool, err: bool) -> str:
        asked.append(hide_input and err)
        return "typed"

    monkeypatch.setattr("click.prompt", prompt)
    target = find("https://elsewhere.example.org", None, COACH.email, None, data)
    assert target.password == "typed"
    assert asked == [True]


def test_without_notes_and_without_a_word_there_is_nobody_to_be(tmp_path: Path) -> None:
    """The message says what would help."""
    with pytest.raises(NoNotes, match="fittracker dev"):
        find(None, None, None, None, tmp_path)
