"""One spelling for every address."""

from __future__ import annotations

import pytest

from fittracker.auth.emails import canonical
from fittracker.errors import Invalid


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("anna@example.org", "anna@example.org"),
        ("  Anna.Berg+fit@EXAMPLE.Org ", "anna.berg+fit@example.org"),
        ("ａｎｎａ@example.org", "anna@example.org"),
        ("ANNA@BÜCHER.example", "anna@xn--bcher-kva.example"),
        ("anna@XN--BCHER-KVA.example", "anna@xn--bcher-kva.example"),
        ("anna@example。org", "anna@example.org"),
        ("a!#$%&'*+/=?^_`{|}~-z@sub.example.co.uk", "a!#$%&'*+/=?^_`{|}~-z@sub.example.co.uk"),
    ],
)
def test_A11_all_spellings_of_an_address_are_one(written: str, kept: str) -> None:
    """Case, width, and the way a domain is written; and what is canonical stays so."""
    assert canonical(written) == kept
    assert canonical(kept) == kept


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "anna",
        "@example.org",
        "anna@",
        "anna@localhost",
        "anna@@example.org",
        "anna@exa mple.org",
        "anna berg@example.org",
        ".anna@example.org",
        "an..na@example.org",
        '"anna"@example.org',
        "anna@-example.org",
        "anna@example..org",
        "anna@example.org\r\nBcc: x@example.org",
        "anna@example.org,bob@example.org",
        "<anna@example.org>",
        "анна@example.org",
        "a" * 65 + "@example.org",
        "anna@" + "a" * 64 + ".org",
        "anna@" + "a.example." * 30 + "org",
        "anna@[127.0.0.1]",
    ],
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    """Naming the field."""
    with pytest.raises(Invalid) as caught:
        canonical(wrong)
    assert caught.value.fields == {"email": "is no e-mail address"}
