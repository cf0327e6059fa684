"""What has to be done again after a reconnect: the rooms we are in, and the athletes we watch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fittracker.client.messages import Event


class Standing:
    """The rooms, each with the place up to which it was read, and the watched athletes."""

    def __init__(self) -> None:
        self._rooms: dict[str, tuple[str, int] | None] = {}
        self._watched: set[str] = set()

    def note(self, command: str, data: dict[str, Any], answer: dict[str, Any]) -> None:
        """A command succeeded."""
        match command:
            case "room.join":
                epoch, seq = answer.get("epoch"), answer.get("seq", 0)
                self._rooms[data["room"]] = (epoch, seq) if epoch is not None else None
            case "room.leave":
                self._rooms.pop(data["room"], None)
            case "hr.watch":
                self._watched.add(data["user"])
            case "hr.unwatch":
                self._watched.discard(data["user"])

    def saw(self, event: Event) -> bool:
        """A durable event came; False where it had come before, as may happen around a reconnect."""
        if event.room not in self._rooms or event.seq is None or event.epoch is None:
            return True
        place = self._rooms[event.room]
        if place is not None and place[0] == event.epoch and event.seq <= place[1]:
            return False
        self._rooms[event.room] = (event.epoch, event.seq)
        return True

    def commands(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What to send after a reconnect, a room with the place to go on from."""
        for room, place in tuple(self._rooms.items()):
            since = {"since": {"epoch": place[0], "seq": place[1]}} if place is not None else {}
            yield "room.join", {"room": room, **since}
        for user in tuple(self._watched):
            yield "hr.watch", {"user": user}

    def forget(self, command: str, data: dict[str, Any]) -> str:
        """It is not allowed any more; the name of the room."""
        if command == "room.join":
            self._rooms.pop(data["room"], None)
            return str(data["room"])
        self._watched.discard(data["user"])
        return f"heart:{data['user']}"
