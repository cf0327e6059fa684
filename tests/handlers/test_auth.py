"""Accounts, sessions and tokens, as an app uses them."""

from __future__ import annotations

import asyncio

import structlog

from tests.handlers.api import PASSWORD, Api, eventually


async def test_anna_registers_proves_her_address_and_signs_in(api: Api) -> None:
    """The way everybody comes in; what she told of herself is in her profile."""
    anna = api.stranger()
    await anna.register(birth_date="1990-02-03", sex="female", weight_kg=60)
    await anna.verify()
    signed_in = await anna.sign_in()
    assert signed_in["token_type"] == "Bearer"
    assert signed_in["expires_in"] == 900
    assert signed_in["user"]["email"] == anna.email
    me = (await anna.get("/users/me")).data
    assert (me["birth_date"], me["sex"], me["weight_kg"], me["role"]) == ("1990-02-03", "female", 60, "user")


async def test_A7_the_link_points_to_our_origin_whatever_host_was_asked(api: Api) -> None:
    """Else a forged Host header would mail tokens to somebody else's server."""
    anna = api.stranger()
    body = {"email": anna.email, "password": PASSWORD, "name": "Anna"}
    await api.post("/auth/register", body, headers={"Host": "evil.example.net"})
    mail = await api.mail_to(anna.email)
    assert "https://fit.example.org/verify?token=" in mail["text"]
    assert "https://fit.example.org/verify?token=" in mail["html"]
    assert "evil" not in mail["text"] + mail["html"]


async def test_A4_without_the_mailed_link_nobody_signs_in(api: Api) -> None:
    """The answer is that of a wrong password, to the letter."""
    anna = api.stranger()
    await anna.register()
    unverified = await anna.try_to_sign_in()
    await anna.verify()
    wrong = await anna.try_to_sign_in("something else entirely")
    nobody = await api.stranger().try_to_sign_in()
    for refused in (unverified, wrong, nobody):
        assert refused.status == 401
        data = refused.data
        del data["request_id"]
        assert data == {
            "type": "urn:fittracker:error:unauthenticated",
            "title": "Sign in first",
            "status": 401,
            "code": "unauthenticated",
            "detail": "The e-mail address or the password is wrong.",
        }


async def test_A5_a_taken_address_gets_the_same_answer_and_its_owner_a_mail(api: Api) -> None:
    """Registering must not tell who has an account; nothing of the account changes."""
    anna = await api.person()
    free, taken = api.stranger(), api.stranger()
    taken.email, taken.password = anna.email.upper(), "another-long-secret-of-mine"
    first, second = await free.register(), await taken.register(role="trainer")
    assert (first.status, first.raw) == (second.status, second.raw)
    mail = await api.mail_to(anna.email, "You have an account already")
    assert "token" not in mail["text"]
    assert (await taken.try_to_sign_in()).status == 401
    assert (await anna.sign_in())["user"]["role"] == "user"


async def test_who_proves_the_address_last_registered_decides(api: Api) -> None:
    """A password that somebody else chose in advance for Anna's address never becomes hers."""
    squatter = api.stranger("Mallory")
    squatter.password = "mallorys-secret-in-advance"
    await squatter.register()
    await api.mail_to(squatter.email)
    anna = api.stranger()
    anna.email = squatter.email
    await anna.register()
    token = await api.mailed_token(anna.email, count=2)
    assert (await api.post("/auth/verify", {"token": token})).status == 204
    assert (await squatter.try_to_sign_in()).status == 401
    assert (await anna.sign_in())["user"]["name"] == "Anna"


async def test_A11_twenty_registrations_of_one_address_in_any_spelling_make_one_account(api: Api) -> None:
    """Upper case, full width and all at once."""
    anna = api.stranger("Otto")
    name, _, domain = anna.email.partition("@")
    spellings = [
        anna.email.upper(),
        f" {name.title()}@{domain}",
        f"{name}@{domain.upper()}",
        f"{''.join(chr(ord(each) + 0xFEE0) for each in name)}@{domain}",
    ]
    bodies = [{"email": each, "password": PASSWORD, "name": "Otto"} for each in spellings * 5]
    answers = await asyncio.gather(*(api.post("/auth/register", body) for body in bodies))
    assert {answer.status for answer in answers} == {202}
    assert await api.contexts.database.users.count_documents({"email": anna.email}) == 1


