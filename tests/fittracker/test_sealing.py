"""What is sealed cannot be read, changed, or used for something else."""

from __future__ import annotations

import pytest

from fittracker.sealing import Seal, Unsealable

KEYS = (("k2", "second-secret-of-more-than-32-bytes!"), ("k1", "first-secret-of-more-than-32-bytes!!"))


def test_what_was_sealed_can_be_opened() -> None:
    """And never looks the same twice."""
    seal = Seal(KEYS, "mail")
    first, second = seal.close(b"a link"), seal.close(b"a link")
    assert seal.open(first) == seal.open(second) == b"a link"
    assert first["data"] != second["data"]
    assert b"a link" not in first["data"]  # type: ignore[operator]


def test_after_a_rotation_the_old_can_still_be_opened() -> None:
    """While the old key is there."""
    old = Seal(KEYS[1:], "mail").close(b"x")
    assert Seal(KEYS, "mail").open(old) == b"x"
    with pytest.raises(Unsealable):
        Seal(KEYS[:1], "mail").open(old)


def test_a_changed_one_is_not_opened() -> None:
    """Not one bit of it."""
    seal = Seal(KEYS, "mail")
    sealed = seal.close(b"a link")
    data = bytearray(sealed["data"])  # type: ignore[call-overload]
    for place in range(len(data)):
        data[place] ^= 1
        with pytest.raises(Unsealable):
            seal.open(sealed | {"data": bytes(data)})
        data[place] ^= 1


def test_what_is_sealed_for_one_purpose_is_no_use_for_another() -> None:
    """Each has keys of its own."""
    with pytest.raises(Unsealable):
        Seal(KEYS, "chat").open(Seal(KEYS, "mail").close(b"x"))
