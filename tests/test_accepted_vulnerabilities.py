"""What looks for weaknesses is run, and each exception from it has a reason, a day, and still holds."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PINS = (ROOT / "requirements" / "dev.txt").read_text()


def load_audit() -> ModuleType:
    """requirements/audit.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / "requirements" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


audit = load_audit()
ACCEPTED = audit.acceptances(audit.ACCEPTED.read_text())
TODAY = date(2026, 11, 24)


def report(name: str, *vulns: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As pip-audit writes it, of one package."""
    return {"dependencies": [{"name": name, "version": "1.0", "vulns": list(vulns), **more}], "fixes": []}


def advisory(name: str, *aliases: str) -> dict[str, Any]:
    """One of its findings."""
    return {"id": name, "aliases": list(aliases), "fix_versions": []}


# -- the list of exceptions ----------------------------------------------------------------------------


def test_every_accepted_advisory_has_a_reason_a_day_and_is_about_something_pinned() -> None:
    """None is for ever: at most a year from now, and not one that has passed."""
    today = datetime.now(UTC).date()
    assert ACCEPTED
    for each in ACCEPTED:
        assert today <= each.until, f"{each.id} was accepted until {each.until}: look again"
        assert (each.until - today).days <= 366
        assert len(each.reason.split()) >= 10
        assert re.search(rf"^{re.escape(each.package)}==", PINS, re.MULTILINE), each.package


@pytest.mark.parametrize(
    "text",
    [
        "CVE-2024-1 ecdsa until 2027-01-01\n",
        "CVE-2024-1 ecdsa until 2027-01-01\n    fine\n",
        "CVE-2024-1 ecdsa\n    " + "a reason without a day " * 4,
        "ecdsa until 2027-01-01\n    " + "a reason without an id " * 4,
    ],
)
def test_an_exception_without_reason_day_or_id_cannot_be_read(text: str) -> None:
    """It would hide more than somebody meant."""
    with pytest.raises(audit.AuditError):
        audit.acceptances(text)


def test_the_package_of_the_minerva_attack_is_never_imported() -> None:
    """The reason for accepting CVE-2024-23342: our tokens come about without python-ecdsa."""
    code = (
        "import sys, fittracker.app, fittracker.auth.tokens\n"
        "from jose import jwk\n"
        "assert 'cryptography' in jwk.get_key('ES256').__module__, jwk.get_key('ES256').__module__\n"
        "sys.exit(any(name.partition('.')[0] == 'ecdsa' for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


# -- the audit -----------------------------------------------------------------------------------------


def test_an_audit_that_could_ask_nobody_fails_and_says_so() -> None:
    """pip-audit itself calls that a success."""
    (line,) = audit.judge(report("ecdsa", skip_reason="not found"), ACCEPTED, TODAY)
    assert line.startswith("NOT AUDITED")


def test_what_nobody_accepted_fails() -> None:
    """With its names and the version that mends it."""
    lines = audit.judge(report("aiohttp", advisory("PYSEC-2027-1", "CVE-2027-1")), [], TODAY)
    assert lines == ["aiohttp 1.0: PYSEC-2027-1 CVE-2027-1, fixed in no version"]


def test_what_was_accepted_passes_by_any_of_its_names_until_its_day() -> None:
    """The same advisory has several; the same id for another package is not meant."""
    accepted = [audit.Acceptance("CVE-2027-1", "ecdsa", TODAY, "because")]
    found = advisory("PYSEC-2027-1", "CVE-2027-1")
    assert audit.judge(report("ecdsa", found), accepted, TODAY) == []
    assert "look again" in audit.judge(report("ecdsa", found), accepted, date(2026, 11, 25))[0]
    assert len(audit.judge(report("rsa", found), accepted, TODAY)) == 2


def test_an_exception_that_nothing_needs_any_more_fails() -> None:
    """So the list only ever holds what is open."""
    accepted = [audit.Acceptance("CVE-2027-1", "ecdsa", TODAY, "because")]
    assert audit.judge(report("ecdsa"), accepted, TODAY) == [
        "ecdsa: CVE-2027-1 is accepted, but nobody reports it"
    ]


# -- that they are run ---------------------------------------------------------------------------------


def recipe(target: str) -> str:
    """The commands of a target in the Makefile."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_make_check_runs_the_scanners_and_ci_runs_make_check() -> None:
    """bandit over everything that is shipped, zizmor over the workflows; `make audit` asks about the pins."""
    check = recipe("check")
    for package in ("fittracker", "handlers", "ws", "config", "bench"):
        assert re.search(rf"bin/bandit .*\b{package}\b", check.replace("$(BIN)", "bin")), package
    assert "zizmor" in check
    assert "requirements/audit.py" in recipe("audit")
    assert re.search(r"^step check \d+ make check", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_everything_that_bandit_skips_has_its_reason_beside_it() -> None:
    """In pyproject.toml, a comment on the line."""
    text = (ROOT / "pyproject.toml").read_text()
    skips = tomllib.loads(text)["tool"]["bandit"]["skips"]
    for each in skips:
        assert re.search(rf'^    "{each}",  # .{{20,}}$', text, re.MULTILINE), each


def test_no_line_is_excused_from_everything() -> None:
    """`nosec` names what it excuses."""
    bare = re.compile(r"#\s*nosec(?! B\d{3}\b)")
    folders = ("fittracker", "handlers", "ws", "config", "bench", "requirements")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert [str(path) for path in sources if bare.search(path.read_text())] == []
