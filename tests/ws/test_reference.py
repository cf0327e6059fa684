from __future__ import annotations

from types import ModuleType
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from fittracker.policy import Policy
from ws.commands import command
from ws.features import registry
from ws.reference import commands_markdown
from ws.registry import Registry


class Thing(msgspec.Struct):
    """A thing | with a bar."""

    size: Annotated[int, Meta(ge=1, le=2000)]
    label: Annotated[str, Meta(min_length=1, max_length=9)] | None = None
    parts: list[Thing] = []


class Answer(msgspec.Struct):
    """What came of it."""

    place: str | None


class Room(msgspec.Struct):
    """Holds things."""

    things: Annotated[list[Thing], Meta(max_length=5)]


@pytest.fixture(scope="module")
def made() -> str:
    """The document of a registry with one command."""

    @command(
        "thing.put", Room, Answer, policy=Policy("coach", roles=frozenset({"trainer"}), scope="things:write")
    )
    def put(_realtime: Any, _connection: Any, _data: Any) -> Any:
        """Put things | somewhere.

        More about it.
        """

    module = ModuleType(put.__module__)
    module.put = put  # type: ignore[attr-defined]
    return commands_markdown(Registry([module]))


def test_a_command_is_a_row(made: str) -> None:
    """Its data, its result, who may send it, and the first paragraph of its docstring."""
    (row,) = [line for line in made.splitlines() if line.startswith("| `thing.put`")]
    cells = [cell.strip() for cell in row.replace("\\|", "BAR").strip("|").split("|")]
    assert cells == [
        "`thing.put`",
        "`{things: [Thing]}`",
        "`{place: text BAR null}`",
        "trainer, devices with `things:write`",
        "Put things BAR somewhere.",
    ]


def test_a_shape_is_described_with_its_limits(made: str) -> None:
    """Also the shapes that are only inside others."""
    assert "**Thing** `{size: int, label?: text, parts?: [Thing]}`" in made
    assert "- `size`: ≥ 1, ≤ 2,000" in made
    assert "- `label`: 1 to 9 characters" in made
    assert "- `things`: at most 5 items" in made


def test_every_command_and_event_of_the_server_is_in_the_document() -> None:
    """With a description each; the events with their rooms, and whether they are durable."""
    document = commands_markdown(registry())
    rows = [line for line in document.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == sorted(registry().commands) + sorted(registry().events)
    assert all(len(row.rsplit("|", 2)[1].strip()) > 10 for row in rows)
    (row,) = [each for each in rows if each.startswith("| `chat.message`")]
    assert row.split(" | ")[2:4] == ["`chat`, `session`, `challenge`", "yes"]
