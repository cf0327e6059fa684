"""The mail box of a developer's machine."""

from __future__ import annotations

from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from fittracker.app import build_app
from tests.handlers.api import Api


async def test_in_development_the_mails_can_be_read(settings: Settings, api: Api) -> None:
    """Newest first, all of them or those to one address."""
    anna = api.stranger()
    await anna.register()
    await api.mail_to(anna.email)
    async with TestClient(TestServer(build_app(settings.with_changes(mode="development")))) as client:
        async with client.get("/dev/mail", params={"to": anna.email}) as response:
            mails = await response.json()
        assert [set(each) for each in mails] == [{"to", "subject", "text", "html", "at"}]
        assert mails[0]["to"] == anna.email
        async with client.get("/dev/mail") as response:
            assert len(await response.json()) >= 1


async def test_anywhere_else_there_is_no_such_box(api: Api) -> None:
    """It holds links that open accounts."""
    async with api.client.get("/dev/mail") as response:
        assert response.status == 404
