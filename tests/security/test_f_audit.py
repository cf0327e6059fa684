"""F6: what is audited, caused through the front door and read by an administrator."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from fittracker.audit import EVENTS
from fittracker.audit_chain import Head
from tests.handlers.api import PASSWORD, Api, Person, eventually
from tests.handlers.test_second_factor import turned_on
from tests.security.test_a_accounts import NEXT, reset

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def ada(api: Api) -> Person:
    """An administrator."""
    return await api.admin("Ada")


async def log(ada: Person, **filters: str) -> list[dict[str, Any]]:
    """What the log says, oldest first."""
    answer = await ada.get("/admin/audit", params={"limit": "100", **filters})
    assert answer.status == 200, answer.raw
    return list(reversed(answer.data["items"]))


async def events(ada: Person, **filters: str) -> list[str]:
    """The names alone."""
    return [each["event"] for each in await log(ada, **filters) if each["event"] != "admin.looked"]


async def test_F6_the_life_of_an_account_is_in_the_log(api: Api, ada: Person) -> None:
    """Registering, proving, signing in and failing to, passwords, addresses; from where, by which request."""
    anna = await api.person()
    await anna.try_to_sign_in("not the password")
    await reset(api, anna)
    anna.password = NEXT
    await anna.sign_in()
    body = {"current": NEXT, "password": "hedgehogs-sleep-in-leaves-19"}
    assert (await anna.post("/auth/password/change", body)).status == 204
    address = "new-" + anna.email
    current = {"current": body["password"], "email": address}
    assert (await anna.post("/auth/email/change", current)).status == 202
    mail = await api.mail_to(address, "")
    token = str(mail["text"]).split("?token=")[1].split()[0]
    assert (await api.post("/auth/email/confirm", {"token": token})).status == 204
    assert await events(ada, target=anna.id) == [
        "account.registered",
        "account.verified",
        "login.succeeded",
        "login.failed",
        "password.reset_requested",
        "password.reset",
        "login.succeeded",
        "password.changed",
        "email.change_requested",
        "email.changed",
    ]
    for entry in await log(ada, target=anna.id):
        assert entry["address"] == "127.0.0.1"
        assert len(entry["request"]) == 24
        assert entry["at"].endswith("Z")
    changed = (await log(ada, target=anna.id, event="password.changed"))[0]
    assert (changed["actor"], changed["target"]) == (anna.id, anna.id)


async def test_F6_a_lock_and_a_stolen_token_are_in_the_log(api: Api, ada: Person) -> None:
    """The one once, however many go on guessing."""
    anna, bob = await api.person(), await api.person("Bob")
    for _ in range(8):
        await anna.try_to_sign_in("not the password")
    assert (await events(ada, target=anna.id, event="login.locked")) == ["login.locked"]
    used = bob.refresh
    assert (await api.post("/auth/refresh", {"refresh_token": used})).status == 200
    api.clock.advance(60)
    assert (await api.post("/auth/refresh", {"refresh_token": used})).status == 401

    async def told() -> bool:
        return (await events(ada, target=bob.id, event="token.reused")) == ["token.reused"]

    await eventually(told, "the reuse is in the log")


async def test_F6_second_factors_grants_and_tokens_are_in_the_log(api: Api, ada: Person) -> None:
    """Given and taken back, by whom and to whom."""
    app = await turned_on(api)
    anna, tina = app.person, await api.person("Tina", role="trainer")
    assert (await app.sign_in(app.recovery[0])).status == 200
    body = {"current": PASSWORD, "code": app.code()}
    assert (await anna.post("/auth/totp/disable", body)).status == 204
    grant = await anna.post("/grants", {"trainer": tina.id, "data": ["heart_rate"]})
    assert (await anna.delete(f"/grants/{grant.data['id']}")).status == 204
    made = await anna.post("/auth/device-tokens", {"name": "Watch", "scopes": ["telemetry:write"]})
    assert (await anna.delete(f"/auth/device-tokens/{made.data['id']}")).status == 204
    found = await events(ada, actor=anna.id)
    expected = [
        "totp.enabled",
        "totp.disabled",
        "grant.given",
        "grant.ended",
        "device_token.created",
        "device_token.revoked",
    ]
    assert [each for each in found if each in expected] == expected
    assert "recovery_code.used" in await events(ada, target=anna.id)
    given = (await log(ada, actor=anna.id, event="grant.given"))[0]
    assert given["detail"] == {"trainer": tina.id, "data": ["heart_rate"], "until": None}


async def test_F6_what_administrators_do_is_in_the_log_and_so_is_what_was_denied(
    api: Api, ada: Person
) -> None:
    """Roles, disabling, ended sessions, and looking at the log itself."""
    anna = await api.person()
    assert (await anna.get("/admin/audit")).status == 403
    for change in ({"role": "trainer"}, {"disabled": True}, {"disabled": False}):
        assert (await ada.patch(f"/admin/users/{anna.id}", {"reason": "staff", **change})).status == 200
    assert (await ada.delete(f"/admin/users/{anna.id}/sessions")).status == 204

    async def denied() -> list[str]:
        return await events(ada, actor=anna.id, event="access.denied")

    assert await eventually(denied, "the refusal is in the log") == ["access.denied"]
    done = await events(ada, target=anna.id, actor=ada.id)
    assert done == ["role.changed", "account.disabled", "account.enabled", "admin.sessions_ended"]
    looked = (await log(ada, actor=ada.id, event="admin.looked"))[-1]
    assert looked["target"] == ada.id


async def test_F6_exports_and_deletions_are_in_the_log(api: Api, ada: Person) -> None:
    """And what is undone."""
    anna = await api.person()
    assert (await anna.post("/users/me/export")).status == 202
    assert (await anna.delete("/users/me", json={"current": PASSWORD})).status in {202, 204}
    mail = await api.mail_to(anna.email, "delet")
    token = str(mail["text"]).split("?token=")[1].split()[0]
    assert (await api.post("/auth/deletion/undo", {"token": token})).status == 204
    found = await events(ada, target=anna.id)
    wanted = ["data.exported", "account.deletion_requested", "account.deletion_undone"]
    assert [each for each in found if each in wanted] == wanted


async def test_F6_the_log_holds_no_address_name_or_secret(api: Api, ada: Person) -> None:
    """It outlives the account: ids and plain words only."""
    anna = api.stranger("Annabella")
    await anna.register()
    await anna.verify()
    await anna.sign_in()
    await anna.try_to_sign_in("a wrong password of hers")
    entries = await api.contexts.database.audit.find().to_list()
    text = repr(entries)
    for secret in (anna.email, "Annabella", anna.access, anna.refresh, "a wrong password of hers", PASSWORD):
        assert secret not in text
    assert "@" not in text


async def test_F7_after_all_this_the_chain_verifies(api: Api) -> None:
    """Whatever was written side by side."""
    assert isinstance(await api.contexts.audit_keeping.verify(), Head)


def test_F6_every_event_is_recorded_somewhere() -> None:
    """A name that nothing records would promise what does not happen."""
    texts = {
        node.value
        for file in (*ROOT.glob("fittracker/**/*.py"), *ROOT.glob("handlers/*.py"), *ROOT.glob("ws/*.py"))
        if file.name != "audit.py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert sorted(EVENTS - texts) == []
