"""The route table: a decorator tags a function, `Routes` gathers the tags when the server starts.

What a route demands and gives stands beside its function, once: method, path, who may call it, the shape of
body, query and answer. The application, the OpenAPI document and the tests are made from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Literal, TypeVar

from marshmallow import Schema

from fittracker.errors import Failure
from fittracker.policy import ADMIN, ANYBODY, SIGNED_IN, TRAINER, Policy

__all__ = [
    "ADMIN",
    "ANYBODY",
    "SIGNED_IN",
    "TRAINER",
    "Group",
    "Method",
    "Policy",
    "Route",
    "Routes",
    "Upload",
    "route",
]

TAG: Final = "__fittracker_route__"
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Group = Literal["rest", "auth"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is no JSON: of one of these media types, of at most so many bytes."""

    types: tuple[str, ...]
    most_bytes: int
    streamed: bool = False
    """Whether the route reads it by itself, piece by piece, with a limit of its own besides."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route; paths are below /api/v1."""

    method: Method
    path: str
    policy: Policy
    run: Callable[..., Awaitable[Any]]
    status: int
    body: type[Schema] | None
    query: type[Schema] | None
    answer: type[Schema] | None
    group: Group
    """Which limit counts it, beside that of all."""
    compress: bool
    """Whether a long answer may be compressed: only where no secret shares it with what a caller chose."""
    versioned: bool
    """Whether a GET gives an ETag, and 304 to who has that version."""
    raises: tuple[type[Failure], ...]
    """What it may answer beside what follows from policy and shapes."""
    media: str | None = None
    """The content type of what it answers, where that is no JSON of a schema."""
    idempotent: bool = False
    """Whether an Idempotency-Key makes it do its work once, however often it is sent."""
    upload: Upload | None = None
    """The body, where that is no JSON."""

    @property
    def subject(self) -> str:
        """The first part of the path: the chapter it belongs to."""
        return self.path.split("/")[1]

    @property
    def about(self) -> tuple[str, str]:
        """The first sentence of its docstring and all of it."""
        text = inspect.getdoc(self.run) or ""
        return text.split("\n\n")[0].replace("\n", " ").rstrip("."), text


def route(
    method: Method,
    path: str,
    policy: Policy,
    *,
    status: int = 200,
    body: type[Schema] | None = None,
    query: type[Schema] | None = None,
    answer: type[Schema] | None = None,
    group: Group = "rest",
    compress: bool = False,
    versioned: bool = False,
    raises: tuple[type[Failure], ...] = (),
    media: str | None = None,
    idempotent: bool = False,
    upload: Upload | None = None,
) -> Callable[[F], F]:
    """Tag `async def name(call) -> answer` as a route; it is in force once its module is given to Routes."""
    if idempotent and (policy.anonymous or upload is not None):
        # A key belongs to a person; and an upload is not held in memory for it (see handlers/idempotency.py).
        raise ValueError(f"{method} {path} cannot be idempotent by its header alone")

    def tag(run: F) -> F:
        made = Route(
            method,
            path,
            policy,
            run,
            status,
            body,
            query,
            answer,
            group,
            compress,
            versioned,
            raises,
            media,
            idempotent,
            upload,
        )
        setattr(run, TAG, made)
        return run

    return tag


class Routes:
    """All routes of the given modules. One that is tagged twice stops the start."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        for module in modules:
            for function in vars(module).values():
                found = getattr(function, TAG, None)
                if isinstance(found, Route) and function.__module__ == module.__name__:
                    self._add(found)

    def _add(self, found: Route) -> None:
        other = self._routes.setdefault((found.method, found.path), found)
        if other is not found:
            places = [f"{each.run.__module__}.{each.run.__name__}" for each in (other, found)]
            raise ValueError(f"{found.method} {found.path} is defined twice: {', '.join(places)}")

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def __len__(self) -> int:
        return len(self._routes)
