"""Mentions: `<@id>` in a text means a person of the room, who is told of it wherever they are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from typing import Final

from fittracker.chat.forum import Forums
from fittracker.errors import Invalid
from fittracker.notifications import Notifications

MOST: Final = 20
_MARK: Final = re.compile(r"<@([0-9a-f]{24})>")


class Mentions:
    """Finds them, and tells those who are meant."""

    def __init__(self, forums: Forums, notifications: Notifications) -> None:
        self._forums = forums
        self._notifications = notifications

    async def among(self, room: str, text: str) -> list[str]:
        """Who of the room is mentioned, in the order of the text; any other id is just text.

        Invalid where more than 20 are named.
        """
        named = list(dict.fromkeys(_MARK.findall(text)))
        if len(named) > MOST:
            raise Invalid("Too many mentions.", fields={"text": f"must mention at most {MOST} people"})
        there = await asyncio.gather(*(self._forums.takes_part(each, room) for each in named))
        return [each for each, present in zip(named, there, strict=True) if present]

    async def tell(self, by: str, room: str, message: str, seq: int, mentioned: Collection[str]) -> None:
        """Put it into their inboxes, once for each message; without what was said: they are not sealed."""
        told = (
            self._notifications.notify(
                each,
                "chat",
                event="chat.mentioned",
                key=_key(message),
                by=by,
                subject=room,
                data={"room": room, "message": message, "seq": seq},
            )
            for each in mentioned
        )
        await asyncio.gather(*told)

    async def take_back(self, message: str, mentioned: Collection[str]) -> None:
        """They are mentioned no more: the message was changed or deleted."""
        await asyncio.gather(*(self._notifications.withdraw(each, key=_key(message)) for each in mentioned))


def _key(message: str) -> str:
    return f"chat.mentioned {message}"
