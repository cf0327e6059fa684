"""The tables of commands and events for people, made from the registry: they cannot tell anything else."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import inspect as shapes

from ws.commands import Command
from ws.events import EventType
from ws.registry import Registry

HEAD = """# Commands and events of the WebSocket

Generated from the code by `make docs`; a test fails when it is stale.

`name?` may be left out, `a | b` is one of the two, `[x]` a list. Each shape is described
below the tables. A running server shows the same at `/api/v1/docs/live`, and as AsyncAPI 3 at
`/api/v1/asyncapi.json`, which `fittracker asyncapi` prints.

## Commands

| command | data | result | who | what it does |
|---|---|---|---|---|
"""

EVENTS = """## Events

`*` is every room with a log; an event of no room is for one socket alone. A durable one has a number (`seq`)
in its room's `epoch`, and can be recovered.

| event | data | rooms | durable | when it comes |
|---|---|---|---|---|
"""

_SIMPLE: dict[type[shapes.Type], str] = {
    shapes.AnyType: "any",
    shapes.NoneType: "null",
    shapes.BoolType: "bool",
    shapes.IntType: "int",
    shapes.FloatType: "number",
    shapes.StrType: "text",
    shapes.UUIDType: "uuid",
    shapes.DateTimeType: "time",
    shapes.DictType: "object",
}


def commands_markdown(registry: Registry) -> str:
    """`docs/commands.md`."""
    commands = sorted(registry.commands.values(), key=lambda each: each.name)
    table = "\n".join(_row(each) for each in commands)
    events = sorted(registry.events.values(), key=lambda each: each.name)
    told = "\n".join(map(_told, events))
    kinds = [kind for each in commands for kind in (each.data, each.result)]
    shapes_ = "\n".join(_shapes([*kinds, *(each.data for each in events)]))
    return f"{HEAD}{table}\n\n{EVENTS}{told}\n\n## Shapes\n\n{shapes_}"


def _told(event: EventType) -> str:
    rooms = ", ".join(f"`{each}`" for each in event.rooms)
    about = event.about.replace("|", "\\|")
    durable = "yes" if event.durable else ""
    return f"| `{event.name}` | {_code(_struct(event.data))} | {rooms} | {durable} | {about} |"


def _row(command: Command) -> str:
    data, result = _struct(command.data), _struct(command.result)
    about = command.about.replace("|", "\\|")
    return f"| `{command.name}` | {_code(data)} | {_code(result)} | {_who(command)} | {about} |"


def _code(shape: shapes.StructType) -> str:
    fields = ", ".join(_field(each) for each in shape.fields)
    array = shape.array_like
    # A bar would end the cell even inside backticks.
    return (f"`[{fields}]`" if array else f"`{{{fields}}}`").replace("|", "\\|")


def _who(command: Command) -> str:
    policy = command.policy
    if policy.anonymous:
        return "anybody"
    who = "people" if policy.roles is None else ", ".join(sorted(policy.roles))
    return who if policy.scope is None else f"{who}, devices with `{policy.scope}`"


def _field(field: shapes.Field) -> str:
    kind = field.type
    if field.required:
        return f"{field.encode_name}: {_type(kind)}"
    if isinstance(kind, shapes.UnionType):
        # What may be left out may be null as well; saying it each time helps nobody.
        kind = shapes.UnionType(tuple(each for each in kind.types if not isinstance(each, shapes.NoneType)))
    return f"{field.encode_name}?: {_type(kind)}"


def _type(kind: shapes.Type) -> str:
    match kind:
        case shapes.Metadata(type=inner):
            return _type(inner)
        case shapes.StructType(cls=cls):
            return cls.__name__
        case shapes.ListType(item_type=item):
            return f"[{_type(item)}]"
        case shapes.UnionType(types=types):
            return " | ".join(_type(each) for each in types)
        case shapes.LiteralType(values=values):
            return " | ".join(map(str, values))
        case shapes.EnumType(cls=cls):
            return " | ".join(str(each.value) for each in cls)
    return _SIMPLE[type(kind)]


# -- below the table ---------------------------------------------------------------------------------


def _shapes(kinds: Iterable[type]) -> Iterator[str]:
    """Each shape once, by name: what its docstring says, and the limits of its fields."""
    found: dict[str, shapes.StructType] = {}
    for kind in kinds:
        _gather(_struct(kind), found)
    for name in sorted(found):
        yield from _described(found[name])


def _described(shape: shapes.StructType) -> Iterator[str]:
    about = " ".join((inspect.getdoc(shape.cls) or "").split())
    yield f"**{shape.cls.__name__}** {_code(shape)}  "
    yield about
    for field in shape.fields:
        if limits := ", ".join(_limits(field.type)):
            yield f"- `{field.encode_name}`: {limits}"
    yield ""


def _struct(kind: type) -> shapes.StructType:
    shape = shapes.type_info(kind)
    if not isinstance(shape, shapes.StructType):
        raise TypeError(f"{kind.__name__} is no struct: data and results are")
    return shape


def _gather(kind: shapes.Type, found: dict[str, shapes.StructType]) -> None:
    """Add the structs in a type, itself included; one may hold itself."""
    match kind:
        case shapes.StructType(cls=cls, fields=fields) if cls.__name__ not in found:
            found[cls.__name__] = kind
            for field in fields:
                _gather(field.type, found)
        case shapes.ListType(item_type=inner) | shapes.Metadata(type=inner):
            _gather(inner, found)
        case shapes.UnionType(types=types):
            for each in types:
                _gather(each, found)


def _limits(kind: shapes.Type) -> Iterator[str]:
    match kind:
        case shapes.Metadata(type=inner):
            yield from _limits(inner)
        case shapes.UnionType(types=types):
            for each in types:
                yield from _limits(each)
        case shapes.IntType() | shapes.FloatType():
            yield from _range(kind)
        case shapes.StrType(pattern=pattern) if pattern is not None:
            yield f"matches `{pattern}`"
        case shapes.StrType(min_length=least, max_length=most):
            yield from _length(least, most, "characters")
        case shapes.ListType(item_type=item, min_length=least, max_length=most):
            yield from _length(least, most, "items")
            yield from (f"each {limit}" for limit in _limits(item))


def _range(kind: Any) -> Iterator[str]:
    for sign, bound in ((">", kind.gt), ("≥", kind.ge), ("<", kind.lt), ("≤", kind.le)):
        if bound is not None:
            yield f"{sign} {bound:,}"


def _length(least: int | None, most: int | None, what: str) -> Iterator[str]:
    if least is not None and most is not None:
        yield f"{least:,} to {most:,} {what}"
    elif most is not None:
        yield f"at most {most:,} {what}"
    elif least is not None:
        yield f"at least {least:,} {what}"
