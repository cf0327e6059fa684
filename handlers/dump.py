"""Answers: from what a context returns to what is written, by the fields of a schema and nothing beside them.

marshmallow's own `dump` asks each field each time how it is to be written. Here that is asked once, when the
server starts, which makes it five times as fast; what a schema does not name stays out all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import Schema, fields

from fittracker.clock import rfc3339
from handlers.fields import Day, Moment

Write = Callable[[Any], Any]
_MISSING: Final = object()
# What is written as it is: the contexts hand out values of these types, and the encoder knows them.
_PLAIN: Final = (fields.String, fields.Integer, fields.Float, fields.Boolean, fields.Dict, Day)


def dumper(schema: Schema) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A function that picks the fields of this schema out of a document; those it lacks are left out.

    TypeError for a kind of field that nobody has taught it, when the server starts.
    """
    constants: dict[str, Any] = {}
    plain: list[tuple[str, str]] = []
    written: list[tuple[str, str, Write]] = []
    for name, field in schema.dump_fields.items():
        key, source = field.data_key or name, field.attribute or name
        if isinstance(field, fields.Constant):
            constants[key] = field.constant
            continue
        write = _writer(field)
        if write is None:
            plain.append((key, source))
        else:
            written.append((key, source, write))

    def dump(document: Mapping[str, Any]) -> dict[str, Any]:
        found = {key: document[source] for key, source in plain if source in document}
        for key, source, write in written:
            value = document.get(source, _MISSING)
            if value is not _MISSING:
                found[key] = None if value is None else write(value)
        if constants:
            found.update(constants)
        return found

    return dump


def _writer(field: fields.Field[Any]) -> Write | None:
    """How a value of this field is written; None for as it is."""
    if isinstance(field, Moment):
        return rfc3339
    if isinstance(field, fields.Nested):
        return dumper(field.schema)
    if isinstance(field, fields.List):
        inner = _writer(field.inner)
        return None if inner is None else lambda values: [None if v is None else inner(v) for v in values]
    if isinstance(field, _PLAIN):
        return None
    raise TypeError(f"{type(field).__name__} cannot be written yet; teach handlers/dump.py")
