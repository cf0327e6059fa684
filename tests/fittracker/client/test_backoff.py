from __future__ import annotations

from random import Random

import pytest

from fittracker.client.backoff import Backoff, Verdict, verdict


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 4000, 4008, 4011, 4499])
def test_most_endings_invite_the_client_back(code: int) -> None:
    """1012 is a restart, 4008 a slow reader, 1006 a cable that was pulled."""
    assert verdict(code) is Verdict.COME_BACK


@pytest.mark.parametrize("code", [4500, 4501, 4503, 4529, 4999])
def test_from_4500_on_the_client_stays_away(code: int) -> None:
    """Bad frames, not authenticated, banned, flood."""
    assert verdict(code) is Verdict.STAY_AWAY


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1009])
def test_what_the_client_did_wrong_is_not_done_again(code: int) -> None:
    """A frame that is too big today is too big tomorrow."""
    assert verdict(code) is Verdict.STAY_AWAY


@pytest.mark.parametrize("code", [4009, 4010, 401])
def test_an_ended_token_means_to_sign_in_first(code: int) -> None:
    """Also where the upgrade itself was answered 401."""
    assert verdict(code) is Verdict.SIGN_IN_FIRST


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, Verdict.STAY_AWAY),
        (404, Verdict.STAY_AWAY),
        (429, Verdict.COME_BACK),
        (503, Verdict.COME_BACK),
    ],
)
def test_a_refused_upgrade_is_judged_by_its_status(status: int, expected: Verdict) -> None:
    """Below 1000 the code is an HTTP status."""
    assert verdict(status) is expected


def test_the_ceiling_doubles_up_to_its_limit() -> None:
    """The random share is all of it: full jitter."""

    class Highest(Random):
        def uniform(self, a: float, b: float) -> float:
            assert a == 0
            return b

    backoff = Backoff(first_s=0.5, most_s=3.0, random=Highest())
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_waits_spread_over_the_whole_range() -> None:
    """A thousand clients of a server that went down must not come back in one moment."""
    waits = sorted(Backoff(first_s=8.0, most_s=8.0, random=Random(seed)).next_s() for seed in range(1000))
    assert waits[0] < 0.1
    assert waits[-1] > 7.9
    assert 3.5 < sum(waits) / 1000 < 4.5


def test_only_a_connection_that_lasted_starts_over() -> None:
    """One that breaks at once, again and again, must not be tried at full speed."""
    backoff = Backoff(stable_s=10)
    for _ in range(4):
        backoff.next_s()
    backoff.lasted(2)
    assert backoff.attempt == 4
    backoff.lasted(11)
    assert backoff.attempt == 0


def test_a_client_that_tries_for_days_does_not_overflow() -> None:
    """2 to the power of attempts leaves the floats after a thousand."""
    backoff = Backoff(first_s=1, most_s=30, attempt=5_000)
    assert 0 <= backoff.next_s() <= 30
