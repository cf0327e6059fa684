"""Mailed links; the stories are in tests/handlers. Here: their form, what is kept, and how they are found."""

from __future__ import annotations

import pytest

from fittracker.auth.letters import Letters
from fittracker.auth.mailed_links import MINUTES, NEW_EMAIL, RESET, VERIFY, Kind, MailedLinks
from fittracker.contexts import Contexts
from fittracker.errors import Invalid
from fittracker.ids import fingerprint
from tests.fittracker.auth.conftest import Settle
from tests.moving_clock import MovingClock

every_kind = pytest.mark.parametrize("kind", [VERIFY, RESET, NEW_EMAIL], ids=lambda kind: kind.field)


@pytest.fixture
def links(contexts: Contexts) -> MailedLinks:
    """With a real outbox."""
    letters = Letters(contexts.mail, contexts.limits, contexts.clock)
    return MailedLinks(letters, contexts.clock, origin="https://fit.example.org")


@every_kind
async def test_A6_only_the_hash_of_256_random_bits_is_kept_for_an_hour(
    links: MailedLinks, clock: MovingClock, kind: Kind
) -> None:
    """Two are never the same."""
    token, kept = links.make(kind)
    assert len(token.removeprefix(kind.prefix)) == 43
    assert token != links.make(kind)[0]
    assert token not in str(kept)
    assert kept["fingerprint"] == fingerprint(token)
    assert (kept["expires_at"] - clock.utc()).total_seconds() == pytest.approx(MINUTES * 60, abs=5)


@every_kind
async def test_a_link_finds_its_account_without_looking_at_all_others(
    links: MailedLinks, contexts: Contexts, settle: Settle, kind: Kind
) -> None:
    """By an index; and no account by the token of another kind."""
    token, kept = links.make(kind)
    person = await settle(**{kind.field: kept})
    query = links.query(kind, token)
    users = contexts.database.users
    found = await users.find_one(query)
    assert found is not None
    assert found["_id"] == person["_id"]
    plan = await users.find(query).explain()
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])
    for other in {VERIFY, RESET, NEW_EMAIL} - {kind}:
        with pytest.raises(Invalid):
            links.query(other, token)


@pytest.mark.parametrize(
    "text", ["", "ftp_", "ftp_" + "x" * 42, "ftp_" + "x" * 44, "x" * 47, "ftp_" + "é" * 43]
)
async def test_what_has_not_the_form_is_not_looked_up(links: MailedLinks, text: str) -> None:
    """The answer is that of every link that is no good."""
    with pytest.raises(Invalid, match="not valid"):
        links.query(RESET, text)
