"""The second factor as an app uses it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from fittracker.auth.one_time_codes import code_at
from fittracker.caller import SYSTEM
from tests.handlers.api import PASSWORD, Answer, Api, Person

STEP_S = 30


@dataclass
class App:
    """An authenticator app, and the sheet of paper beside it."""

    api: Api
    person: Person
    key: str
    recovery: list[str]

    def code(self, steps: int = 0) -> str:
        """What it shows, so many steps from now."""
        return code_at(self.key, self.api.clock.now() + steps * STEP_S)

    async def sign_in(self, code: str | None) -> Answer:
        """With the password, and perhaps a code."""
        body = {"email": self.person.email, "password": self.person.password}
        return await self.api.post("/auth/login", body if code is None else body | {"totp": code})


async def turned_on(api: Api) -> App:
    """Somebody with a second factor, in whose app a new code is shown."""
    person = await api.person()
    started = (await person.post("/auth/totp/start")).data
    app = App(api, person, started["secret"], [])
    answer = await person.post("/auth/totp/confirm", {"code": app.code()})
    assert answer.status == 200, answer.raw
    app.recovery = answer.data["recovery_codes"]
    api.clock.advance(STEP_S)
    return app


async def test_anna_turns_the_second_factor_on_and_needs_it_from_then_on(api: Api) -> None:
    """Nothing changes until a code was confirmed; her app gets all that it needs; she is told by mail."""
    anna = await api.person()
    started = (await anna.post("/auth/totp/start")).data
    parts = urlsplit(started["uri"])
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parse_qs(parts.query)["secret"] == [started["secret"]]
    assert (await anna.try_to_sign_in()).status == 200
    app = App(api, anna, started["secret"], [])
    wrong = await anna.post("/auth/totp/confirm", {"code": app.code(10)})
    assert (wrong.status, wrong.fields) == (422, {"code": "is wrong"})
    confirmed = await anna.post("/auth/totp/confirm", {"code": app.code()})
    assert len(set(confirmed.data["recovery_codes"])) == 10
    missing = await app.sign_in(None)
    assert (missing.status, missing.code) == (401, "totp_required")
    api.clock.advance(STEP_S)
    assert (await app.sign_in(app.code())).status == 200
    await api.mail_to(anna.email, "The second factor was turned on")


async def test_only_who_knows_the_password_learns_of_the_second_factor(api: Api) -> None:
    """With a wrong password the answer is that of everybody, whatever code comes with it."""
    app = await turned_on(api)
    app.person.password = "something else entirely"
    for code in (None, app.code()):
        answer = await app.sign_in(code)
        assert (answer.status, answer.code) == (401, "unauthenticated")
    app.person.password = PASSWORD
    assert (await app.sign_in(app.code())).status == 200  # the code was not used up


async def test_A12_a_code_works_once_even_for_twenty_at_once(api: Api) -> None:
    """One of them wins. (Twenty at once would lock the account, had not each got its own chance first.)"""
    app = await turned_on(api)
    person = await api.contexts.database.users.find_one({"_id": app.person.id})
    assert person is not None
    factor, code = api.contexts.accounts.second_factor, app.code()
    won = await asyncio.gather(*(factor.spend(person, code, SYSTEM) for _ in range(20)))
    assert won.count(True) == 1
    assert (await app.sign_in(code)).code == "totp_required"
    assert (await app.sign_in(app.code(1))).status == 200


async def test_A12_four_sign_ins_at_once_with_one_code_make_one_session(api: Api) -> None:
    """The same through the front door, below the lockout."""
    app = await turned_on(api)
    code = app.code()
    answers = await asyncio.gather(*(app.sign_in(code) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]


async def test_A12_an_older_code_is_worth_nothing_once_a_newer_one_was_used(api: Api) -> None:
    """Also one that was never used; a telephone may be 30 seconds off, but no more."""
    app = await turned_on(api)
    api.clock.advance(4 * STEP_S)
    before, present, next_one = app.code(-1), app.code(), app.code(1)
    for far in (app.code(-2), app.code(2)):
        assert (await app.sign_in(far)).status == 401
    assert (await app.sign_in(present)).status == 200
    assert (await app.sign_in(before)).status == 401
    assert (await app.sign_in(next_one)).status == 200


async def test_A12_recovery_codes_are_hashed_and_work_once(api: Api) -> None:
    """However they are typed; each use is told with how many are left."""
    app = await turned_on(api)
    stored = await api.contexts.database.users.find_one({"_id": app.person.id})
    assert stored is not None
    assert not any(code in str(stored) or code.replace("-", "") in str(stored) for code in app.recovery)
    assert app.key not in str(stored)
    typed = app.recovery[0].upper().replace("-", " ")
    answers = await asyncio.gather(*(app.sign_in(typed) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    mail = await api.mail_to(app.person.email, "A recovery code was used")
    assert "9" in mail["text"]
    assert (await app.sign_in(app.recovery[0])).status == 401
    assert (await app.sign_in(app.recovery[1])).status == 200
    events = [
        (each["event"], each["detail"])
        async for each in api.contexts.database.audit.find({"target": app.person.id})
    ]
    assert ("recovery_code.used", {"left": 9}) in events
    assert ("recovery_code.used", {"left": 8}) in events


async def test_A9_guessing_codes_locks_like_guessing_passwords(api: Api) -> None:
    """And while it is locked, the right code and password get the answer of everybody."""
    app = await turned_on(api)
    answers = [await app.sign_in(f"{n:06d}") for n in range(5)]
    assert {each.code for each in answers} == {"totp_required"}
    locked = await app.sign_in(app.code())
    assert (locked.status, locked.code) == (401, "unauthenticated")


async def test_a_missing_code_is_no_failure(api: Api) -> None:
    """An app asks for it when it is told to; doing so every day must lock nobody out."""
    app = await turned_on(api)
    for _ in range(12):
        assert (await app.sign_in(None)).code == "totp_required"
    assert (await app.sign_in(app.code())).status == 200


async def test_turning_it_off_needs_password_and_code(api: Api) -> None:
    """Then signing in is as before; the owner is told."""
    app = await turned_on(api)
    path, person = "/auth/totp/disable", app.person
    wrong_password = await person.post(path, {"current": "wrong guess", "code": app.code()})
    assert (wrong_password.status, wrong_password.fields) == (422, {"current": "is wrong"})
    wrong_code = await person.post(path, {"current": PASSWORD, "code": app.code(10)})
    assert (wrong_code.status, wrong_code.fields) == (422, {"code": "is wrong"})
    assert (await person.post(path, {"current": PASSWORD, "code": app.code()})).status == 204
    assert (await app.sign_in(None)).status == 200
    await api.mail_to(person.email, "The second factor was turned off")
    assert (await person.post(path, {"current": PASSWORD, "code": app.code(1)})).status == 409
    events = [each["event"] async for each in api.contexts.database.audit.find({"target": person.id})]
    assert "totp.enabled" in events
    assert "totp.disabled" in events


async def test_codes_for_turning_it_off_cannot_be_guessed_by_who_knows_the_password(api: Api) -> None:
    """The right password does not forgive the wrong codes."""
    app = await turned_on(api)
    for n in range(5):
        await app.person.post("/auth/totp/disable", {"current": PASSWORD, "code": f"{n:06d}"})
    answer = await app.person.post("/auth/totp/disable", {"current": PASSWORD, "code": app.code()})
    assert (answer.status, answer.fields) == (422, {"current": "is wrong"})
    assert (await app.person.post("/auth/totp/start")).status == 409


async def test_what_is_on_cannot_be_started_anew(api: Api) -> None:
    """Whoever holds a stolen session would replace the app; nor is there anything to confirm."""
    app = await turned_on(api)
    assert (await app.person.post("/auth/totp/start")).status == 409
    assert (await app.person.post("/auth/totp/confirm", {"code": app.code()})).status == 409
    other = await api.person()
    assert (await other.post("/auth/totp/confirm", {"code": "123456"})).status == 409


async def test_a_password_reset_leaves_the_second_factor_on(api: Api) -> None:
    """Whoever reads the mails has only one of two."""
    app = await turned_on(api)
    await api.post("/auth/password/forgot", {"email": app.person.email})
    mail = await api.mail_to(app.person.email, "Choose a new password")
    token = str(mail["text"]).split("?token=")[1].split()[0]
    app.person.password = "badgers-dig-tunnels-at-41"
    body = {"token": token, "password": app.person.password}
    assert (await api.post("/auth/password/reset", body)).status == 204
    assert (await app.sign_in(None)).code == "totp_required"
    assert (await app.sign_in(app.code())).status == 200
