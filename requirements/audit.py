"""Known vulnerabilities in what is pinned, less those that were accepted: what `make audit` runs.

pip-audit alone calls it a success when no advisory database could be asked. Here that is a failure which says
so: an audit that did not take place proves nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ACCEPTED = HERE / "accepted-vulnerabilities.txt"
PINNED = HERE / "dev.txt"
"""The largest of the three; `make lock` keeps the same versions in all of them."""
ENTRY = re.compile(r"(?P<id>[A-Z]+-[\w-]+) (?P<package>[a-z0-9-]+) until (?P<until>\d{4}-\d\d-\d\d)")


class AuditError(Exception):
    """The audit cannot take place, or its list of exceptions cannot be read; the message says why."""


@dataclass(frozen=True)
class Acceptance:
    """An advisory that is let pass until a day, and why."""

    id: str
    package: str
    until: date
    reason: str


def acceptances(text: str) -> list[Acceptance]:
    """The entries of accepted-vulnerabilities.txt; AuditError for one without a reason or a day."""
    found: list[Acceptance] = []
    for block in re.split(r"\n(?=\S)", text):
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            continue
        head = lines[0]
        entry, reason = ENTRY.fullmatch(head), " ".join(line.strip() for line in lines[1:])
        if entry is None or len(reason) < 40:
            raise AuditError(f"{ACCEPTED.name}: {head!r} lacks an id, a package, a day, or a reason")
        until = date.fromisoformat(entry["until"])
        found.append(Acceptance(entry["id"], entry["package"], until, reason))
    return found


def judge(report: Mapping[str, Any], accepted: Sequence[Acceptance], today: date) -> list[str]:
    """What is wrong, a line each: not asked about, vulnerable, accepted for too long or for nothing."""
    unused = {each.id: each for each in accepted}
    wrong, unasked = [], []
    for dependency in report["dependencies"]:
        name = dependency["name"]
        if "skip_reason" in dependency:
            unasked.append(name)
        for advisory in dependency.get("vulns", ()):
            known = {advisory["id"], *advisory["aliases"]}
            match = next((each for each in accepted if each.id in known and each.package == name), None)
            if match is None:
                wrong.append(_found(dependency, advisory))
            else:
                unused.pop(match.id, None)
                if match.until < today:
                    wrong.append(f"{name}: {match.id} was accepted until {match.until} only; look again")
    wrong += [f"{each.package}: {each.id} is accepted, but nobody reports it" for each in unused.values()]
    if unasked:
        few = ", ".join(unasked[:5])
        return [f"NOT AUDITED: no advisories could be asked for {len(unasked)} packages ({few}, ...)"]
    return wrong


def _found(dependency: Mapping[str, Any], advisory: Mapping[str, Any]) -> str:
    names = " ".join([advisory["id"], *advisory["aliases"]])
    fixed = ", ".join(advisory["fix_versions"]) or "no version"
    return f"{dependency['name']} {dependency['version']}: {names}, fixed in {fixed}"


def ask() -> dict[str, Any]:
    """The report of pip-audit about what is pinned; AuditError where it has none, as without a network."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--format", "json"]
    command += ["--desc", "off", "--aliases", "on", "--progress-spinner", "off", "-r", str(PINNED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  fixed words
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
        raise AuditError(f"NOT AUDITED: pip-audit gave no report: {last[:300]}") from None
    return report


def main() -> int:
    """0 where everything was asked about and nothing is wrong; says what is."""
    try:
        accepted = acceptances(ACCEPTED.read_text())
        report = ask()
    except AuditError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    wrong = judge(report, accepted, datetime.now(UTC).date())
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    if not wrong:
        asked = len(report["dependencies"])
        sys.stdout.write(f"{asked} packages, no advisory but {len(accepted)} accepted\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
