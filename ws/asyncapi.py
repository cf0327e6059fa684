"""The protocol as an AsyncAPI 3 document: made from the registry that the server runs with, never by hand.

It speaks as the server: it `receive`s commands and `send`s events. There is one channel, the socket; the room
in which an event is said is a field of the event. What AsyncAPI has no word for stands in fields that begin
with `x-`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from fittracker.errors import (
    BadRequest,
    Conflict,
    Failure,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PaymentRequired,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from ws.commands import Command
from ws.events import EventType
from ws.frames import HIGHEST_ID, SUBPROTOCOLS, Close, ErrorBody
from ws.registry import Registry

VERSION: Final = "3.0.0"
Json = dict[str, Any]

SHAPES: Final = "#/components/schemas/"
MESSAGES: Final = "#/components/messages/"
SOCKET: Final = "#/channels/socket"
MEANINGS: Final[Mapping[Close, tuple[str, str]]] = {
    Close.NORMAL: ("One of the two ends was done.", "when you like"),
    Close.GOING_AWAY: ("One of the two ends goes away.", "when you like"),
    Close.TOO_BIG: ("A message was larger than 64 KiB.", "after mending the client"),
    Close.RESTART: ("The server restarts.", "yes, after the retry_after_ms of server.draining"),
    Close.SLOW: ("The peer reads too slowly.", "yes"),
    Close.TOKEN_EXPIRED: ("The token has expired.", "yes, with a fresh token"),
    Close.SIGNED_OUT: ("Signed out, here or elsewhere.", "after signing in again"),
    Close.BAD_FRAMES: ("Three unreadable frames in a row.", "no: mend the client"),
    Close.NOT_AUTHENTICATED: ("Nobody signed in within 10 s.", "no: mend the client"),
    Close.BANNED: ("The account was closed.", "no"),
    Close.FLOOD: ("A flood of commands.", "no: mend the client"),
}
"""Each close code: what happened, and whether to come back."""
FAILURES: Final[tuple[type[Failure], ...]] = (
    BadRequest,
    Unauthenticated,
    PaymentRequired,
    Forbidden,
    NotFound,
    Conflict,
    Gone,
    TooLarge,
    Invalid,
    RateLimited,
    Failure,
    Unavailable,
)
"""What a command may answer with; REST has some more."""
ABOUT: Final = """Live heart rate, coaching sessions, form analysis, chat, challenges and presence over one
WebSocket, `GET /ws`. Commands of one connection run in order; one with an `id` is answered by a `result` or
an `error` with the same `id`. Events come of their own accord; those with `seq` and `epoch` are durable: in
order, each once, and recovered by `room.join {since}`. Ignore events and fields that you do not know."""


def document(registry: Registry, version: str) -> Json:
    """The document; every `$ref` in it points into it."""
    commands = sorted(registry.commands.values(), key=lambda each: each.name)
    events = sorted(registry.events.values(), key=lambda each: each.name)
    shapes, schemas = _shapes(registry, commands, events)
    messages = {
        **{f"command.{each.name}": _command(each, shapes) for each in commands},
        **{f"result.{each.name}": _result(each, shapes) for each in commands},
        **{f"event.{each.name}": _event(each, shapes, registry) for each in events},
        "error": _error(),
    }
    return {
        "asyncapi": VERSION,
        "info": {"title": "FitTracker Pro", "version": version, "description": " ".join(ABOUT.split())},
        "defaultContentType": "application/json",
        "servers": {"production": _server()},
        "channels": {"socket": _channel(registry, messages)},
        "operations": {
            # A command and what follows from it often have the same name.
            **{f"command.{each.name}": _receive(each) for each in commands},
            **{f"event.{each.name}": _send(each) for each in events},
        },
        "components": {
            "messages": messages,
            "schemas": schemas,
            "securitySchemes": _security(),
        },
    }


# -- where and how -------------------------------------------------------------------------------------


def _server() -> Json:
    return {
        "host": "{host}",
        "protocol": "wss",
        "description": "Any worker of any machine; ws:// in development.",
        "variables": {"host": {"default": "localhost:8080", "description": "Where the server is."}},
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _security()],
    }


def _security() -> Json:
    return {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token, in `Authorization` of the upgrade or in the first frame.",
        },
        "device": {
            "type": "http",
            "scheme": "bearer",
            "description": "A device token in the same places: it may send the commands of its scopes alone.",
        },
        "ticket": {
            "type": "httpApiKey",
            "in": "query",
            "name": "ticket",
            "description": "For browsers: from POST /api/v1/auth/ws-ticket, good for 30 s and one use.",
        },
    }


def _channel(registry: Registry, messages: Mapping[str, Json]) -> Json:
    query = {"type": "object", "properties": {"ticket": {"type": "string"}}}
    protocols = {"type": "string", "enum": list(SUBPROTOCOLS), "default": SUBPROTOCOLS[0]}
    headers = {
        "type": "object",
        "properties": {"Authorization": {"type": "string"}, "Sec-WebSocket-Protocol": protocols},
    }
    return {
        "address": "/ws",
        "title": "The socket",
        "description": "Text frames of JSON, or with fittracker.v1.msgpack binary frames of the same shapes. "
        "Binary frames that begin with 0x01 or 0x02 are heart rate (docs/realtime.md).",
        "servers": [{"$ref": "#/servers/production"}],
        "messages": {name: {"$ref": MESSAGES + name} for name in messages},
        "bindings": {"ws": {"method": "GET", "query": query, "headers": headers, "bindingVersion": "0.1.0"}},
        "x-subprotocols": list(SUBPROTOCOLS),
        "x-rooms": list(registry.rooms),
        "x-close-codes": [
            {"code": int(code), "meaning": meaning, "come-back": again}
            for code, (meaning, again) in MEANINGS.items()
        ],
        "x-errors": [{"code": each.code, "status": each.status, "title": each.title} for each in failures()],
    }


def failures() -> list[type[Failure]]:
    """Every kind of failure that a command may answer with, by status."""
    return sorted(FAILURES, key=lambda each: each.status)


# -- operations ----------------------------------------------------------------------------------------


def _receive(command: Command) -> Json:
    answers = [f"result.{command.name}", "error"]
    return {
        "action": "receive",
        "channel": {"$ref": SOCKET},
        "summary": command.about,
        "messages": [{"$ref": f"{SOCKET}/messages/command.{command.name}"}],
        "reply": {
            "channel": {"$ref": SOCKET},
            "messages": [{"$ref": f"{SOCKET}/messages/{each}"} for each in answers],
        },
        "x-who": who(command),
    }


def _send(event: EventType) -> Json:
    return {
        "action": "send",
        "channel": {"$ref": SOCKET},
        "summary": event.about,
        "messages": [{"$ref": f"{SOCKET}/messages/event.{event.name}"}],
        "x-rooms": list(event.rooms),
        "x-durable": event.durable,
    }


def who(command: Command) -> str:
    """Who may send it."""
    policy = command.policy
    if policy.anonymous:
        return "anybody"
    people = "people" if policy.roles is None else ", ".join(sorted(policy.roles))
    return people if policy.scope is None else f"{people}, devices with {policy.scope}"


# -- messages ------------------------------------------------------------------------------------------


def _message(name: str, title: str, about: str, payload: Json) -> Json:
    return {"name": name, "title": title, "summary": about, "payload": payload}


def _command(command: Command, shapes: Mapping[type, Json]) -> Json:
    frame = _frame(command.name, {"data": shapes[command.data]})
    frame["properties"]["id"] = _NUMBER | {"description": "Asks for an answer."}
    frame["required"] = ["type"] if not command.data.__struct_fields__ else ["type", "data"]  # type: ignore[attr-defined]
    return _message(command.name, f"Command {command.name}", command.about, frame)


def _result(command: Command, shapes: Mapping[type, Json]) -> Json:
    frame = _frame("result", {"id": _NUMBER, "data": shapes[command.result]})
    return _message("result", f"Result of {command.name}", "It succeeded.", frame)


def _error() -> Json:
    number = {"anyOf": [_NUMBER, {"type": "null"}], "description": "null where no command could be read"}
    frame = _frame("error", {"id": number, "error": {"$ref": SHAPES + ErrorBody.__name__}})
    return _message("error", "Error", "A command failed; the socket stays open.", frame)


def _event(event: EventType, shapes: Mapping[type, Json], registry: Registry) -> Json:
    more: Json = {}
    if event.rooms:
        more["room"] = {"type": "string", "pattern": f"^({'|'.join(_rooms(event, registry))}):"}
    if event.durable:
        more |= {
            "seq": {"type": "integer", "minimum": 1, "description": "Its number in the log of its room."},
            "epoch": {"type": "string", "description": "A new one means: read the history again."},
            "id": {"type": "string", "description": "The same event has the same id."},
        }
    frame = _frame(event.name, {"data": shapes[event.data]})
    frame["properties"] |= more
    frame["properties"]["at"] = {"type": "string", "format": "date-time"}
    return _message(event.name, f"Event {event.name}", event.about, frame)


def _rooms(event: EventType, registry: Registry) -> Sequence[str]:
    if "*" in event.rooms:
        return [each.name for each in registry.rooms.values() if each.logged]
    return event.rooms


def _frame(kind: str, fields: Json) -> Json:
    return {
        "type": "object",
        "properties": {"type": {"const": kind}, **fields},
        "required": ["type", *fields],
    }


_NUMBER: Final[Json] = {"type": "integer", "minimum": 1, "maximum": HIGHEST_ID}


# -- shapes --------------------------------------------------------------------------------------------


def _shapes(
    registry: Registry, commands: Sequence[Command], events: Sequence[EventType]
) -> tuple[dict[type, Json], Json]:
    """How each type is referred to, and the schemas of all."""
    types = {
        *(each.data for each in commands),
        *(each.result for each in commands),
        *(each.data for each in events),
        ErrorBody,
    }
    ordered = sorted(types, key=lambda each: (each.__name__, each.__module__))
    references, schemas = msgspec.json.schema_components(ordered, ref_template=SHAPES + "{name}")
    made = {name: _older(schema) for name, schema in sorted(schemas.items())}
    made[ErrorBody.__name__]["properties"]["code"]["enum"] = [each.code for each in failures()]
    return dict(zip(ordered, references, strict=True)), made


def _older(schema: Any) -> Any:
    """AsyncAPI speaks JSON Schema of draft 7, in which a list of fixed places is told differently."""
    if isinstance(schema, list):
        return [_older(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _older(value) for key, value in schema.items()}
    if "prefixItems" in made:
        more = made.pop("items", None)
        made["items"] = made.pop("prefixItems")
        if more is not None:
            made["additionalItems"] = more
    return made
