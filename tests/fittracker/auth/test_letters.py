"""Letters: no more than a few an hour where a stranger causes them, and what they tell."""

from __future__ import annotations

from typing import Any

import pytest

from fittracker.auth.letters import AN_HOUR
from fittracker.caller import SYSTEM, Caller
from fittracker.contexts import Contexts
from fittracker.mail import Mail
from fittracker.mongo import Session, transact
from tests.fittracker.auth.conftest import Settle


async def waiting(contexts: Contexts, template: str) -> int:
    """How many of these are in the outbox: nothing listens where they would be sent to."""
    return await contexts.database.mails.count_documents({"template": template})


async def test_five_an_hour_to_an_address_for_each_occasion(contexts: Contexts) -> None:
    """Other occasions and other addresses have their own five."""
    letters = contexts.accounts.letters
    for address in ("a@letters.example.org", "b@letters.example.org"):
        allowed = [await letters.may_write(address, "already_registered") for _ in range(AN_HOUR + 2)]
        assert allowed == [True] * AN_HOUR + [False] * 2
    assert await letters.may_write("a@letters.example.org", "account_locked")
    before = await waiting(contexts, "already_registered")
    for _ in range(AN_HOUR + 2):
        await letters.write_if_allowed("c@letters.example.org", "already_registered")
    assert await waiting(contexts, "already_registered") == before + AN_HOUR


async def test_a_letter_of_a_transaction_that_fails_is_never_written(
    contexts: Contexts, settle: Settle
) -> None:
    """What did not happen is not told."""
    person, letters = await settle(), contexts.accounts.letters

    async def work(session: Session) -> None:
        await letters.report(person, "password_changed", SYSTEM, session=session)
        raise LookupError("on second thoughts")

    before = await waiting(contexts, "password_changed")
    with pytest.raises(LookupError):
        await transact(contexts.database, work)
    assert await waiting(contexts, "password_changed") == before


async def test_a_report_says_with_which_device_and_from_where(
    contexts: Contexts, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known is called unknown, not left out."""
    person, written = await settle(), []
    really = Mail.queue

    async def listen(self: Mail, to: str, template: str, /, **values: Any) -> None:
        written.append(values)
        await really(self, to, template, **values)

    monkeypatch.setattr(Mail, "queue", listen)
    letters = contexts.accounts.letters
    await letters.report(person, "new_sign_in", Caller(person["_id"], "203.0.113.7", "r", "Phone 7"))
    await letters.report(person, "new_sign_in", SYSTEM)
    assert [(each["device"], each["address"]) for each in written] == [
        ("Phone 7", "203.0.113.7"),
        ("unknown", "unknown"),
    ]
