from __future__ import annotations

import msgspec
import pytest

from fittracker.client.sample import Sample, number


def test_what_is_not_known_is_not_sent() -> None:
    """A strap without RR intervals costs no bytes for them."""
    assert msgspec.json.decode(msgspec.json.encode(number(Sample(5, 60), 1))) == {
        "seq": 1,
        "t": 5,
        "bpm": 60,
    }


@pytest.mark.parametrize(
    "sample",
    [
        Sample(0, -1),
        Sample(0, 301),
        Sample(0, 60, [0.0]),
        Sample(0, 60, [10_001.0]),
        Sample(0, 60, [float("nan")]),
        Sample(0, 60, [500.0] * 65),
    ],
)
def test_a_sample_that_no_server_takes_is_refused_at_once(sample: Sample) -> None:
    """It would take the others of its push down with it."""
    with pytest.raises(ValueError, match="must be"):
        number(sample, 1)
