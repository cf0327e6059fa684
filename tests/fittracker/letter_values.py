"""Values of every mail there is: plain ones, and such as nobody should send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fittracker.letters import TEMPLATES

ORIGIN: Final = "https://fit.example.org"
LINK: Final = f"{ORIGIN}/verify?token=ftv_" + "x" * 43
STOP: Final = f"{ORIGIN}/api/v1/mail/unsubscribe?token=ftu_" + "a" * 24 + ".booking." + "y" * 43
WEEK: Final[Mapping[str, Any]] = {
    "workouts": 4,
    "seconds": 15_100.0,
    "kcal": 2_345.4,
    "zones_s": [600.0, 1_200.0, 3_600.0, 1_800.0, 300.0],
    "longest_s": 5_400.0,
    "best_avg_bpm": 152.3,
    "trimp": 312.4,
}
EMPTY: Final[Mapping[str, Any]] = {
    "workouts": 0,
    "seconds": 0.0,
    "kcal": None,
    "zones_s": None,
    "longest_s": None,
    "best_avg_bpm": None,
    "trimp": None,
}
PLAIN: Final[Mapping[str, Any]] = {
    "link": LINK,
    "minutes": 60,
    "device": "Firefox 140 on Linux",
    "since": "2026-11-23T10:00:00.000Z",
    "at": "2026-11-24T09:00:00.000Z",
    "until": "2026-12-24T09:00:00.000Z",
    "address": "203.0.113.9",
    "change": "on",
    "left": 3,
    "happened": "confirmed",
    "reader": "athlete",
    "other": "Tina Trainer",
    "start": "2026-11-30T17:00:00.000Z",
    "before": "2026-11-29T17:00:00.000Z",
    "place": "Sports hall, Berlin",
    "price": 4_900,
    "currency": "EUR",
    "number": "2026-00017",
    "lines": [{"text": "Training, 60 minutes", "amount": 4_118}],
    "net": 4_118,
    "tax": 782,
    "total": 4_900,
    "first": "2026-11-16",
    "last": "2026-11-22",
    "now": WEEK,
    "news": [{"text": "Bert liked your post", "at": "2026-11-24T09:00:00.000Z"}],
    "count": 12,
    "more": 2,
}
FREE: Final = ("device", "address", "other", "place", "number", "lines", "news")
"""What people or their devices may have written."""
LISTS: Final = ("lines", "news")
"""Of these the `text` of each."""
HOSTILE: Final = {
    "html": '"><script>alert(1)</script><img src=x onerror=alert(1)><!-- <b>',
    "template": "{{7*7}}{% raw %}${7*7}#{7*7}",
    "header": "Anna\r\nBcc: evil@example.net\r\n\r\nYour account is blocked:",
    "paragraph": "Anna\u2028\u2029\x85\x0b\x0cSign in at once",
    "right-to-left": "\u202eمرحبا\u202c \u2066שלום\u2069 evil.exe",
    "emoji": "💥👩🏽‍🚴" * 30,
    "long": "x" * 5_000,
    "long words": "word " * 1_000,
    "empty": "",
    "controls": "\x00\x1b[31m\x7f\u200b\ufeff",
}


def plain(template: str) -> dict[str, Any]:
    """What an ordinary mail of this template says."""
    values = {name: PLAIN[name] for name in TEMPLATES[template].values}
    return values | ({"before": EMPTY} if template == "weekly_summary" else {})


def hostile(template: str, text: str) -> dict[str, Any]:
    """The same with this text wherever somebody may have written something."""
    values = plain(template)
    for name in set(FREE) & set(values):
        values[name] = [{**each, "text": text} for each in PLAIN[name]] if name in LISTS else text
    return values
