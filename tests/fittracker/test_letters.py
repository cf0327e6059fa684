"""The table of mails, and the page that tells of it."""

from __future__ import annotations

import re
from pathlib import Path

from fittracker.letters import TEMPLATES, Template, Urgency
from fittracker.preferences import ALWAYS, NOTIFICATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mails.md"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (\w+) \| (.+?) \|$", re.MULTILINE)


def test_the_page_lists_every_mail_with_its_occasion_and_kind() -> None:
    """And no other."""
    listed = {name: (when, urgency, kind) for name, when, urgency, kind in ROW.findall(PAGE.read_text())}
    expected = {each.name: (each.when, each.urgency.name.lower(), _kind(each)) for each in TEMPLATES.values()}
    assert listed == expected


def _kind(template: Template) -> str:
    """By what it is turned off."""
    return f"`{template.kind}`" if template.kind else "its kind" if template.of_many_kinds else "no"


def test_only_a_kind_that_people_may_turn_off_is_one_of_a_mail() -> None:
    """What protects them is never of a kind, so nothing turns it off."""
    kinds = {each.kind for each in TEMPLATES.values() if each.kind}
    assert kinds <= set(NOTIFICATIONS) - ALWAYS
    assert {each.kind for each in TEMPLATES.values() if each.urgency is Urgency.SECURITY} == {None}
