"""Mails: written, kept until a server takes them, and never more than they should be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any

import pytest

import config.settings
from config.settings import Settings
from fittracker.devmail import DevMails, open_sink
from fittracker.mail import Mail
from fittracker.mongo import Database, open_database
from fittracker.sealing import Seal
from fittracker.stationery import Stationery
from tests.moving_clock import MovingClock

KEYS = (("k1", "a-secret-of-more-than-thirty-two-bytes"),)
LINK = "https://fit.example.org/verify?token=ftv_secret"
VALUES: dict[str, dict[str, Any]] = {
    "verify_email": {"link": LINK, "minutes": 60},
    "already_registered": {},
    "token_reused": {"device": "Phone", "since": "2026-11-23T10:00:00.000Z"},
}


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
async def database(mongo_url: str, fresh_database: str) -> AsyncIterator[Database]:
    async with open_database(mongo_url, fresh_database) as opened:
        yield opened


def outbox(database: Database, clock: MovingClock, port: int, **changes: Any) -> Mail:
    """The outbox of one worker, sending to a port of this machine."""
    settings: Settings = config.settings.load(
        mode="test", smtp_port=port, public_origin="https://fit.example.org", **changes
    )
    return Mail(settings, database, Seal(KEYS, "mail"), clock)


@pytest.fixture
def dead_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_mail_arrives_as_text_and_as_html(database: Database, clock: MovingClock) -> None:
    """Over real SMTP; then nothing of it is left in the outbox."""
    async with open_sink(database, clock) as port:
        mail = outbox(database, clock, port)
        await mail.queue("anna@example.org", "verify_email", **VALUES["verify_email"])
        assert await mail.send_one()
        assert not await mail.send_one()
    (arrived,) = await DevMails(database, clock).newest("anna@example.org")
    assert arrived["subject"] == "Confirm your e-mail address"
    assert LINK in arrived["text"]
    assert f'href="{LINK}"' in arrived["html"]
    assert await database.mails.count_documents({}) == 0


async def test_what_waits_cannot_be_read_in_the_database(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """Neither the link nor to whom it goes."""
    mail = outbox(database, clock, dead_port)
    await mail.queue("anna@example.org", "verify_email", **VALUES["verify_email"])
    stored = str(await database.mails.find_one())
    assert "ftv_secret" not in stored
    assert "anna@example.org" not in stored


async def test_a_dead_mail_server_loses_nothing(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """It is tried again after 5, 10, 20 s and so on, and sent when the server is back."""
    mail = outbox(database, clock, dead_port)
    await mail.queue("anna@example.org", "already_registered")
    for pause in (5, 10, 20, 40):
        assert await mail.send_one()
        clock.advance(pause - 1)
        assert not await mail.send_one()
        clock.advance(1.1)
    async with open_sink(database, clock) as port:
        assert await outbox(database, clock, port).send_one()
    assert len(await DevMails(database, clock).newest("anna@example.org")) == 1


async def test_what_no_server_takes_for_two_days_is_given_up(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """Its links have long been worthless."""
    mail = outbox(database, clock, dead_port)
    await mail.queue("anna@example.org", "already_registered")
    for _ in range(80):
        clock.advance(3_601)
        if not await mail.send_one():
            break
    assert await database.mails.count_documents({}) == 0


async def test_a_worker_that_dies_while_sending_is_followed_by_another(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """The mail belongs to whoever took it for a minute, and then to anybody again."""
    mail = outbox(database, clock, dead_port)
    await mail.queue("anna@example.org", "already_registered")
    taken = await database.mails.find_one_and_update(
        {}, {"$set": {"next_at": clock.utc().replace(microsecond=0)}}
    )
    assert taken is not None
    async with open_sink(database, clock) as port:
        workers = [outbox(database, clock, port) for _ in range(5)]
        results = await asyncio.gather(*(worker.send_one() for worker in workers))
    assert sorted(results) == [False] * 4 + [True]
    assert len(await DevMails(database, clock).newest()) == 1


async def test_a_recipient_who_does_not_exist_is_given_up_at_once(
    database: Database, clock: MovingClock
) -> None:
    """550 will be 550 tomorrow."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 no\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"QUIT":
                break
            writer.write(b"550 nobody of that name\r\n" if word == b"RCPT" else b"250 ok\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        mail = outbox(database, clock, server.sockets[0].getsockname()[1])
        await mail.queue("nobody@example.org", "already_registered")
        assert await mail.send_one()
    assert await database.mails.count_documents({}) == 0


async def test_the_outbox_sends_by_itself(database: Database, clock: MovingClock) -> None:
    """Soon after it was queued, while the worker runs."""
    async with open_sink(database, clock) as port:
        mail = outbox(database, clock, port)
        async with mail.running():
            await mail.queue("anna@example.org", "already_registered")
            for _ in range(500):
                if await DevMails(database, clock).newest():
                    break
                await asyncio.sleep(0.01)
    assert len(await DevMails(database, clock).newest()) == 1


async def test_d4_a_line_break_makes_no_header(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """An address that smuggles one is refused by the mail itself, whatever came before."""
    mail = outbox(database, clock, dead_port)
    letter = Stationery("https://x").write(
        "anna@example.org\r\nBcc: evil@example.net", "already_registered", {}
    )
    with pytest.raises(ValueError, match=r"newline|linefeed|carriage"):
        mail._message(letter)
    await mail.queue("anna@example.org\r\nBcc: evil@example.net", "already_registered")
    assert await mail.send_one()
    assert await database.mails.count_documents({}) == 0


def test_a_mail_says_who_it_is_from_and_that_nobody_wrote_it() -> None:
    """So that out-of-office replies do not answer it."""
    settings = config.settings.load(mode="test", mail_from="Fit <no-reply@fit.example.org>")
    mail = Mail(settings, _NoDatabase(), Seal(KEYS, "mail"), MovingClock())  # type: ignore[arg-type]
    letter = Stationery("https://x").write("anna@example.org", "already_registered", {})
    message = message_from_bytes(bytes(mail._message(letter)), policy=policy.default)
    assert message["From"] == "Fit <no-reply@fit.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@fit.example.org>")


class _NoDatabase:
    mails = users = None
