"""Mails: written, kept until a server takes them, and never more than they should be."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

import config.settings
from config.settings import Settings
from fittracker.devmail import DevMails, open_sink
from fittracker.errors import Conflict
from fittracker.ids import new_id
from fittracker.letters import Urgency
from fittracker.mail import Mail
from fittracker.mongo import Database, Session, open_database, transact
from fittracker.postman import ServerAway
from fittracker.profile import new_person
from fittracker.sealing import Seal
from fittracker.stationery import Stationery
from tests.mail_server import MailServer, open_mail_server
from tests.moving_clock import MovingClock

KEYS = (("k1", "a-secret-of-more-than-thirty-two-bytes"),)
ORIGIN = "https://fit.example.org"
LINK = f"{ORIGIN}/verify?token=ftv_secret"
VERIFY: dict[str, Any] = {"link": LINK, "minutes": 60}
BOOKING: dict[str, Any] = {
    "happened": "confirmed",
    "reader": "athlete",
    "other": "Tina Trainer",
    "start": "2026-11-30T17:00:00.000Z",
    "before": None,
    "minutes": 60,
    "place": None,
    "price": 4_900,
    "currency": "EUR",
    "link": f"{ORIGIN}/bookings/1",
}


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
async def database(mongo_url: str, fresh_database: str) -> AsyncIterator[Database]:
    async with open_database(mongo_url, fresh_database) as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    """A mail server that takes everything."""
    async with open_mail_server() as opened:
        yield opened


def outbox(database: Database, clock: MovingClock, port: int, **changes: Any) -> Mail:
    """The outbox of one worker, sending to a port of this machine."""
    settings: Settings = config.settings.load(
        mode="test", smtp_port=port, smtp_security="none", public_origin=ORIGIN, **changes
    )
    return Mail(settings, database, Seal(KEYS, "mail"), clock)


async def send_all(mail: Mail) -> None:
    """As a worker does while something is due."""
    while await mail.send_one():
        pass
    await mail._postman.rest()


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
        await mail.queue("anna@example.org", "verify_email", **VERIFY)
        await send_all(mail)
    (arrived,) = await DevMails(database, clock).newest("anna@example.org")
    assert arrived["subject"] == "Confirm your e-mail address"
    assert LINK in arrived["text"]
    assert f'href="{LINK}"' in arrived["html"]
    assert await database.mails.count_documents({}) == 0


async def test_what_waits_cannot_be_read_in_the_database(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """Neither the link nor to whom it goes."""
    await outbox(database, clock, dead_port).queue("anna@example.org", "verify_email", **VERIFY)
    stored = str(await database.mails.find_one())
    assert "ftv_secret" not in stored
    assert "anna@example.org" not in stored


# -- servers that are away, or refuse --------------------------------------------------------------------


async def test_a_dead_mail_server_loses_nothing(
    database: Database, clock: MovingClock, dead_port: int, server: MailServer
) -> None:
    """A mail is tried again after 5, 10, 20 s, at last every 5 minutes, and sent when the server is back."""
    mail = outbox(database, clock, dead_port)
    await mail.queue("anna@example.org", "already_registered")
    for pause in (5, 10, 20, 40, 80, 160, 300, 300):
        with pytest.raises(ServerAway):
            await mail.send_one()
        clock.advance(pause - 1)
        assert not await mail.send_one()
        clock.advance(1.1)
    await send_all(outbox(database, clock, server.port))
    assert server.recipients == ["anna@example.org"]


async def test_a_dead_mail_server_slows_nobody(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """A round ends at the first mail, so the others are due as soon as the server is back."""
    mail = outbox(database, clock, dead_port)
    for number in range(20):
        await mail.queue(f"person{number}@example.org", "already_registered")
    assert await mail._round()
    assert await database.mails.count_documents({"attempts": 0}) == 19


async def test_what_no_server_takes_for_two_days_is_given_up(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """Its links have long been worthless; the log says why, and not to whom."""
    mail = outbox(database, clock, dead_port)
    await mail.queue("anna@example.org", "already_registered")
    clock.advance(2 * 86_400 - 3)
    with capture_logs() as logs, pytest.raises(ServerAway):
        await mail.send_one()
    assert await database.mails.count_documents({}) == 0
    assert [each["event"] for each in logs] == ["mail_given_up"]
    assert "anna" not in str(logs)


async def test_a_recipient_who_does_not_exist_is_given_up_at_once(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """550 will be 550 tomorrow. The server repeats the address; the log does not."""
    server.on_rcpt = lambda address: f"550 there is no {address}"
    mail = outbox(database, clock, server.port)
    await mail.queue("nobody@example.org", "already_registered")
    with capture_logs() as logs:
        assert await mail.send_one()
    await mail._postman.rest()
    assert await database.mails.count_documents({}) == 0
    assert logs[-1]["reason"] == "SMTPRecipientRefused 550"
    assert "nobody@" not in str(logs)


async def test_a_greylisted_mail_arrives_at_the_next_attempt(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """It is told to come back later, and does."""
    server.on_rcpt = lambda _address: "450 4.7.1 greylisted, come back later"
    mail = outbox(database, clock, server.port)
    await mail.queue("anna@example.org", "already_registered")
    await send_all(mail)
    server.on_rcpt = lambda _address: None
    await send_all(mail)
    assert server.recipients == []
    clock.advance(5.1)
    await send_all(mail)
    assert server.recipients == ["anna@example.org"]


async def test_a_poison_mail_holds_up_nobody(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """One at which the server hangs up, one it refuses, one that nobody can open: the others arrive."""

    async def choke(envelope: Any) -> str | None:
        if envelope.rcpt_tos == ["poison@example.org"]:
            server.hang_up()
            return "250 said to nobody"
        return None

    server.on_data = choke
    server.on_rcpt = lambda address: "554 no" if address == "refused@example.org" else None
    mail = outbox(database, clock, server.port)
    for name in ("poison", "refused", "broken", "anna", "ben"):
        await mail.queue(f"{name}@example.org", "already_registered")
        clock.advance(0.01)
    (broken,) = await database.mails.find({}, sort=[("_id", 1)]).skip(2).limit(1).to_list()
    sealed = {"kid": "k1", "data": b"nonsense of some length, unsealable"}
    await database.mails.update_one({"_id": broken["_id"]}, {"$set": {"letter": sealed}})
    await send_all(mail)
    assert server.recipients == ["anna@example.org", "ben@example.org"]
    (left,) = await database.mails.find({}).to_list()
    assert left["attempts"] == 1
    assert left["next_at"] > clock.utc()


# -- workers -------------------------------------------------------------------------------------------


class _Killed(BaseException):
    """What SIGKILL leaves of a worker."""


async def _die(_mail: Any) -> None:
    raise _Killed


async def test_a_worker_that_dies_while_sending_is_followed_by_another(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """The mail may come twice but never not at all; twice it has the same id, for programs to fold."""
    dying = outbox(database, clock, server.port)
    dying._outbox.done = _die  # type: ignore[method-assign]
    await dying.queue("anna@example.org", "already_registered")
    with pytest.raises(_Killed):
        await dying.send_one()
    workers = [outbox(database, clock, server.port) for _ in range(5)]
    assert not any([await worker.send_one() for worker in workers]), "it is leased for a minute"
    clock.advance(61)
    results = await asyncio.gather(*(worker.send_one() for worker in workers))
    assert sorted(results) == [False] * 4 + [True]
    assert len(server.mails) == 2
    assert len({each["Message-ID"] for each in server.mails}) == 1
    assert len({each["Date"] for each in server.mails}) == 1
    assert await database.mails.count_documents({}) == 0
    for worker in (dying, *workers):
        await worker._postman.rest()


async def test_many_workers_share_the_work_over_a_connection_each(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """Every mail arrives once, and nobody makes a connection for each."""
    workers = [outbox(database, clock, server.port) for _ in range(4)]
    everybody = [f"person{number}@example.org" for number in range(80)]
    for to in everybody:
        await workers[0].queue(to, "already_registered")
    await asyncio.gather(*map(send_all, workers))
    assert sorted(server.recipients) == sorted(everybody)
    assert server.connections <= 4


async def test_what_is_urgent_goes_first(database: Database, clock: MovingClock, server: MailServer) -> None:
    """A link that lives an hour does not stand in line behind the weekly summaries."""
    mail = outbox(database, clock, server.port)
    letter = Stationery(ORIGIN).write("anna@example.org", "already_registered", {})
    for urgency in (Urgency.NEWS, Urgency.BUSINESS, Urgency.SECURITY):
        named = msgspec.structs.replace(letter, to=f"{urgency.name.lower()}@example.org")
        sealed = Seal(KEYS, "mail").close(msgspec.json.encode(named))
        more = {"message_id": f"<{urgency}@example.org>", "user": None, "kind": None}
        await mail._outbox.put("already_registered", sealed, urgency, None, **more)
        clock.advance(1)
    await send_all(mail)
    assert [each.partition("@")[0] for each in server.recipients] == ["security", "business", "news"]


async def test_mails_that_wait_for_later_are_not_looked_at(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """The index leads past a thousand of them."""
    later = clock.utc() + timedelta(hours=1)
    rows = [{"_id": str(number), "urgency": number % 3, "next_at": later} for number in range(1_000)]
    await database.mails.insert_many(rows)
    await outbox(database, clock, dead_port).queue("anna@example.org", "already_registered")
    query = {"urgency": {"$in": [0, 1, 2]}, "next_at": {"$lte": clock.utc()}}
    found = await database.mails.find(query).sort([("urgency", 1), ("next_at", 1)]).limit(1).explain()
    assert found["executionStats"]["nReturned"] == 1
    assert found["executionStats"]["totalKeysExamined"] < 10


async def test_the_outbox_sends_by_itself(database: Database, clock: MovingClock, server: MailServer) -> None:
    """Soon after it was queued, while the worker runs."""
    mail = outbox(database, clock, server.port)
    arrived = asyncio.Event()

    async def note(_envelope: Any) -> None:
        arrived.set()

    server.on_data = note
    async with mail.running():
        await mail.queue("anna@example.org", "already_registered")
        async with asyncio.timeout(10):
            await arrived.wait()
    assert len(server.mails) == 1


async def test_the_mail_at_hand_is_brought_to_its_end(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """A worker that is to end says goodbye to the server, and leaves the other mails to others."""
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(_envelope: Any) -> None:
        begun.set()
        await goes_on.wait()

    server.on_data = slow
    mail = outbox(database, clock, server.port)
    for name in ("anna", "ben"):
        await mail.queue(f"{name}@example.org", "already_registered")
    async with mail.running():
        await begun.wait()
        asyncio.get_running_loop().call_later(0.05, goes_on.set)
    assert len(server.mails) == 1
    assert await database.mails.count_documents({}) == 1


def _gauge(name: str) -> float:
    return REGISTRY.get_sample_value(f"fittracker_mails_{name}") or 0.0


async def test_the_gauges_say_how_many_wait_and_for_how_long(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """An outbox that grows old is the first sign of a mail server that takes nothing."""
    mail = outbox(database, clock, dead_port)
    await mail._outbox.measure()
    assert (_gauge("waiting"), _gauge("oldest_seconds")) == (0, 0)
    await mail.queue("anna@example.org", "already_registered")
    clock.advance(100)
    await mail.queue("ben@example.org", "already_registered")
    await mail._outbox.measure()
    assert _gauge("waiting") == 2
    assert 100 <= _gauge("oldest_seconds") < 130


# -- who gets what ---------------------------------------------------------------------------------------


async def somebody(database: Database, **preferences: Any) -> str:
    """A person in the database; their id."""
    user = new_id()
    person = new_person(user, f"{user}@example.org", "Anna", "user", datetime.now(UTC), {})
    zone = {"time_zone": "Asia/Kolkata", "preferences": preferences}
    await database.users.insert_one({**person, **zone})
    return user


def notified(kind: str, on: bool) -> dict[str, Any]:
    """Preferences in which mails of a kind are on or off."""
    return {"notifications": {kind: {"mail": on}}}


async def test_who_has_turned_a_kind_off_is_not_written_to(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """Neither where it was off when the mail was written, nor where it was turned off while it waited."""
    mail = outbox(database, clock, server.port)
    for on in (False, True):
        user = await somebody(database, **notified("booking", on))
        await mail.queue(f"{user}@example.org", "booking", user=user, **BOOKING)
    assert await database.mails.count_documents({}) == 1
    await database.users.update_one({"_id": user}, {"$set": {"preferences": notified("booking", False)}})
    assert await mail.send_one()
    assert server.mails == []
    assert await database.mails.count_documents({}) == 0


async def test_a_mail_of_a_kind_can_be_stopped_with_one_click(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """By the headers of RFC 8058 and by a link at its foot; one about the account can not."""
    mail = outbox(database, clock, server.port)
    user = await somebody(database)
    await mail.queue(f"{user}@example.org", "booking", **BOOKING)
    await mail.queue(f"{user}@example.org", "already_registered")
    await send_all(mail)
    account, booking = server.mails
    assert account["List-Unsubscribe"] is None
    assert booking["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(booking["List-Unsubscribe"]).strip("<>")
    assert link.startswith(f"{ORIGIN}/api/v1/mail/unsubscribe?token=ftu_{user}.booking.")
    for kind in ("plain", "html"):
        part = booking.get_body((kind,))
        assert part is not None
        assert link in part.get_content()


async def test_moments_are_those_of_the_person(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """By the id where it is said, else by the address; in UTC for who is not known."""
    mail = outbox(database, clock, server.port)
    user = await somebody(database)
    where = {"at": "2026-11-24T09:00:00.000Z", "device": "Phone", "address": "203.0.113.9"}
    await mail.queue(f"{user}@example.org", "password_changed", **where)
    await mail.queue("old@example.org", "email_changed", user=user, **where)
    await mail.queue("stranger@example.org", "password_changed", **where)
    await send_all(mail)
    texts = [part.get_content() for each in server.mails if (part := each.get_body(("plain",)))]
    assert ["14:30 IST (Asia/Kolkata)" in text for text in texts] == [True, True, False]
    assert "09:00 UTC" in texts[2]


async def test_what_is_no_mail_of_ours_is_refused_where_it_is_caused(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """A template that is not there, values that are not its own, a link that leads elsewhere."""
    mail = outbox(database, clock, dead_port)
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("no_such", {}),
        ("verify_email", {"link": LINK}),
        ("verify_email", {"link": "https://evil.example/?", "minutes": 60}),
        ("verify_email", {"link": f"{ORIGIN}.evil.example/", "minutes": 60}),
        ("already_registered", {"name": "Anna"}),
    ]
    for template, values in wrong:
        with pytest.raises(ValueError, match=r"no mail|takes|elsewhere"):
            await mail.queue("anna@example.org", template, **values)
    assert await database.mails.count_documents({}) == 0


async def test_a_mail_of_a_transaction_that_fails_was_never_written(
    database: Database, clock: MovingClock, dead_port: int
) -> None:
    """Whoever tells of a change in the same transaction never tells of one that did not happen."""
    mail = outbox(database, clock, dead_port)

    async def work(session: Session) -> None:
        await mail.queue("anna@example.org", "already_registered", session=session)
        raise Conflict("no")

    with pytest.raises(Conflict):
        await transact(database, work)
    assert await database.mails.count_documents({}) == 0


async def test_D4_a_line_break_makes_no_header(
    database: Database, clock: MovingClock, server: MailServer
) -> None:
    """An address that smuggles one is refused by the mail itself, whatever came before."""
    mail = outbox(database, clock, server.port)
    await mail.queue("anna@example.org\r\nBcc: evil@example.net", "already_registered")
    with contextlib.suppress(ServerAway):
        await send_all(mail)
    assert server.connections == 0
    assert await database.mails.count_documents({}) == 0
