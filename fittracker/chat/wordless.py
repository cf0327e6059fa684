"""What is left of an event of chat when its words have to go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from fittracker.chat.message import DELETED, EDITED, SAID, ChatDeleted, ChatEdited, ChatMessage
from fittracker.roomlog.record import Kept


def wordless(kept: Kept, *, orphaned: bool = False) -> Any:
    """The event's data without words, `orphaned` also without who said it; others than chat's as they are."""
    record = kept.entry.record
    if not record.data:
        return blank(record.kind)
    empty = _EMPTY.get(record.kind)
    return msgspec.Raw(record.data) if empty is None else empty(record.data, orphaned)


def blank(kind: str) -> Any:
    """The same of an event of which nothing is known but its kind."""
    return _BLANK.get(kind, {})


def _message(data: bytes, orphaned: bool) -> ChatMessage:
    said = msgspec.json.decode(data, type=ChatMessage)
    user, name = (None, "") if orphaned else (said.user, said.name)
    return ChatMessage(user, name, None, edits=said.edits, deleted=True)


def _edit(data: bytes, _orphaned: bool) -> ChatEdited:
    return msgspec.structs.replace(msgspec.json.decode(data, type=ChatEdited), text=None, mentions=[])


def _deletion(data: bytes, orphaned: bool) -> ChatDeleted:
    gone = msgspec.json.decode(data, type=ChatDeleted)
    return msgspec.structs.replace(gone, by=None) if orphaned else gone


_EMPTY: Final[dict[str, Callable[[bytes, bool], Any]]] = {SAID: _message, EDITED: _edit, DELETED: _deletion}
_BLANK: Final[dict[str, Any]] = {
    SAID: ChatMessage(None, "", None, deleted=True),
    EDITED: ChatEdited("", 0, None, [], 0, None),
    DELETED: ChatDeleted("", 0, None),
}
