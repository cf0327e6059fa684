"""The tables and the picture say what was measured, and what is pinned names no registry."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

from bench import plot, report
from bench.figures import Connecting, FanOut, Pushing
from bench.others import PROGRAMS, Figures, Talk
from bench.run import Measured, Run, keep, read
from bench.talking import Talking

FAST = Figures(6.0, 0.1, 30.0, Talk(8.0, 2.0, 5.0, 1.0))
LATE = Figures(30.0, 0.8, 300.0, Talk(21.0, 900.0, 2_000.0, 0.6))


def a_run(idle_kb: float) -> Run:
    """One in which only the memory is of interest."""
    return Run(
        Connecting(idle_kb, 0.5),
        40.0,
        {name: Pushing(45.0, 300.0, 550.0) for name in ("json", "binary", "batches")},
        FanOut(0.9, 0.2, 12.0, 40.0, 70.0),
        Talking(5.0, 10.0, 30.0, 20.0, 60.0),
        Figures(12.0, 0.25, 38.0, Talk(6.5, 1.0, 4.0, 1.0)),
        {"Fast <1>": FAST, "Late": LATE},
        7.0,
        6.5,
    )


RESULT = Measured(
    "2026-11-27", "A machine", "Python 3", ["Node: not there"], [a_run(9), a_run(30), a_run(10)]
)


def test_the_tables_show_medians_aims_and_ratios() -> None:
    """One bad run does not count; who did not keep up is marked, who was left out is named."""
    text = "\n".join(report.lines(RESULT))
    assert "in a room | 14 KB | 10.0 KB | 12.0 KB (bare aiohttp) | 0.83 |" in text
    assert "| FitTracker Pro | 10.0 (0.83) | 0.50 (2.00) | 40.0 (1.05) | 5.00 (0.77) | 30.0 |" in text
    assert "| Late (kept up with 60%) | 30.0 (2.50) |" in text
    assert "Left out: Node: not there." in text
    assert "medians of 3" in text


def test_what_was_measured_is_written_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    """Twice is the same as once."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write(page, RESULT)
    once = page.read_text()
    report.write(page, RESULT)
    assert page.read_text() == once
    assert once.startswith(f"before\n{report.BEGIN}\nMeasured on 2026-11-27")
    assert once.endswith(f"{report.END}\nafter\n")
    assert "old" not in once


def test_a_result_is_read_as_it_was_kept(tmp_path: Path) -> None:
    """Tables can be made again without measuring again."""
    keep(tmp_path / "deep" / "result.json", RESULT)
    assert read(tmp_path / "deep" / "result.json") == RESULT


def test_the_picture_has_a_bar_for_each_server_in_each_panel(tmp_path: Path) -> None:
    """It is sound XML, and names are escaped."""
    plot.write(tmp_path / "images" / "bench.svg", RESULT)
    tree = ElementTree.parse(tmp_path / "images" / "bench.svg")
    bars = tree.findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) == 4 * 4
    assert max(float(bar.attrib["width"]) for bar in bars) == plot.BAR_WIDTH


def test_others_are_pinned_with_hashes_and_without_a_registry() -> None:
    """What is installed is what was looked at, from whichever registry is configured."""
    lock = json.loads((PROGRAMS / "package-lock.json").read_text())
    packages = [each for name, each in lock["packages"].items() if name]
    assert packages
    assert all(each["integrity"].startswith("sha512-") and "resolved" not in each for each in packages)
    pinned = (PROGRAMS / "requirements.txt").read_text()
    assert len(re.findall(r"^[\w.-]+==\S+", pinned, re.MULTILINE)) <= pinned.count("--hash=sha256:")
    assert "http://" not in pinned
    assert "https://" not in pinned
