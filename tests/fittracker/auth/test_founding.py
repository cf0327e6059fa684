from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from fittracker.auth.founding import Founding
from fittracker.auth.passwords import Passwords
from fittracker.caller import SYSTEM
from fittracker.contexts import Contexts
from fittracker.errors import Conflict, Invalid, Unauthenticated

PASSWORD = "violet harbour 7 lantern"


@pytest.fixture(scope="module")
async def founding(settings: Settings, contexts: Contexts) -> AsyncIterator[Founding]:
    """On the same database as the contexts."""
    async with Passwords.open(pepper=settings.password_pepper, cost=4, threads=1) as passwords:
        yield Founding(contexts.database, passwords, contexts.audit, contexts.clock)


async def login(contexts: Contexts, email: str, password: str) -> str:
    _, person = await contexts.accounts.sign_in.login(email, password, SYSTEM)
    return str(person["_id"])


async def test_somebody_who_is_made_can_sign_in_at_once(founding: Founding, contexts: Contexts) -> None:
    """No link has to be mailed; the address is canonical, as after registering."""
    user = await founding.found("Anna@Founding.example.org", PASSWORD, "Anna", "admin", {"sex": "female"})
    assert await login(contexts, "anna@founding.example.org", PASSWORD) == user
    person = await contexts.users.get(user)
    assert (person["role"], person["sex"], person["email"]) == (
        "admin",
        "female",
        "anna@founding.example.org",
    )


async def test_an_address_has_one_account(founding: Founding) -> None:
    """Another spelling of the same is the same."""
    await founding.found("ben@founding.example.org", PASSWORD, "Ben", "user")
    with pytest.raises(Conflict):
        await founding.found("BEN@founding.example.org", PASSWORD, "Ben", "admin")


@pytest.mark.parametrize(
    ("email", "password", "profile"),
    [
        ("nobody", PASSWORD, {}),
        ("carl@founding.example.org", "password123", {}),
        ("carl@founding.example.org", PASSWORD, {"birth_date": "1850-01-01"}),
    ],
)
async def test_the_rules_are_those_of_everybody(
    founding: Founding, contexts: Contexts, email: str, password: str, profile: dict[str, str]
) -> None:
    """Address, password and profile; nothing is stored."""
    with pytest.raises(Invalid):
        await founding.found(email, password, "Carl", "user", profile)
    assert await contexts.database.users.find_one({"name": "Carl"}) is None


async def test_a_replaced_password_is_the_only_one(founding: Founding, contexts: Contexts) -> None:
    """For the people of a developer's machine whose notes were lost."""
    user = await founding.found("dora@founding.example.org", PASSWORD, "Dora", "user")
    await founding.replace_password(user, "another harbour 8 lantern")
    assert await login(contexts, "dora@founding.example.org", "another harbour 8 lantern") == user
    with pytest.raises(Unauthenticated):
        await login(contexts, "dora@founding.example.org", PASSWORD)


async def test_a_crowd_is_verified_but_has_no_passwords(founding: Founding, contexts: Contexts) -> None:
    """Its tokens are made for it; nobody signs in to it."""
    crowd = await founding.found_crowd(3, "trainer", {"sex": "male"})
    assert len({each["email"] for each in crowd}) == 3
    for each in crowd:
        stored = await contexts.database.users.find_one({"_id": each["_id"]})
        assert stored is not None
        assert (stored["role"], stored["password"]) == ("trainer", None)
        assert stored["verified_at"] is not None
    with pytest.raises(Unauthenticated):
        await login(contexts, crowd[0]["email"], "")
    assert await founding.found_crowd(0, "user", {}) == []


async def test_who_is_made_at_the_command_line_is_audited(founding: Founding, contexts: Contexts) -> None:
    """By nobody who is signed in: the request says where it came from."""
    user = await founding.found("emil@founding.example.org", PASSWORD, "Emil", "admin")
    await founding.replace_password(user, "another harbour 8 lantern")
    entries = await contexts.database.audit.find({"target": user}, sort=[("_id", 1)]).to_list()
    assert [(each["event"], each["request"], each["actor"]) for each in entries[:2]] == [
        ("account.registered", "command line", None),
        ("password.changed", "command line", None),
    ]
    assert entries[0]["detail"] == {"role": "admin"}
