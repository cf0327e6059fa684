"""The registry: tags in, commands out; a mistake stops the start."""

from __future__ import annotations

from types import ModuleType

import msgspec
import pytest

from fittracker.policy import SIGNED_IN
from ws.commands import Nothing, command
from ws.frames import Encoding, decoders
from ws.registry import Registry


class Greeting(msgspec.Struct, forbid_unknown_fields=True):
    """A name."""

    name: str


def a_module(name: str, *functions: object) -> ModuleType:
    """A module with these functions in it."""
    module = ModuleType(name)
    for number, function in enumerate(functions):
        function.__module__ = name  # type: ignore[attr-defined]
        setattr(module, f"f{number}", function)
    return module


def a_command(name: str, data: type = Nothing) -> object:
    """A tagged function."""

    @command(name, data, policy=SIGNED_IN)
    def run(_realtime: object, _connection: object, _data: object) -> Nothing:
        """Say hello.

        Only the first paragraph goes into the tables.
        """
        return Nothing()

    return run


def test_tagged_functions_become_commands_that_frames_are_read_into() -> None:
    """`type` tells them apart, in both encodings."""
    registry = Registry([a_module("m", a_command("say.hello", Greeting), a_command("say.bye"))])
    decode = decoders(registry.union)
    sent = {"id": 4, "type": "say.hello", "data": {"name": "Ada"}}
    for encoding in Encoding:
        frame = decode[encoding](encoding.encode(sent))
        assert (frame.id, frame.data.name, frame.command.name) == (4, "Ada", "say.hello")
    assert registry.commands["say.hello"].about == "Say hello."


def test_data_may_be_left_out_only_where_there_is_none() -> None:
    """And `id` is optional: without it there is no reply."""
    registry = Registry([a_module("m", a_command("say.hello", Greeting), a_command("say.bye"))])
    decode = decoders(registry.union)[Encoding.JSON]
    assert decode(b'{"type":"say.bye"}').id is None
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"type":"say.hello"}')


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"say.nothing","data":{}}',
        b'{"type":"say.bye","data":{},"extra":1}',
        b'{"type":"say.hello","data":{"name":"Ada","role":"admin"}}',
        b'{"type":"say.bye","id":0}',
        b'{"type":"say.bye","id":1.5}',
        b'{"id":1}',
        b"[]",
    ],
)
def test_unknown_types_fields_and_ids_are_refused(payload: bytes) -> None:
    """An error, never a guess."""
    registry = Registry([a_module("m", a_command("say.hello", Greeting), a_command("say.bye"))])
    with pytest.raises(msgspec.ValidationError):
        decoders(registry.union)[Encoding.JSON](payload)


def test_a_name_that_is_tagged_twice_stops_the_start() -> None:
    """Whichever module came last must not win in silence."""
    with pytest.raises(ValueError, match=r"say\.hello is defined twice"):
        Registry([a_module("m", a_command("say.hello")), a_module("n", a_command("say.hello"))])


def test_a_command_that_a_module_only_imports_counts_once() -> None:
    """It belongs to the module that defines it."""
    function = a_command("say.hello")
    home = a_module("home", function)
    guest = ModuleType("guest")
    guest.f = function  # type: ignore[attr-defined]
    assert list(Registry([home, guest]).commands) == ["say.hello"]


def test_C2_a_command_that_does_not_say_who_may_send_it_does_not_import() -> None:
    """Nothing is allowed by having been forgotten."""
    with pytest.raises(TypeError, match="policy"):
        command("say.hello", Greeting)  # type: ignore[call-arg]
