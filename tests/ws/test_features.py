"""Every command of the protocol is there, and says who may send it."""

from __future__ import annotations

import msgspec

from fittracker.policy import ADMIN, ANYBODY, SIGNED_IN, TRAINER
from ws.features import registry
from ws.heart import BY_DEVICE

PROTOCOL = {
    *("auth", "ping"),
    *("room.join", "room.leave", "room.members"),
    *("hr.open", "hr.push", "hr.close", "hr.watch", "hr.unwatch"),
    *("form.open", "form.push", "form.close"),
}


def test_the_commands_are_those_of_the_protocol() -> None:
    """Names on the wire are a contract: one that disappears breaks somebody's app."""
    assert set(registry().commands) >= PROTOCOL


def test_C2_nobody_who_has_not_signed_in_can_do_more_than_sign_in() -> None:
    """And look whether the server is there."""
    anonymous = {name for name, command in registry().commands.items() if command.policy.anonymous}
    assert anonymous == {"auth", "ping"}


def test_a_wearable_can_do_what_its_scope_says_and_no_more() -> None:
    """Its token lies about in a drawer for years."""
    commands = registry().commands.items()
    scoped = {name: each.policy.scope for name, each in commands if each.policy.scope}
    assert scoped == dict.fromkeys(("hr.open", "hr.push", "hr.close"), "telemetry:write")


def test_C2_only_known_policies_are_used() -> None:
    """A new kind of door has to be thought about here as well."""
    assert {each.policy for each in registry().commands.values()} <= {
        ANYBODY,
        SIGNED_IN,
        TRAINER,
        ADMIN,
        BY_DEVICE,
    }


def test_only_pushes_have_a_limit_of_their_own() -> None:
    """Everything else counts as one command."""
    own = {name for name, command in registry().commands.items() if command.own_limit}
    assert own == {"hr.push", "form.push", "chat.typing"}


def test_every_command_says_what_it_is_about() -> None:
    """The tables in the docs are made of it."""
    for name, command in registry().commands.items():
        assert len(command.about) > 10, name
        assert command.about.endswith("."), name


def test_every_shape_refuses_what_it_does_not_know() -> None:
    """A misspelt field must not pass for one that was left out."""
    for name, command in registry().commands.items():
        shape: type[msgspec.Struct] = command.data
        assert shape.__struct_config__.forbid_unknown_fields, name
