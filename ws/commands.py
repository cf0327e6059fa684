"""The command registry: a decorator tags a function, `Registry` gathers the tags when the server starts.

A command is `async def name(realtime, connection, data) -> result` (or a plain `def` where nothing has to be
waited for). What it returns is the result that the client gets; a `Failure` it raises is the error.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, TypeVar

import msgspec

from fittracker.policy import Policy
from ws.frames import HIGHEST_ID

TAG = "__fittracker_command__"
F = TypeVar("F", bound=Callable[..., Any])
CommandId = Annotated[int, msgspec.Meta(ge=1, le=HIGHEST_ID)]


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


class Registry:
    """All commands of the given modules. A name that is tagged twice stops the start."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self.commands: dict[str, Command] = {}
        for module in modules:
            for function in vars(module).values():
                found = getattr(function, TAG, None)
                if isinstance(found, Command) and function.__module__ == module.__name__:
                    self._add(found)
        self.frames = {each.name: _frame(each) for each in self.commands.values()}

    def _add(self, found: Command) -> None:
        other = self.commands.get(found.name)
        if other is not None:
            places = (
                f"{other.run.__module__}.{other.run.__name__}, {found.run.__module__}.{found.run.__name__}"
            )
            raise ValueError(f"the command {found.name} is defined twice: {places}")
        self.commands[found.name] = found

    @property
    def union(self) -> Any:
        """The type of every frame a client may send, told apart by `type`."""
        union: Any = None
        for frame in self.frames.values():
            union = frame if union is None else union | frame
        return union


def _frame(found: Command) -> type[msgspec.Struct]:
    """The frame of one command. `data` may be left out only where it has no field."""
    data: Any = ("data", found.data, NOTHING) if found.data is Nothing else ("data", found.data)
    frame = msgspec.defstruct(
        f"Frame_{found.name.replace('.', '_')}",
        [data, ("id", CommandId | None, None)],
        tag=found.name,
        tag_field="type",
        forbid_unknown_fields=True,
        kw_only=True,
    )
    frame.command = found  # type: ignore[attr-defined]
    return frame
