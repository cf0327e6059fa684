"""Talking over sockets, in a few words: for tests of chat."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.peer import Frame, Peer
from tests.people import People, Person


async def say(peer: Peer, room: str, text: str, **more: Any) -> Frame:
    """Say something new; its id and its place."""
    return await peer.call("chat.send", room=room, text=text, client_id=str(uuid4()), **more)


async def read(peer: Peer, room: str, **more: Any) -> list[Frame]:
    """The history of a room."""
    messages: list[Frame] = (await peer.call("chat.history", room=room, **more))["messages"]
    return messages


async def texts(peer: Peer, room: str, **more: Any) -> list[str]:
    """What the history of a room says."""
    return [each["text"] for each in await read(peer, room, **more)]


async def a_group(people: People, count: int = 3) -> tuple[list[Person], str]:
    """People, and the room of their conversation; the first one owns it where it is a group."""
    crowd = await people.crowd(count)
    return crowd, f"chat:{await people.conversation(*crowd)}"
