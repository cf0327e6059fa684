"""A device that was not seen before is told to its owner; one that only got an update is not."""

from __future__ import annotations

import asyncio

import pytest

from fittracker.auth.known_devices import MOST, KnownDevices
from fittracker.auth.letters import Letters
from fittracker.caller import Caller
from fittracker.contexts import Contexts
from tests.fittracker.auth.conftest import Settle


@pytest.fixture
def devices(contexts: Contexts) -> KnownDevices:
    """On the database of the contexts."""
    letters = Letters(contexts.mail, contexts.limits, contexts.clock)
    return KnownDevices(contexts.database, letters, contexts.clock)


def using(device: str, address: str = "203.0.113.7") -> Caller:
    """Somebody with this device, from there."""
    return Caller(None, address, "request", device)


async def test_the_first_device_is_how_everybody_begins(devices: KnownDevices, settle: Settle) -> None:
    """The second one is new, and only once."""
    person = await settle()
    seen = [await devices.seen(person, using(device)) for device in ("Phone", "Phone", "Tablet", "Tablet")]
    assert seen == [False, False, True, False]


async def test_an_update_makes_no_new_device_but_another_network_does(
    devices: KnownDevices, settle: Settle
) -> None:
    """Versions change every month, addresses within a network every day."""
    person = await settle()
    old, new = "App/1.4.2 (Phone; OS 17_1)", "App/2.0 (Phone; OS 18_0.1)"
    assert not await devices.seen(person, using(old))
    assert not await devices.seen(person, using(new, "203.0.113.200"))
    assert await devices.seen(person, using(new, "198.51.100.1"))
    assert await devices.seen(person, using(new, "2001:db8:1::1"))
    assert not await devices.seen(person, using(new, "2001:db8:1:7::9"))
    assert await devices.seen(person, using(new, "2001:db8:2::1"))
    assert await devices.seen(person, using(new, ""))


async def test_those_seen_last_are_remembered(
    devices: KnownDevices, contexts: Contexts, settle: Settle
) -> None:
    """Fifty; the one that was seen in between stays. Names are not kept, only hashes."""
    person = await settle()
    await devices.seen(person, using("first"))
    for n in range(MOST):
        await devices.seen(person, using("x" * (n + 1)))
        await devices.seen(person, using("first"))
    stored = await contexts.database.users.find_one({"_id": person["_id"]})
    assert stored is not None
    assert len(stored["devices"]) == MOST
    assert "first" not in str(stored["devices"])
    assert not await devices.seen(person, using("first"))
    assert await devices.seen(person, using("x"))


async def test_twenty_sign_ins_at_once_tell_of_a_new_device_once(
    devices: KnownDevices, settle: Settle
) -> None:
    """Of the same device."""
    person = await settle()
    await devices.seen(person, using("Phone"))
    told = await asyncio.gather(*(devices.seen(person, using("Tablet")) for _ in range(20)))
    assert told.count(True) == 1
