"""What the protocol consists of: the commands, events and kinds of rooms of all feature modules."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Annotated, Any

import msgspec

from ws.commands import NOTHING, TAG, Command, Nothing
from ws.events import EventType
from ws.frames import HIGHEST_ID
from ws.room_kinds import RoomKind

CommandId = Annotated[int, msgspec.Meta(ge=1, le=HIGHEST_ID)]


class Registry:
    """All of it, by name. A name that is given twice stops the start."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self.commands: dict[str, Command] = {}
        self.events: dict[str, EventType] = {}
        self.rooms: dict[str, RoomKind] = {}
        for module in modules:
            self._gather(module)
        self.frames = {each.name: _frame(each) for each in self.commands.values()}

    def _gather(self, module: ModuleType) -> None:
        for function in vars(module).values():
            found = getattr(function, TAG, None)
            if isinstance(found, Command) and function.__module__ == module.__name__:
                self._add(found)
        for event in getattr(module, "EVENTS", ()):
            if self.events.setdefault(event.name, event) is not event:
                raise ValueError(f"the event {event.name} is declared twice, again in {module.__name__}")
        for kind in getattr(module, "ROOMS", ()):
            if self.rooms.setdefault(kind.name, kind) is not kind:
                raise ValueError(f"the room {kind.name} is declared twice, again in {module.__name__}")

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
