"""How mails write moments, money and figures."""

from __future__ import annotations

import pytest

from fittracker.wording import amount, because, day, duration, minutes, moment, money


@pytest.mark.parametrize(
    ("text", "zone", "shown"),
    [
        ("2026-11-24T09:00:00.000Z", "UTC", "Tuesday 24 November 2026, 09:00 UTC"),
        ("2026-11-24T09:00:00.000Z", "Europe/Berlin", "Tuesday 24 November 2026, 10:00 CET (Europe/Berlin)"),
        ("2026-07-01T09:00:00Z", "Europe/Berlin", "Wednesday 1 July 2026, 11:00 CEST (Europe/Berlin)"),
        (
            "2026-11-24T20:30:00Z",
            "Asia/Kathmandu",
            "Wednesday 25 November 2026, 02:15 UTC+0545 (Asia/Kathmandu)",
        ),
        # The same hour twice, when summer time ends: the short name tells them apart.
        ("2026-10-25T00:30:00Z", "Europe/Berlin", "Sunday 25 October 2026, 02:30 CEST (Europe/Berlin)"),
        ("2026-10-25T01:30:00Z", "Europe/Berlin", "Sunday 25 October 2026, 02:30 CET (Europe/Berlin)"),
    ],
)
def test_a_moment_is_that_of_the_zone_and_names_it(text: str, zone: str, shown: str) -> None:
    """By its clock, on its day."""
    assert moment(text, zone) == shown


def test_a_day_is_one_everywhere_and_a_moment_has_the_day_of_the_zone() -> None:
    """A Monday does not become a Sunday in America."""
    assert day("2026-11-16", "America/New_York") == "16 November 2026"
    assert day("2026-11-16T02:00:00Z", "America/New_York") == "15 November 2026"


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (4_900, "EUR", "EUR 49.00"),
        (5, "usd", "USD 0.05"),
        (0, "EUR", "EUR 0.00"),
        (123_456_789, "EUR", "EUR 1,234,567.89"),
        (1_500, "JPY", "JPY 1,500"),
        (1_500, "KWD", "KWD 1.500"),
        (-4_905, "EUR", "−EUR 49.05"),
    ],
)
def test_money_has_the_digits_of_its_currency(minor: int, currency: str, shown: str) -> None:
    """ISO 4217; no yen has a hundredth."""
    assert money(minor, currency) == shown


def test_figures_are_rounded_and_what_is_unknown_is_a_dash() -> None:
    """Nobody reads seconds in a summary."""
    assert [duration(each) for each in (None, 0, 59 * 60 + 40, 3_900)] == [
        "–",
        "0 min",
        "1 h 00 min",
        "1 h 05 min",
    ]
    assert [amount(None, "kcal"), amount(2_345.4, "kcal"), amount(4)] == ["–", "2,345 kcal", "4"]
    assert [minutes(1), minutes(60)] == ["1 minute", "60 minutes"]


def test_a_kind_without_a_sentence_of_its_own_is_named() -> None:
    """A new kind reads well enough at once."""
    assert because("new_kind") == "mails about new kind are on in your settings"
