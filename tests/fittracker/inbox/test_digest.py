"""Mails of what is unread: one for a kind, to who wants it, when it has been unread for a while."""

from __future__ import annotations

from typing import Any

from tests.fittracker.inbox.conftest import Town
from tests.mail_server import MailServer
from tests.patience import soon

ON: dict[str, Any] = {"notifications": {"social": {"mail": True}}}
LATER = 16 * 60


def mails_to(mails: MailServer, user: str) -> list[Any]:
    """Those that came for a person."""
    return [each for each in mails.mails if user in str(each["To"])]


async def came(town: Town, mails: MailServer, user: str, count: int = 1) -> None:
    """Wait until so many mails came; nobody waits for the next look into the outbox."""
    while await town.contexts.mail.send_one():
        pass
    await soon(lambda: len(mails_to(mails, user)) >= count, f"{count} mails")
    assert len(mails_to(mails, user)) == count


async def test_what_is_unread_for_a_while_comes_in_one_mail(town: Town, mails: MailServer) -> None:
    """With a link that stops its kind; once, also where more comes later."""
    anna, bert = await town.person(**ON), await town.person("Bert")
    for number in range(12):
        await town.happens(anna, bert, subject=f"post:{number}")
    await town.pass_time(60)
    assert mails_to(mails, anna) == []
    await town.pass_time(LATER)
    await came(town, mails, anna)
    (mail,) = mails_to(mails, anna)
    text = mail.get_body(("plain",)).get_content()
    assert mail["Subject"] == "12 new notifications"
    assert text.count("Bert liked your post") == 10
    assert "And 2 more." in text
    assert f"token=ftu_{anna}.social." in mail["List-Unsubscribe"]
    await town.happens(anna, bert, subject="post:13")
    await town.pass_time(LATER)
    await came(town, mails, anna, 2)
    assert mails_to(mails, anna)[1]["Subject"] == "A new notification"


async def test_what_was_read_meanwhile_is_not_mailed(town: Town, mails: MailServer) -> None:
    """Where that is all, there is no mail."""
    anna = await town.person(**ON)
    await town.happens(anna)
    await town.contexts.notifications.read(anna, None)
    await town.pass_time(LATER)
    assert await town.contexts.database.notification_deliveries.find_one({"user": anna}) is None
    assert await town.contexts.database.mails.find_one({"user": anna}) is None
    assert mails_to(mails, anna) == []


async def test_who_turns_it_off_while_it_waits_gets_none(town: Town, mails: MailServer) -> None:
    """Nor who never turned it on, nor for kinds that have mails of their own."""
    off, never, security = await town.person(**ON), await town.person(), await town.person()
    for user, kind in ((off, "social"), (never, "social"), (security, "security")):
        await town.happens(user, kind=kind)
    await town.contexts.database.users.update_one({"_id": off}, {"$set": {"preferences": {}}})
    await town.pass_time(LATER)
    for user in (off, never, security):
        assert await town.contexts.database.mails.find_one({"user": user}) is None
        assert mails_to(mails, user) == []


async def test_a_mail_waits_for_the_end_of_quiet_hours(town: Town, mails: MailServer) -> None:
    """As a push does."""
    local = town.clock.utc()
    quiet = {"from": f"{local:%H:%M}", "to": f"{(local.hour + 3) % 24:02d}:{local:%M}"}
    anna = await town.person(quiet_hours=quiet, **ON)
    await town.happens(anna)
    await town.pass_time(LATER)
    await town.send()
    assert mails_to(mails, anna) == []
    await town.pass_time(3 * 3_600)
    await came(town, mails, anna)


async def test_what_no_inbox_shows_is_mailed_and_then_over(town: Town, mails: MailServer) -> None:
    """Sockets off, mail on: it is never unread, and the next one is another one."""
    anna = await town.person(notifications={"social": {"mail": True, "socket": False, "push": False}})
    await town.happens(anna)
    await town.pass_time(LATER)
    await came(town, mails, anna)
    page = await town.contexts.notifications.page(anna, 10, None)
    assert (page.items, page.unread) == ([], 0)
    assert await town.contexts.database.notifications.find_one({"user": anna, "open": True}) is None