async def test_A6_a_verification_link_works_once_even_for_twenty_at_once(api: Api) -> None:
    """One of them wins."""
    anna = api.stranger()
    await anna.register()
    token = await api.mailed_token(anna.email)
    answers = await asyncio.gather(*(api.post("/auth/verify", {"token": token}) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [204] + [422] * 19


async def test_A6_a_newer_link_kills_the_older_one(api: Api) -> None:
    """Only the last mail counts."""
    anna = api.stranger()
    await anna.register()
    old = await api.mailed_token(anna.email)
    assert (await api.post("/auth/verify/resend", {"email": anna.email})).status == 202
    new = await api.mailed_token(anna.email, count=2)
    assert old != new
    assert (await api.post("/auth/verify", {"token": old})).status == 422
    assert (await api.post("/auth/verify", {"token": new})).status == 204


async def test_A5_asking_for_a_link_tells_nothing_about_the_address(api: Api) -> None:
    """Unknown, verified and waiting look the same; the first two get no mail."""
    anna, waiting, nobody = await api.person(), api.stranger(), api.stranger()
    await waiting.register()
    answers = [
        await api.post("/auth/verify/resend", {"email": each.email}) for each in (anna, waiting, nobody)
    ]
    assert {(answer.status, answer.raw) for answer in answers} == {(202, b"")}
    await api.mail_to(waiting.email, count=2)
    await api.contexts.background.idle()
    assert len(await api.mails.newest(anna.email)) == 1
    assert await api.mails.newest(nobody.email) == []


async def test_nobody_can_flood_a_mail_box(api: Api) -> None:
    """Five mails an hour to one address, however often they are asked for."""
    anna = api.stranger()
    await anna.register()
    for _ in range(10):
        assert (await api.post("/auth/verify/resend", {"email": anna.email})).status == 202
        await api.contexts.background.idle()
    token = await api.mailed_token(anna.email, count=5)
    mails = api.contexts.database.mails

    async def all_sent() -> bool:
        return await mails.count_documents({}) == 0

    await eventually(all_sent, "the outbox is empty")
    assert len(await api.mails.newest(anna.email)) == 5
    assert (await api.post("/auth/verify", {"token": token})).status == 204


async def test_A1_weak_passwords_are_refused_with_a_reason(api: Api) -> None:
    """Short, common, and made of what everybody knows about her."""
    anna = api.stranger("Annabelle")
    for weak in ("short", "password1234", "Annabelle1990", anna.email, "fittracker-pro", "x" * 129):
        answer = await api.post(
            "/auth/register", {"email": anna.email, "password": weak, "name": "Annabelle"}
        )
        assert answer.status == 422, weak
        assert answer.fields.keys() == {"password"}


async def test_nobody_registers_as_admin_or_with_fields_of_ours(api: Api) -> None:
    """Privileged and unknown fields are refused, and no account is made."""
    anna = api.stranger()
    body = {"email": anna.email, "password": PASSWORD, "name": "Anna"}
    for more in ({"role": "admin"}, {"verified_at": "2026-01-01T00:00:00Z"}, {"_id": "a" * 24}, {"x": 1}):
        answer = await api.post("/auth/register", body | more)
        assert (answer.status, answer.code) == (422, "invalid")
        assert answer.fields.keys() == more.keys()
    assert await api.contexts.database.users.find_one({"email": anna.email}) is None


async def test_refreshing_gives_a_new_pair_and_uses_up_the_old_one(api: Api) -> None:
    """The new access token works; so does refreshing on and on."""
    anna = await api.person()
    for _ in range(3):
        answer = await api.post("/auth/refresh", {"refresh_token": anna.refresh})
        assert answer.status == 200
        assert answer.data["refresh_token"] != anna.refresh
        anna.access, anna.refresh = answer.data["access_token"], answer.data["refresh_token"]
        assert await anna.is_signed_in()


async def test_B9_a_client_that_missed_the_answer_may_ask_again_for_ten_seconds(api: Api) -> None:
    """It gets the same refresh token, ten times at once as well, and nobody is signed out."""
    anna = await api.person()
    answers = await asyncio.gather(
        *(api.post("/auth/refresh", {"refresh_token": anna.refresh}) for _ in range(10))
    )
    assert {answer.status for answer in answers} == {200}
    assert len({answer.data["refresh_token"] for answer in answers}) == 1
    assert (await api.post("/auth/refresh", answers[0].data | {}, headers={})).status == 422
    successor = answers[0].data["refresh_token"]
    assert (await api.post("/auth/refresh", {"refresh_token": successor})).status == 200


async def test_B9_a_stolen_refresh_token_ends_the_session_and_is_told(api: Api) -> None:
    """After ten seconds a used token is a theft: thief and owner are both out, and a mail says so."""
    anna = await api.person()
    first = anna.refresh
    answer = await api.post("/auth/refresh", {"refresh_token": first})
    anna.access, anna.refresh = answer.data["access_token"], answer.data["refresh_token"]
    api.clock.advance(11)
    stolen = await api.post("/auth/refresh", {"refresh_token": first})
    assert (stolen.status, stolen.code) == (401, "unauthenticated")
    assert not await anna.is_signed_in()
    assert (await api.post("/auth/refresh", {"refresh_token": anna.refresh})).status == 401
    await api.mail_to(anna.email, "signed one of your devices out")
    entry = await api.contexts.database.audit.find_one({"event": "token.reused", "target": anna.id})
    assert entry is not None
    assert entry["address"] == "127.0.0.1"


async def test_B9_a_token_two_generations_old_ends_the_session_at_once(api: Api) -> None:
    """The ten seconds are for the last one only."""
    anna = await api.person()
    token, first = anna.refresh, anna.refresh
    for _ in range(2):
        token = (await api.post("/auth/refresh", {"refresh_token": token})).data["refresh_token"]
    assert (await api.post("/auth/refresh", {"refresh_token": first})).status == 401
    assert (await api.post("/auth/refresh", {"refresh_token": token})).status == 401


async def test_what_is_no_refresh_token_is_refused(api: Api) -> None:
    """Garbage, an access token, a made-up session, a cut one: 401, and no session ends."""
    anna = await api.person()
    made_up = "ftr_" + "a" * 24 + "b" * 43
    for bad in ("x", anna.access, made_up, anna.refresh[:-1], anna.refresh + "A"):
        answer = await api.post("/auth/refresh", {"refresh_token": bad})
        assert (answer.status, answer.code) == (401, "unauthenticated"), bad
    assert await anna.is_signed_in()


async def test_B7_after_logout_nothing_of_the_session_works(api: Api) -> None:
    """Neither the access token nor the refresh token; other sessions go on."""
    anna = await api.person()
    phone = anna.access
    await anna.sign_in()
    assert (await anna.post("/auth/logout")).status == 204
    assert not await anna.is_signed_in()
    assert (await api.post("/auth/refresh", {"refresh_token": anna.refresh})).status == 401
    assert (await api.call("GET", "/users/me", phone)).status == 200


async def test_B10_logging_out_everywhere_ends_all_sessions(api: Api) -> None:
    """Also those on other devices."""
    anna = await api.person()
    phone = anna.access
    await anna.sign_in()
    assert (await anna.post("/auth/logout-all")).status == 204
    for token in (phone, anna.access):
        assert (await api.call("GET", "/users/me", token)).status == 401


async def test_B10_sessions_are_listed_and_ended_one_by_one(api: Api) -> None:
    """With what the device calls itself, made harmless; somebody else's session is not there at all."""
    anna, bob = await api.person(), await api.person("Bob")
    body = {"email": anna.email, "password": anna.password}
    phone = await api.post("/auth/login", body, headers={"User-Agent": "Phone\t7"})
    listed = (await anna.get("/auth/sessions")).data["items"]
    assert [each["current"] for each in listed].count(True) == 1
    other = next(each for each in listed if not each["current"])
    assert other["device"] == "Phone7"
    assert (await bob.delete(f"/auth/sessions/{other['id']}")).status == 404
    assert (await anna.delete(f"/auth/sessions/{other['id']}")).status == 204
    assert (await api.call("GET", "/users/me", phone.data["access_token"])).status == 401
    assert await anna.is_signed_in()
    assert (await anna.delete("/auth/sessions/none")).status == 404


async def test_an_access_token_ends_after_fifteen_minutes(api: Api) -> None:
    """The refresh token is still good then."""
    anna = await api.person()
    api.clock.advance(899)
    assert await anna.is_signed_in()
    api.clock.advance(2)
    assert not await anna.is_signed_in()
    assert (await api.post("/auth/refresh", {"refresh_token": anna.refresh})).status == 200


async def test_A12_a_device_token_does_nothing_but_its_scope(api: Api) -> None:
    """It is shown once, listed without itself, good on no route of REST, and dead once revoked."""
    anna, bob = await api.person(), await api.person("Bob")
    made = await anna.post("/auth/device-tokens", {"name": "Chest strap", "scopes": ["telemetry:write"]})
    assert made.status == 201
    token, token_id = made.data["token"], made.data["id"]
    assert token.startswith("ftd_")
    listed = (await anna.get("/auth/device-tokens")).data["items"]
    assert [each["name"] for each in listed] == ["Chest strap"]
    assert "token" not in listed[0]
    assert "fingerprint" not in listed[0]
    identity = await api.contexts.authenticator.authenticate(token)
    assert (identity.user, identity.scopes, identity.device) == (
        anna.id,
        frozenset({"telemetry:write"}),
        True,
    )
    assert (await api.call("GET", "/users/me", token)).status == 403
    assert (await bob.delete(f"/auth/device-tokens/{token_id}")).status == 404
    assert (await anna.delete(f"/auth/device-tokens/{token_id}")).status == 204
    assert (await api.call("GET", "/users/me", token)).status == 401


async def test_A12_device_tokens_have_known_scopes_only(api: Api) -> None:
    """Neither all nor none."""
    anna = await api.person()
    for scopes in (["admin"], ["telemetry:write", "*"], [], "telemetry:write"):
        answer = await anna.post("/auth/device-tokens", {"name": "x", "scopes": scopes})
        assert answer.status == 422, scopes


async def test_a_ticket_opens_one_socket_and_ends_after_thirty_seconds(api: Api) -> None:
    """One of twenty who redeem it gets in; it carries the end of the token that asked for it."""
    anna = await api.person()
    answer = await anna.post("/auth/ws-ticket")
    assert answer.data["expires_in"] == 30
    authenticator = api.contexts.authenticator
    results = await asyncio.gather(
        *(authenticator.redeem(answer.data["ticket"]) for _ in range(20)), return_exceptions=True
    )
    identities = [each for each in results if not isinstance(each, Exception)]
    assert len(identities) == 1
    assert identities[0].user == anna.id
    assert identities[0].expires_at == (await authenticator.authenticate(anna.access)).expires_at


async def test_the_answers_about_oneself_hold_no_secret(api: Api) -> None:
    """What is stored beside them, hashes and mailed tokens, stays there."""
    anna = await api.person()
    stored = await api.contexts.database.users.find_one({"_id": anna.id})
    assert stored is not None
    assert stored["password"].startswith("$2b$04$")
    seen = (await anna.get("/users/me")).raw + str(await anna.sign_in()).encode()
    assert stored["password"].encode() not in seen
    assert b"password" not in seen
    assert b"verif" not in seen


async def test_A9_guessing_locks_the_account_and_the_owner_comes_back_in_time(api: Api) -> None:
    """Few of fifty guesses are looked at; while it is locked the right password gets the same answer.

    How many exactly is told in tests/fittracker/auth/test_lockout.py, where Redis has all the time it wants.
    """
    anna = await api.person()
    with structlog.testing.capture_logs() as logs:
        wrong = await asyncio.gather(*(anna.try_to_sign_in(f"wrong guess {n}") for n in range(50)))
    outcomes = [each["about"]["outcome"] for each in logs if each["event"] == "login.failed"]
    assert len(outcomes) == 50
    assert outcomes.count("locked") >= 40
    assert {answer.status for answer in wrong} == {401}
    locked = await anna.try_to_sign_in()
    assert (locked.status, locked.data["detail"]) == (401, wrong[0].data["detail"])
    assert await anna.is_signed_in()
