"""Commands: a decorator tags a function, `ws/registry.py` gathers the tags when the server starts.

A command is `async def name(realtime, connection, data) -> result` (or a plain `def` where nothing has to be
waited for). What it returns is the result that the client gets; a `Failure` it raises is the error.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from fittracker.policy import Policy

TAG = "__fittracker_command__"
F = TypeVar("F", bound=Callable[..., Any])


class Nothing(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """No fields: the data of commands that need none, and the result of those that have nothing to say."""


NOTHING = Nothing()


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name on the wire, its shapes, and who may send it."""

    name: str
    run: Callable[..., Any]
    data: type
    result: type
    waits: bool
    """Whether `run` is a coroutine function."""
    policy: Policy
    own_limit: bool
    """Whether it counts by what it carries (the samples of hr.push) and not as one command."""

    @property
    def about(self) -> str:
        """The first paragraph of its docstring, for the generated tables."""
        text = inspect.getdoc(self.run) or ""
        return " ".join(text.split("\n\n")[0].split())


def command(
    name: str,
    data: type = Nothing,
    result: type = Nothing,
    *,
    policy: Policy,
    own_limit: bool = False,
) -> Callable[[F], F]:
    """Tag a function as the command `name`; it is in force once its module is given to a Registry.

    `policy` has no default: a command that does not say who may send it does not import.
    """

    def tag(run: F) -> F:
        waits = inspect.iscoroutinefunction(run)
        setattr(run, TAG, Command(name, run, data, result, waits, policy, own_limit))
        return run

    return tag
