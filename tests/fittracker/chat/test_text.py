"""What is a text, and what is an emoji; the stories are in tests/ws/test_chat.py."""

from __future__ import annotations

import emoji
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittracker.chat.emojis import LONGEST as LONGEST_EMOJI
from fittracker.chat.emojis import one_emoji
from fittracker.chat.text import LONGEST, checked
from fittracker.errors import Invalid


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=50))
def test_whatever_unicode_shows_something_stays_as_it_is(text: str) -> None:
    """Nothing is trimmed, normalized or turned around."""
    assert checked(f"x{text}") == f"x{text}"


@given(st.text(st.characters(categories=("Cc", "Cs"), exclude_characters="\n\t"), min_size=1, max_size=5))
def test_controls_and_halves_of_characters_are_refused(text: str) -> None:
    """Wherever they stand."""
    for each in (text, f"before {text}", f"{text} after"):
        with pytest.raises(Invalid):
            checked(each)


@given(st.text(st.characters(categories=("Zs", "Zl", "Zp", "Cf"), include_characters="\n\t"), max_size=9))
def test_what_shows_nothing_is_no_text(text: str) -> None:
    """Spaces, breaks and marks of direction alone."""
    with pytest.raises(Invalid) as refusal:
        checked(text)
    assert set(refusal.value.fields) == {"text"}


def test_a_text_has_so_many_characters_and_line_feeds() -> None:
    """Counted after the line ends have become one kind."""
    assert checked("a\r\nb\tc") == "a\nb\tc"
    assert checked("a\r\n" * 1_300 + "b") == "a\n" * 1_300 + "b"
    assert checked("🏃" * LONGEST)
    with pytest.raises(Invalid):
        checked("🏃" * (LONGEST + 1))


def test_every_recommended_emoji_is_one_in_every_spelling() -> None:
    """With and without its variation selectors; a tone alone is none."""
    whole = emoji.STATUS["fully_qualified"]
    components = [each for each, about in emoji.EMOJI_DATA.items() if about["status"] < whole]
    count = 0
    for each, about in emoji.EMOJI_DATA.items():
        if about["status"] >= whole:
            assert len(each) <= LONGEST_EMOJI
            assert emoji.EMOJI_DATA[one_emoji(each)]["status"] == whole
            assert one_emoji(each).replace("\ufe0f", "") == each.replace("\ufe0f", "")
            count += 1
    assert count > 4_000
    for each in components:
        with pytest.raises(Invalid):
            one_emoji(each)
