"""The documents name all that can be set, measured and answered, nothing else, and link to what is there."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

import fittracker
import handlers
import ws
from config.settings import Settings
from fittracker.errors import Failure
from ws.frames import Close

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
OPERATIONS, REALTIME = DOCS / "operations.md", DOCS / "realtime.md"
VARIABLES = {str(each.metadata["variable"]) for each in dataclasses.fields(Settings)}
# In capitals and no settings of ours.
OTHER_CAPITALS = {"TLS_FOLDER"}

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
CLOSE_CODE = re.compile(r"^\| (\d{4}(?:, \d{4})*) \|", re.MULTILINE)
ERROR = re.compile(r"`(\w+)`(?: \|| \()(?: ?)(\d{3})")


def named(page: Path) -> str:
    """A page's name in the list of tests."""
    return str(page.relative_to(ROOT))


def import_everything() -> None:
    """A metric exists once its module is imported."""
    for package in (fittracker, handlers, ws):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def metrics() -> set[str]:
    """Every metric of ours, by the name under which Prometheus gets it."""
    import_everything()
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in REGISTRY.collect()
        if family.name.startswith("fittracker_")
    }


def failures(kind: type[Failure] = Failure) -> Iterator[type[Failure]]:
    """Every way to fail."""
    yield kind
    for each in kind.__subclasses__():
        yield from failures(each)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    text = CODE.sub(lambda code: "" if code[0].startswith("```") else code[0].strip("`"), page.read_text())
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in HEADING.findall(text)
    }


# -- what is documented ------------------------------------------------------------------------------


def test_every_setting_is_in_the_docs() -> None:
    """With its variable, in the table of settings."""
    missing = VARIABLES - set(ROW.findall((DOCS / "configuration.md").read_text()))
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_speaks_of_a_setting_that_is_not_there(page: Path) -> None:
    """A variable that was renamed would be looked for in vain."""
    spoken = re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`", page.read_text())
    assert set(spoken) - VARIABLES - OTHER_CAPITALS == set()


def test_every_metric_is_in_the_docs_and_no_other() -> None:
    """The table of operations.md is what /metrics has."""
    assert set(re.findall(r"^\| `(fittracker_\w+)` \|", OPERATIONS.read_text(), re.MULTILINE)) == metrics()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_speaks_of_a_metric_that_is_not_there(page: Path) -> None:
    """Also not in the middle of a sentence."""
    spoken = re.findall(r"`(fittracker_\w+)[`{]", page.read_text())
    assert set(spoken) - metrics() - {"fittracker_"} == set()


def test_every_close_code_is_in_the_docs() -> None:
    """A client has to know what to do about each."""
    documented = {int(code) for row in CLOSE_CODE.findall(REALTIME.read_text()) for code in row.split(", ")}
    assert {int(code) for code in Close} <= documented


def test_every_error_code_is_in_the_docs_with_its_status() -> None:
    """On the socket and in REST they are the same."""
    import_everything()
    documented = {(code, int(status)) for code, status in ERROR.findall(REALTIME.read_text())}
    assert documented == {(kind.code, kind.status) for kind in failures()}


def test_every_decision_is_in_the_reading_order() -> None:
    """A decision that nobody finds explains nothing."""
    listed = set(re.findall(r"\(decisions/([\w-]+\.md)\)", (DOCS / "README.md").read_text()))
    assert listed == {path.name for path in (DOCS / "decisions").iterdir()}


# -- links -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files and headings within the project are there; addresses elsewhere are not asked."""
    broken = []
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (heading and heading not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_in_the_code_style_exists(page: Path) -> None:
    """A file that was moved would be looked for in vain: `ws/heart.py` and the like."""
    spoken = re.findall(
        r"`((?:fittracker|ws|handlers|config|tests|nginx|deploy|requirements|docs)/[\w./@-]*\w)`",
        page.read_text(),
    )
    assert [path for path in spoken if not (ROOT / path).exists()] == []
