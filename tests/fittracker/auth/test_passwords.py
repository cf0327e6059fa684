"""Passwords: kept so that nobody can read them, checked in the same time for everybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from fittracker.auth.passwords import Passwords
from fittracker.errors import Invalid, Unavailable
from tests.fittracker.auth.effort import Effort

PEPPER = "pepper-of-more-than-thirty-two-bytes!"


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    async with Passwords.open(pepper=PEPPER, cost=4, threads=2) as opened:
        yield opened


async def test_the_right_password_is_right_and_others_are_not(passwords: Passwords) -> None:
    """By the letter, upper and lower case."""
    stored = await passwords.hash("otters swim upstream")
    assert (await passwords.matches("otters swim upstream", stored)).right
    for wrong in ("otters swim upstrea", "Otters swim upstream", "otters swim upstream ", ""):
        assert not (await passwords.matches(wrong, stored)).right


async def test_A3_what_is_stored_is_bcrypt_with_a_salt_of_its_own(passwords: Passwords) -> None:
    """Two of one password differ."""
    first, second = [await passwords.hash("otters swim upstream") for _ in range(2)]
    assert first.startswith("$2b$04$")
    assert first != second


async def test_without_the_pepper_a_hash_is_worth_nothing(passwords: Passwords) -> None:
    """Whoever steals the database alone cannot even try."""
    stored = await passwords.hash("otters swim upstream")
    async with Passwords.open(pepper="another" * 8, cost=4, threads=1) as others:
        assert not (await others.matches("otters swim upstream", stored)).right


async def test_A2_long_passphrases_count_to_their_end(passwords: Passwords) -> None:
    """Two that share their first 72 bytes are not interchangeable, 64 and 128 characters work."""
    shared = "many words make a good pass phrase and this one goes on for quite a while "
    assert len(shared.encode()) > 72
    stored = await passwords.hash(shared + "to its end")
    assert (await passwords.matches(shared + "to its end", stored)).right
    assert not (await passwords.matches(shared + "to another", stored)).right
    for length in (64, 128):
        assert (await passwords.matches("ä" * length, await passwords.hash("ä" * length))).right


async def test_the_same_keys_are_the_same_password_on_every_keyboard(passwords: Passwords) -> None:
    """One system composes an umlaut out of two characters, another has one for it."""
    stored = await passwords.hash("schwimmende fischo\u0308tter")
    assert (await passwords.matches("schwimmende fisch\u00f6tter", stored)).right


async def test_A3_a_hash_of_lower_cost_is_outdated(passwords: Passwords) -> None:
    """It is still right, and whoever signs in gets a new one."""
    stored = await passwords.hash("otters swim upstream")
    async with Passwords.open(pepper=PEPPER, cost=6, threads=1) as later:
        verdict = await later.matches("otters swim upstream", stored)
        assert (verdict.right, verdict.outdated) == (True, True)
        renewed = await later.hash("otters swim upstream")
        assert renewed.startswith("$2b$06$")
        assert not (await later.matches("otters swim upstream", renewed)).outdated


async def test_A4_nobody_takes_as_long_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the hash is of an older, cheaper cost: what that saves is spent all the same."""
    async with Passwords.open(pepper=PEPPER, cost=4, threads=1) as cheap:
        old = await cheap.hash("otters swim upstream")
    async with Passwords.open(pepper=PEPPER, cost=9, threads=1) as now:
        current = await now.hash("otters swim upstream")
        efforts = await Effort(monkeypatch).of(
            {
                "nobody": lambda: now.matches("wrong", None),
                "old": lambda: now.matches("wrong", old),
                "current": lambda: now.matches("wrong", current),
            }
        )
    assert efforts == dict.fromkeys(efforts, 2**9)


@pytest.mark.parametrize(
    "weak",
    ["", "short", "123456789", "1234567890", "password123", "qwertyuiop", "aaaaaaaaaaaa", "x" * 129],
)
async def test_A1_weak_passwords_are_refused(passwords: Passwords, weak: str) -> None:
    """Too short, too long, or what everybody tries first."""
    with pytest.raises(Invalid) as caught:
        await passwords.check_strength(weak, [])
    assert caught.value.fields.keys() == {"password"}


async def test_A1_what_is_known_of_a_person_makes_a_password_weak(passwords: Passwords) -> None:
    """Their name, their address, and the name of the product."""
    about = ["annabelle.berg@example.org", "Annabelle Bergstroem"]
    for weak in ("annabelle.berg@example.org", "bergstroem1", "Annabelle-Bergstroem", "fittracker pro"):
        with pytest.raises(Invalid):
            await passwords.check_strength(weak, about)


@pytest.mark.parametrize(
    "good",
    [
        "otters-swim-upstream-77",
        "correct horse battery staple",
        "zehn ganz zufällige Wörter",
        "в чащах юга жил бы цитрус",
        "水のように流れるカワウソ",
        "🦦🏊🌊🪨🐟🌲🏔️🛶🌙⭐",
        "x9$Kq2!vLm0z",
    ],
)
async def test_A1_good_ones_of_any_script_are_taken(passwords: Passwords, good: str) -> None:
    """No rules about classes of characters."""
    await passwords.check_strength(good, ["anna@example.org", "Anna"])


async def test_what_one_person_is_called_does_not_weaken_anothers_password(passwords: Passwords) -> None:
    """The estimator keeps the words it was given in a dictionary of the module: one at a time may use it."""
    name = "Quibbleworth Zanzibarovic"
    checks = [passwords.check_strength("quibbleworth zanzibarovic", [each]) for each in [name, ""] * 10]
    results = await asyncio.gather(*checks, return_exceptions=True)
    assert [isinstance(each, Invalid) for each in results] == [True, False] * 10


async def test_hashing_leaves_the_loop_free() -> None:
    """Twenty at once in two threads; the loop turns all the while."""
    longest = 0.0
    async with Passwords.open(pepper=PEPPER, cost=9, threads=2) as slow:
        work = asyncio.gather(*(slow.hash("otters swim upstream") for _ in range(20)))
        while not work.done():
            began = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - began)
        await work
    assert longest < 0.2


async def test_no_more_wait_than_can_be_served(passwords: Passwords) -> None:
    """The next one is told to come back; nobody waits for minutes."""
    results = await asyncio.gather(
        *(passwords.hash("otters swim upstream") for _ in range(200)), return_exceptions=True
    )
    refused = [each for each in results if isinstance(each, Unavailable)]
    assert len(refused) == 200 - 64
    assert refused[0].retry_after_ms is not None
    assert (await passwords.hash("otters swim upstream")).startswith("$2b$")
