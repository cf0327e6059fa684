"""The SMTP sink of development and tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib
import pytest

from fittracker.clock import Clock
from fittracker.devmail import DevMails, open_sink
from fittracker.mongo import Database, open_database
from tests.moving_clock import MovingClock


@pytest.fixture
async def database(mongo_url: str, fresh_database: str) -> AsyncIterator[Database]:
    async with open_database(mongo_url, fresh_database) as opened:
        yield opened


def message(subject: str, text: str, html: str | None = None) -> EmailMessage:
    """A mail as any program would write it."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@example.org", "anna@example.org", subject
    made.set_content(text)
    if html is not None:
        made.add_alternative(html, subtype="html")
    return made


async def test_what_comes_in_is_kept_decoded(database: Database) -> None:
    """Umlauts in the subject and in both bodies; one for each recipient."""
    clock = MovingClock()
    async with open_sink(database, clock) as port:
        for subject in ("Erste Übung", "Zweite Übung"):
            await aiosmtplib.send(
                message(subject, "Schöne Grüße", "<p>Schöne Grüße</p>"),
                recipients=["anna@example.org", "bob@example.org"],
                hostname="127.0.0.1",
                port=port,
                start_tls=False,
            )
            clock.advance(1)
    mails = DevMails(database, clock)
    newest = await mails.newest("anna@example.org")
    assert [each["subject"] for each in newest] == ["Zweite Übung", "Erste Übung"]
    assert newest[0]["text"].strip() == "Schöne Grüße"
    assert newest[0]["html"].strip() == "<p>Schöne Grüße</p>"
    assert len(await mails.newest()) == 4
    assert await mails.newest("nobody@example.org") == []


async def test_a_mail_of_text_alone_has_no_html(database: Database) -> None:
    """An empty one, not none."""
    async with open_sink(database, Clock()) as port:
        await aiosmtplib.send(message("Hi", "only text"), hostname="127.0.0.1", port=port, start_tls=False)
    (kept,) = await DevMails(database, Clock()).newest()
    assert (kept["text"].strip(), kept["html"]) == ("only text", "")


async def test_after_the_block_nobody_listens(database: Database) -> None:
    """The port is free again."""
    async with open_sink(database, Clock()) as port:
        pass
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await aiosmtplib.send(message("Hi", "x"), hostname="127.0.0.1", port=port, start_tls=False)
