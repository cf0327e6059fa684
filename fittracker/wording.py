"""How figures, moments and money are written in mails. English, in the person's own time zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
# ISO 4217: currencies whose minor unit is not a hundredth.
_NO_DIGITS: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"}
    | {"RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE_DIGITS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_BECAUSE: Final = MappingProxyType(
    {
        "booking": "it is about a booking of yours",
        "receipt": "you want receipts by mail",
        "weekly_summary": "you turned on the weekly summary",
        "social": "you want news from people you know by mail",
        "coaching": "you want news from your coaching by mail",
        "challenge": "you want news of challenges by mail",
        "chat": "you want news from your conversations by mail",
    }
)
UNKNOWN: Final = "–"


def because(kind: str) -> str:
    """Why somebody gets mails of a kind: the end of `You get this mail because ...`."""
    return _BECAUSE.get(kind, f"mails about {kind.replace('_', ' ')} are on in your settings")


def moment(text: str, time_zone: str) -> str:
    """RFC 3339 as `Tuesday 24 November 2026, 10:00 CET (Europe/Berlin)`, by the clock of the zone.

    The short name tells the two hours apart that are the same when summer ends.
    """
    at = datetime.fromisoformat(text).astimezone(ZoneInfo(time_zone))
    clock = f"{_DAYS[at.weekday()]} {_date(at)}, {at:%H:%M}"
    if time_zone in {"UTC", "Etc/UTC"}:
        return f"{clock} UTC"
    name = at.tzname() or ""
    return f"{clock} {name if name.isalpha() else 'UTC' + name} ({time_zone})"


def day(text: str, time_zone: str) -> str:
    """RFC 3339 or YYYY-MM-DD as `24 November 2026`; a day is one everywhere, a moment is in the zone."""
    at = datetime.fromisoformat(text)
    return _date(at if at.tzinfo is None else at.astimezone(ZoneInfo(time_zone)))


def _date(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def money(minor: int, currency: str) -> str:
    """An amount in minor units as `EUR 1,234.50`; a minus stands before all of it."""
    currency = currency.upper()
    digits = 0 if currency in _NO_DIGITS else 3 if currency in _THREE_DIGITS else 2
    whole, part = divmod(abs(minor), 10**digits)
    point = f".{part:0{digits}d}" if digits else ""
    return f"{'−' if minor < 0 else ''}{currency} {whole:,}{point}"


def minutes(count: int) -> str:
    """`60 minutes`."""
    return "1 minute" if count == 1 else f"{count} minutes"


def duration(seconds: float | None) -> str:
    """Seconds as `3 h 05 min`, rounded to the minute; a dash where unknown."""
    if seconds is None:
        return UNKNOWN
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


def amount(figure: float | None, unit: str = "") -> str:
    """A figure, rounded to a whole, with its unit; a dash where unknown."""
    return UNKNOWN if figure is None else f"{round(figure):,} {unit}".rstrip()


@jinja2.pass_context
def _moment(context: jinja2.runtime.Context, text: str) -> str:
    return moment(text, context["time_zone"])


@jinja2.pass_context
def _day(context: jinja2.runtime.Context, text: str) -> str:
    return day(text, context["time_zone"])


FILTERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "moment": _moment,
        "day": _day,
        "money": money,
        "minutes": minutes,
        "duration": duration,
        "amount": amount,
    }
)
