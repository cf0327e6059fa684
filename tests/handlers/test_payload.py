"""JSON bodies, read strictly; over HTTP they are tried in test_middlewares.py."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittracker.errors import BadRequest
from handlers.payload import DEEPEST, parse

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_others_write_is_read(value: Any) -> None:
    """Any JSON of ordinary depth."""
    assert parse(json.dumps(value).encode()) == value


@given(st.binary())
def test_garbage_is_refused_and_nothing_else_happens(raw: bytes) -> None:
    """BadRequest, or a value."""
    try:
        parse(raw)
    except BadRequest:
        return


def test_depth_has_an_end() -> None:
    """As deep as anybody needs, and no deeper."""
    assert parse(b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1)) is not None
    with pytest.raises(BadRequest):
        parse(b"[" * DEEPEST + b"1" + b"]" * DEEPEST)


@pytest.mark.parametrize(
    "raw",
    [b"[" * 500_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000, b'"' + b"\\u0000" * 100_000 + b'"'],
    ids=["open lists", "open objects", "deep lists", "many NULs"],
)
def test_D2_attacks_are_over_soon(raw: bytes) -> None:
    """Within 100 ms on an idle machine: the processor's time is told, and must not be beyond all measure."""
    began = time.process_time()
    with pytest.raises(BadRequest):
        parse(raw)
    took_ms = (time.process_time() - began) * 1_000
    print(f"{took_ms:.1f} ms")
    assert took_ms < 1_000


def test_the_text_backslash_u0000_is_a_text() -> None:
    """Escaped, it is six characters like any others."""
    assert parse(rb'"\\u0000"') == "\\u0000"
