"""The table of servers as a picture: bars in four panels, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Final

from bench.report import OURS, Standing, standings
from bench.run import Measured

PANELS: Final[tuple[tuple[str, Callable[[Standing], float]], ...]] = (
    ("idle memory of a socket, KB", lambda each: each.idle_kb),
    ("connect, ms of CPU", lambda each: each.connect_ms),
    ("a message in and one out, us of CPU", lambda each: each.echo_us),
    ("a message to one of 500, us of CPU", lambda each: each.delivery_us),
)
WIDTH: Final = 860
PANEL_WIDTH: Final = 430
LABEL_WIDTH: Final = 190
BAR_WIDTH: Final = 170
LINE: Final = 22
HEAD: Final = 34


def write(path: Path, result: Measured) -> None:
    """As SVG."""
    found = standings(result)
    height = HEAD + len(found) * LINE + 14
    panels = [
        _panel(
            title, [(each.name, figure(each)) for each in found], place % 2 * PANEL_WIDTH, place // 2 * height
        )
        for place, (title, figure) in enumerate(PANELS)
    ]
    total = height * ((len(PANELS) + 1) // 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" width="{WIDTH}" '
        f'height="{total}" font-family="sans-serif" font-size="12">\n'
        "<style>text { fill: #24292f } "
        "@media (prefers-color-scheme: dark) { text { fill: #d0d7de } }</style>\n"
        f"<title>What servers cost, measured on {escape(result.on)}</title>\n{''.join(panels)}</svg>\n"
    )


def _panel(title: str, bars: list[tuple[str, float]], left: int, top: int) -> str:
    most = max(value for _, value in bars)
    drawn = [f'<text x="{left + 6}" y="{top + 20}" font-weight="bold">{escape(title)}</text>\n']
    for place, (name, value) in enumerate(bars):
        y = top + HEAD + place * LINE
        width = max(value / most * BAR_WIDTH, 1.0)
        colour = "#1f883d" if name == OURS else "#8c959f"
        figure = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
        drawn.append(
            f'<text x="{left + LABEL_WIDTH - 6}" y="{y + 12}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{left + LABEL_WIDTH}" y="{y}" width="{width:.1f}" height="16" fill="{colour}"/>'
            f'<text x="{left + LABEL_WIDTH + width + 5:.1f}" y="{y + 12}">{figure}</text>\n'
        )
    return "".join(drawn)
