"""How a name is found; the stories are in tests/handlers/test_people.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fittracker.search_words import HIGHEST, MOST_WORDS, beginning_with, folded, search_field


def found(name: str, query: str) -> bool:
    """What MongoDB would say."""
    words = search_field(name)["words"]
    ranges = [each["search.words"]["$elemMatch"] for each in beginning_with(query)]
    return bool(ranges) and all(any(r["$gte"] <= word < r["$lt"] for word in words) for r in ranges)


def test_each_word_is_found_from_its_beginning_whatever_the_case() -> None:
    """Also the parts of a word that a hyphen or an apostrophe joins."""
    name = "Anna-Lena  O'Brien Müller"
    for query in ("anna", "ANNA-L", "lena", "o'b", "brien", "MÜLL", "mül an", "Anna-Lena O'Brien Müller"):
        assert found(name, query), query
    for query in ("nna", "ena", "rien", "anna x", "mull", "a n x", "annalena"):
        assert not found(name, query), query


def test_forms_of_one_letter_are_one_letter() -> None:
    """Full width, ligatures, composed or not, and letters that two others stand for."""
    for name, query in (("Ａｎｎａ", "anna"), ("Cafe\u0301", "café"), ("Straße", "STRASSE"), ("ﬁona", "Fi")):
        assert found(name, query), name
    assert found("नीति", "नी")
    assert found("李小龍", "李")


def test_D3_signs_mean_themselves() -> None:
    """No pattern, no operator."""
    for query in (".*", "^a", "a|b", "$ne", "[a-z]", "(?i)anna", "anna$", "%", "_", "\\w", "*"):
        assert not found("Anna Berg", query), query
    assert found("Anna (.*) $ne", "(.* $N")


def test_no_query_makes_many_conditions_and_an_empty_one_none() -> None:
    """Nobody makes MongoDB look five hundred times."""
    assert len(beginning_with("a " * 40)) == MOST_WORDS
    assert beginning_with("   ") == []


@given(
    st.text(min_size=1, max_size=80).filter(lambda text: HIGHEST not in text and bool(folded(text).split()))
)
def test_everybody_is_found_by_their_own_name(name: str) -> None:
    """Whatever its letters, and by its first one."""
    assert found(name, name)
    assert found(name, folded(name).split()[0][0])
