"""Every event that a test receives is held against its declaration: documents are made from those."""

from __future__ import annotations

from typing import Any

import msgspec

from ws.features import registry

_EVENTS = registry().events


def check_event(frame: dict[str, Any]) -> dict[str, Any]:
    """The frame itself; AssertionError where it is an event that is not declared, or not so.

    Types that begin with "test." are said by the tests themselves.
    """
    kind = frame["type"]
    if kind in {"result", "error"} or kind.startswith("test."):
        return frame
    declared = _EVENTS.get(kind)
    assert declared is not None, f"the event {kind} is declared nowhere"
    shape: Any = declared.data
    try:
        msgspec.convert(frame["data"], shape)
    except msgspec.ValidationError as error:
        raise AssertionError(f"{kind} is not as declared: {error}: {frame}") from None
    more = set(frame["data"]) - {each.encode_name for each in msgspec.structs.fields(shape)}
    assert not more, f"{kind} has fields that are not declared: {more}"
    room = frame.get("room", "").partition(":")[0]
    if room:
        assert room in declared.rooms or "*" in declared.rooms, f"{kind} is not declared for {room}"
    assert not ("seq" in frame and "epoch" in frame and not declared.durable), (
        f"{kind} is not declared durable"
    )
    return frame
