"""Device tokens; the stories are in tests/handlers/test_auth.py."""

from __future__ import annotations

import pytest

from fittracker.auth.device_tokens import MOST, fingerprint_of
from fittracker.contexts import Contexts
from fittracker.errors import Conflict, Invalid, Unauthenticated
from tests.fittracker.auth.conftest import Settle


async def test_only_the_hash_is_stored(contexts: Contexts, settle: Settle) -> None:
    """The token itself is in the answer and nowhere else."""
    person = await settle()
    made, token = await contexts.device_tokens.create(person["_id"], "Strap", ["telemetry:write"])
    stored = await contexts.database.device_tokens.find_one({"_id": made["_id"]})
    assert stored is not None
    assert token not in str(stored)
    assert stored["fingerprint"] == fingerprint_of(token)


async def test_a_person_has_fifty_and_no_more(contexts: Contexts, settle: Settle) -> None:
    """The next one is refused until one is ended."""
    person = await settle()
    made = [
        (await contexts.device_tokens.create(person["_id"], f"Strap {n}", ["telemetry:write"]))[0]
        for n in range(MOST)
    ]
    with pytest.raises(Conflict):
        await contexts.device_tokens.create(person["_id"], "One more", ["telemetry:write"])
    await contexts.device_tokens.end(person["_id"], made[0]["_id"])
    await contexts.device_tokens.create(person["_id"], "One more", ["telemetry:write"])


async def test_scopes_that_do_not_exist_are_refused(contexts: Contexts, settle: Settle) -> None:
    """Whoever calls."""
    person = await settle()
    for scopes in ([], ["admin"], ["telemetry:write", "chat:write"]):
        with pytest.raises(Invalid):
            await contexts.device_tokens.create(person["_id"], "Strap", scopes)


async def test_ending_all_ends_each(contexts: Contexts, other: Contexts, settle: Settle) -> None:
    """On this worker and on others, also where they had just been used."""
    person = await settle()
    tokens = [
        (await contexts.device_tokens.create(person["_id"], f"Strap {n}", ["telemetry:write"]))[1]
        for n in range(3)
    ]
    for token in tokens:
        assert (await contexts.authenticator.authenticate(token)).user == person["_id"]
    await contexts.device_tokens.end_all(person["_id"])
    for worker in (contexts, other):
        for token in tokens:
            with pytest.raises(Unauthenticated):
                await worker.authenticator.authenticate(token)


@pytest.mark.parametrize("text", ["", "ftd_", "ftd_" + "x" * 42, "ftd_" + "x" * 44, "ftr_" + "x" * 43])
def test_what_has_not_the_form_has_no_fingerprint(text: str) -> None:
    """And is not looked up."""
    assert fingerprint_of(text) is None
