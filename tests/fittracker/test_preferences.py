"""What people want to be told, and what may be seen of them; stories are in tests/handlers/test_users.py."""

from __future__ import annotations

import pytest

from fittracker.contexts import Contexts
from fittracker.errors import Invalid, NotFound
from fittracker.preferences import (
    ALWAYS,
    CHANNELS,
    NOTIFICATIONS,
    PRIVACY,
    VISIBILITIES,
    visibility,
    wants,
    words,
)
from handlers.users import Channels, Notifications, Privacy
from tests.fittracker.auth.conftest import Settle

NOBODY_SAID = {"preferences": {}}


def test_while_nothing_was_said_the_defaults_count() -> None:
    """Bookings by mail, no likes by mail, no figures of a heart by mail."""
    assert wants(NOBODY_SAID, "booking", "mail")
    assert not wants(NOBODY_SAID, "weekly_summary", "mail")
    assert not wants(NOBODY_SAID, "social", "mail")
    assert visibility(NOBODY_SAID, "profile") == "public"
    assert visibility(NOBODY_SAID, "presence") == "contacts"
    assert {visibility(NOBODY_SAID, field) for field in set(PRIVACY) - {"profile", "presence"}} == {"private"}


def test_what_was_said_counts_and_nothing_else_changes() -> None:
    """Cell by cell."""
    person = {"preferences": {"notifications": {"social": {"mail": True}}, "privacy": {"map": "public"}}}
    assert wants(person, "social", "mail")
    assert wants(person, "social", "push")
    assert not wants(person, "weekly_summary", "mail")
    assert (visibility(person, "map"), visibility(person, "weight")) == ("public", "private")


def test_security_is_told_whatever_is_stored() -> None:
    """Also if an older version, or somebody with access to the database, had stored otherwise."""
    person = {"preferences": {"notifications": {kind: dict.fromkeys(CHANNELS, False) for kind in ALWAYS}}}
    assert all(wants(person, kind, channel) for kind in ALWAYS for channel in CHANNELS)


def test_a_kind_or_channel_that_is_not_there_is_a_mistake_of_ours() -> None:
    """Nobody's mail should be withheld, or sent, because of a misspelt word."""
    for kind, channel in (("sociel", "mail"), ("social", "fax")):
        with pytest.raises(KeyError):
            wants(NOBODY_SAID, kind, channel)
    with pytest.raises(KeyError):
        visibility(NOBODY_SAID, "salary")


def test_the_tables_and_what_rest_takes_agree() -> None:
    """A kind that is added in one place only would never be heard of."""
    assert list(Notifications().fields) == list(NOTIFICATIONS)
    assert list(Privacy().fields) == list(PRIVACY)
    assert all(chosen in words(field) for field, chosen in PRIVACY.items())
    assert set(words("profile")) == set(VISIBILITIES)
    assert all(
        list(channels) == list(Channels().fields) == list(CHANNELS) for channels in NOTIFICATIONS.values()
    )


async def test_the_reader_of_a_mail_stops_one_kind_of_it(contexts: Contexts, settle: Settle) -> None:
    """Without signing in; again is the same, and it can be turned on again."""
    anna = (await settle())["_id"]
    for on in (False, False, True):
        person = await contexts.users.set_notification(anna, "weekly_summary", "mail", on)
        assert wants(person, "weekly_summary", "mail") is on
        assert wants(person, "receipt", "mail")


async def test_only_what_exists_and_may_be_stopped_is_stopped(contexts: Contexts, settle: Settle) -> None:
    """By name of what is wrong."""
    anna = (await settle())["_id"]
    for kind, channel in (("security", "mail"), ("pigeon", "mail"), ("social", "fax")):
        with pytest.raises(Invalid) as refusal:
            await contexts.users.set_notification(anna, kind, channel, False)
        assert refusal.value.fields.keys() == {f"notifications.{kind}.{channel}"}
    with pytest.raises(NotFound):
        await contexts.users.set_notification("f" * 24, "social", "mail", False)
