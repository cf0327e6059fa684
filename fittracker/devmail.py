"""The mail server of development and of the tests: a real SMTP sink that keeps what it gets in MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

from fittracker.clock import Clock
from fittracker.ids import new_id
from fittracker.mongo import Database, Document

MOST: Final = 500


class DevMails:
    """The mails that came in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._mails = database.dev_mails
        self._clock = clock

    async def newest(self, to: str | None = None) -> list[Document]:
        """Up to 500 mails, newest first, perhaps only those to one address."""
        query: Document = {} if to is None else {"to": to}
        newest = [("at", -1), ("_id", -1)]
        return await self._mails.find(query, {"_id": 0}, sort=newest, limit=MOST).to_list()

    async def keep(self, recipients: list[str], content: bytes) -> None:
        """Store a mail as it came over SMTP, once for each recipient."""
        message = message_from_bytes(content, policy=policy.default)
        at = self._clock.utc()
        await self._mails.insert_many(
            [
                {
                    "_id": new_id(),
                    "to": to,
                    "subject": str(message["Subject"] or ""),
                    "text": _part(message, "plain"),
                    "html": _part(message, "html"),
                    "at": at,
                }
                for to in recipients
            ]
        )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content())


class _Handler:
    """What aiosmtpd calls."""

    def __init__(self, mails: DevMails) -> None:
        self._mails = mails

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """A whole mail has come in."""
        await self._mails.keep(envelope.rcpt_tos, envelope.content)
        return "250 kept"


@asynccontextmanager
async def open_sink(database: Database, clock: Clock, *, port: int = 0) -> AsyncIterator[int]:
    """Listen for mail on the loopback; the port (a free one for 0). Needs the `run` extra."""
    from aiosmtpd.smtp import SMTP  # not there in production, where this is never called

    loop = asyncio.get_running_loop()
    handler = _Handler(DevMails(database, clock))
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, hostname="localhost", enable_SMTPUTF8=True), "127.0.0.1", port
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
