from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from fittracker.commands.docs import ROOT, command, documents, stale


def test_the_generated_documents_are_up_to_date() -> None:
    """Where this fails: `make docs`, and read what it changed."""
    assert stale(ROOT) == []


def test_what_is_missing_or_old_is_written(tmp_path: Path) -> None:
    """`--check` only says so; without it everything is there afterwards."""
    checked = CliRunner().invoke(command, ["--check", "--root", str(tmp_path)])
    assert checked.exit_code == 1
    assert len(checked.stdout.splitlines()) == len(documents())
    assert list(tmp_path.iterdir()) == []
    assert CliRunner().invoke(command, ["--root", str(tmp_path)]).exit_code == 0
    assert stale(tmp_path) == []
    (tmp_path / "docs" / "commands.md").write_text("old")
    assert stale(tmp_path) == [Path("docs/commands.md")]
    assert CliRunner().invoke(command, ["--check", "--root", str(tmp_path)]).exit_code == 1
