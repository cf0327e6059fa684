"""Passwords and addresses that are forgotten, lost and changed, as an app does it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Any

from tests.handlers.api import PASSWORD, Answer, Api, Person, eventually

NEXT = "badgers-dig-tunnels-at-41"


async def reset_token(api: Api, email: str, count: int = 1) -> str:
    """The token in the newest link for a new password."""
    mail = await api.mail_to(email, "Choose a new password", count)
    return str(mail["text"]).split("?token=")[1].split()[0]


async def forgotten(api: Api, person: Person, count: int = 1) -> str:
    """Ask for a link, and wait for its mail; the token."""
    assert (await api.post("/auth/password/forgot", {"email": person.email})).status == 202
    return await reset_token(api, person.email, count)


async def reset(api: Api, token: str, password: str = NEXT) -> Answer:
    """Follow the link."""
    return await api.post("/auth/password/reset", {"token": token, "password": password})


async def change(person: Person, current: str, password: str) -> Answer:
    """Set another password, signed in."""
    return await person.post("/auth/password/change", {"current": current, "password": password})


async def new_address(api: Api, person: Person, email: str, count: int = 1) -> str:
    """Ask for another address; the token mailed there."""
    answer = await person.post("/auth/email/change", {"current": person.password, "email": email})
    assert answer.status == 202, answer.raw
    mail = await api.mail_to(email, "Confirm your new e-mail address", count)
    return str(mail["text"]).split("?token=")[1].split()[0]


async def audited(api: Api, person: Person, *expected: str) -> list[str]:
    """What the audit log says happened to somebody, in order, once it tells of these (as often)."""

    async def look() -> list[str]:
        entries = api.contexts.database.audit.find({"target": person.id}, sort=[("_id", 1)])
        found = [each["event"] async for each in entries]
        return found if Counter(expected) <= Counter(found) else []

    return await eventually(look, f"the audit log tells of {expected}")


# -- a forgotten password ------------------------------------------------------------------------------


async def test_A8_after_a_reset_everybody_has_to_sign_in_again(api: Api) -> None:
    """With the new password: every session is over, nobody is signed in by the reset, the owner is told."""
    anna = await api.person()
    phone, refresh = anna.access, anna.refresh
    await anna.sign_in()
    answer = await reset(api, await forgotten(api, anna))
    assert (answer.status, answer.raw) == (204, b"")
    for token in (phone, anna.access):
        assert (await api.call("GET", "/users/me", token)).status == 401
    assert (await api.post("/auth/refresh", {"refresh_token": refresh})).status == 401
    assert (await anna.try_to_sign_in(PASSWORD)).status == 401
    assert (await anna.try_to_sign_in(NEXT)).status == 200
    mail = await api.mail_to(anna.email, "Your password was changed")
    assert "127.0.0.1" in mail["text"]
    assert NEXT not in mail["text"]
    await audited(api, anna, "password.reset_requested", "password.reset")


async def test_A6_a_reset_link_works_once_even_for_twenty_at_once(api: Api) -> None:
    """One of them wins, and its password is the one."""
    anna = await api.person()
    token = await forgotten(api, anna)
    answers = await asyncio.gather(*(reset(api, token, f"{NEXT}-{n}") for n in range(20)))
    statuses = [answer.status for answer in answers]
    assert sorted(statuses) == [204] + [422] * 19
    assert (await anna.try_to_sign_in(f"{NEXT}-{statuses.index(204)}")).status == 200
    assert (await reset(api, token)).fields == {"token": "is not valid"}


async def test_A6_a_newer_reset_link_kills_the_older_one(api: Api) -> None:
    """Only the last mail counts."""
    anna = await api.person()
    old = await forgotten(api, anna)
    new = await forgotten(api, anna, 2)
    assert (await reset(api, old)).status == 422
    assert (await reset(api, new)).status == 204


async def test_A6_a_reset_link_ends_after_an_hour(api: Api) -> None:
    """And of the token only the hash is stored."""
    anna = await api.person()
    token = await forgotten(api, anna)
    stored = await api.contexts.database.users.find_one({"_id": anna.id})
    assert stored is not None
    assert token not in str(stored)
    assert len(stored["reset"]["fingerprint"]) == 64
    api.clock.advance(3_601)
    assert (await reset(api, token)).status == 422


async def test_A7_reset_links_point_to_our_origin_whatever_host_was_asked(api: Api) -> None:
    """The one of the settings."""
    anna = await api.person()
    hosts = {"Host": "evil.example.net", "X-Forwarded-Host": "evil.example.net"}
    await api.post("/auth/password/forgot", {"email": anna.email}, headers=hosts)
    mail = await api.mail_to(anna.email, "Choose a new password")
    assert "https://fit.example.org/reset-password?token=" in mail["text"]
    assert "evil" not in mail["text"] + mail["html"]


async def test_A5_forgetting_tells_nothing_about_the_address(api: Api) -> None:
    """Known, unknown and disabled look the same; only the first gets a mail."""
    anna, barred, nobody = await api.person(), await api.person(), api.stranger()
    now = api.contexts.clock.utc()
    await api.contexts.database.users.update_one({"_id": barred.id}, {"$set": {"disabled_at": now}})
    answers = [
        await api.post("/auth/password/forgot", {"email": each.email}) for each in (anna, barred, nobody)
    ]
    assert {(answer.status, answer.raw) for answer in answers} == {(202, b"")}
    assert len({tuple(sorted(answer.headers)) for answer in answers}) == 1
    await reset_token(api, anna.email)
    await api.contexts.background.idle()
    for other in (barred, nobody):
        mails = await api.mails.newest(other.email)
        assert "Choose a new password" not in {each["subject"] for each in mails}


async def test_a_reset_brings_an_account_to_life_that_was_never_verified(api: Api) -> None:
    """The link proves the address; the password is that of who followed it, whoever registered."""
    squatter = api.stranger("Mallory")
    squatter.password = "mallorys-secret-in-advance"
    await squatter.register()
    assert (await reset(api, await forgotten(api, squatter))).status == 204
    assert (await squatter.try_to_sign_in()).status == 401
    assert (await squatter.try_to_sign_in(NEXT)).status == 200


async def test_a_weak_password_does_not_use_the_link_up(api: Api) -> None:
    """It can be followed again with a better one."""
    anna = await api.person()
    token = await forgotten(api, anna)
    for weak in ("short", "password1234", anna.email):
        assert (await reset(api, token, weak)).fields.keys() == {"password"}
    assert (await reset(api, token)).status == 204


async def test_nobody_can_flood_a_mail_box_with_reset_links(api: Api) -> None:
    """Five an hour; the last one that came stays good."""
    anna = await api.person()
    for _ in range(9):
        await api.post("/auth/password/forgot", {"email": anna.email})
        await api.contexts.background.idle()
    token = await reset_token(api, anna.email, 5)
    mails = api.contexts.database.mails

    async def all_sent() -> bool:
        return await mails.count_documents({}) == 0

    await eventually(all_sent, "the outbox is empty")
    subjects = [each["subject"] for each in await api.mails.newest(anna.email)]
    assert subjects.count("Choose a new password") == 5
    assert (await reset(api, token)).status == 204


async def test_A9_a_locked_account_is_won_back_by_a_reset(api: Api) -> None:
    """Its owner is told of the lock, once, and comes in with a new password without waiting."""
    anna = await api.person()
    for _ in range(8):
        assert (await anna.try_to_sign_in("a wrong guess")).status == 401
    assert (await anna.try_to_sign_in()).status == 401
    await api.mail_to(anna.email, "Your account is locked for a while")
    assert (await reset(api, await forgotten(api, anna))).status == 204
    assert (await anna.try_to_sign_in(NEXT)).status == 200
    subjects = [each["subject"] for each in await api.mails.newest(anna.email)]
    assert subjects.count("Your account is locked for a while") == 1
    events = await audited(api, anna, "login.locked", *["login.failed"] * 9)
    assert events.count("login.locked") == 1


async def test_who_waits_for_deletion_is_told_how_to_come_back(api: Api) -> None:
    """No link for a new password: whoever deletes accounts is asked to write."""
    anna = await api.person()
    told: list[str] = []

    async def listen(person: dict[str, Any]) -> None:
        told.append(person["_id"])

    api.contexts.accounts.recovery.when_forgotten_while_deleting(listen)
    now = api.contexts.clock.utc()
    deletion = {"requested_at": now, "due_at": now, "fingerprint": "0" * 64}
    await api.contexts.database.users.update_one(
        {"_id": anna.id}, {"$set": {"disabled_at": now, "deletion": deletion}}
    )
    for _ in range(9):
        assert (await api.post("/auth/password/forgot", {"email": anna.email})).status == 202
        await api.contexts.background.idle()
    assert told == [anna.id] * 5
    stored = await api.contexts.database.users.find_one({"_id": anna.id})
    assert stored is not None
    assert "reset" not in stored
    assert (await anna.try_to_sign_in()).status == 401


# -- another password ----------------------------------------------------------------------------------


async def test_A10_changing_the_password_ends_all_other_sessions(api: Api) -> None:
    """The device that did it stays signed in; the owner is told by mail."""
    anna = await api.person()
    phone = anna.access
    await anna.sign_in()
    assert (await change(anna, PASSWORD, NEXT)).status == 204
    assert await anna.is_signed_in()
    assert (await api.call("GET", "/users/me", phone)).status == 401
    assert (await anna.try_to_sign_in(PASSWORD)).status == 401
    assert (await anna.try_to_sign_in(NEXT)).status == 200
    await api.mail_to(anna.email, "Your password was changed")
    assert (await audited(api, anna, "password.changed")).count("password.changed") == 1


async def test_A10_the_current_password_cannot_be_guessed_with_a_stolen_session(api: Api) -> None:
    """Wrong ones count as tries to sign in: then even the right one is refused, in the same words."""
    anna = await api.person()
    wrong = [await change(anna, f"wrong guess {n}", NEXT) for n in range(6)]
    assert {(each.status, each.code) for each in wrong} == {(422, "invalid")}
    right = await change(anna, PASSWORD, NEXT)
    assert (right.status, right.fields) == (422, {"current": "is wrong"})
    assert right.data["detail"] == wrong[0].data["detail"]
    assert (await anna.try_to_sign_in()).status == 401
    assert await anna.is_signed_in()


async def test_A1_the_last_five_passwords_are_refused(api: Api) -> None:
    """By a change and by a reset; the one before them may come back."""
    anna = await api.person()
    used = [PASSWORD, *(f"{NEXT}-{n}" for n in range(1, 6))]
    for before, after in itertools.pairwise(used):
        assert (await change(anna, before, after)).status == 204
    for old in used[1:]:
        assert (await change(anna, used[-1], old)).fields.keys() == {"password"}
    token = await forgotten(api, anna)
    assert (await reset(api, token, used[-1])).fields.keys() == {"password"}
    assert (await reset(api, token, PASSWORD)).status == 204
    stored = await api.contexts.database.users.find_one({"_id": anna.id})
    assert stored is not None
    assert len(stored["former_passwords"]) == 4


async def test_a_reset_link_that_was_asked_for_earlier_dies_with_the_change(api: Api) -> None:
    """Whoever holds it could take the account back."""
    anna = await api.person()
    token = await forgotten(api, anna)
    assert (await change(anna, PASSWORD, NEXT)).status == 204
    assert (await reset(api, token, "something-else-entirely-9")).status == 422


async def test_of_many_changes_at_once_one_counts(api: Api) -> None:
    """The others are told: what they knew as the current password is not."""
    anna = await api.person()
    answers = await asyncio.gather(*(change(anna, PASSWORD, f"{NEXT}-{n}") for n in range(4)))
    statuses = [answer.status for answer in answers]
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 409, 422}
    assert (await anna.try_to_sign_in(f"{NEXT}-{statuses.index(204)}")).status == 200


# -- another address -----------------------------------------------------------------------------------


async def test_A10_a_new_address_counts_once_it_is_confirmed_and_the_old_one_is_told(api: Api) -> None:
    """Until then nothing changes; then all other sessions end, and only the new address signs in."""
    anna = await api.person()
    phone, old, new = anna.access, anna.email, api.stranger("Annabel").email
    await anna.sign_in()
    token = await new_address(api, anna, new)
    assert (await anna.get("/users/me")).data["email"] == old
    assert (await anna.try_to_sign_in()).status == 200
    assert (await api.post("/auth/email/confirm", {"token": token})).status == 204
    assert (await anna.get("/users/me")).data["email"] == new
    assert (await api.call("GET", "/users/me", phone)).status == 401
    await api.mail_to(old, "Your e-mail address was changed")
    assert (await anna.try_to_sign_in()).status == 401
    anna.email = new
    await anna.sign_in()
    events = await audited(api, anna, "email.change_requested", "email.changed")
    assert events.count("email.changed") == 1


async def test_A10_a_new_address_needs_the_current_password(api: Api) -> None:
    """A wrong one is refused, and nobody gets a mail."""
    anna, new = await api.person(), api.stranger().email
    answer = await anna.post("/auth/email/change", {"current": "wrong guess", "email": new})
    assert (answer.status, answer.fields) == (422, {"current": "is wrong"})
    await api.contexts.background.idle()
    assert await api.mails.newest(new) == []


async def test_A5_a_taken_address_looks_like_a_free_one_and_its_owner_gets_a_mail(api: Api) -> None:
    """It stays theirs."""
    anna, bob = await api.person(), await api.person("Bob")
    free = await anna.post("/auth/email/change", {"current": PASSWORD, "email": api.stranger().email})
    taken = await anna.post("/auth/email/change", {"current": PASSWORD, "email": bob.email.upper()})
    assert (free.status, free.raw) == (taken.status, taken.raw) == (202, b"")
    await api.mail_to(bob.email, "You have an account already")
    assert "Confirm your new e-mail address" not in {
        each["subject"] for each in await api.mails.newest(bob.email)
    }


async def test_A6_a_link_for_a_new_address_works_once_even_for_twenty_at_once(api: Api) -> None:
    """One of them wins; a newer one kills the older one, and an hour kills both."""
    anna, first, second = await api.person(), api.stranger().email, api.stranger().email
    old = await new_address(api, anna, first)
    token = await new_address(api, anna, second)
    assert (await api.post("/auth/email/confirm", {"token": old})).status == 422
    answers = await asyncio.gather(*(api.post("/auth/email/confirm", {"token": token}) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [204] + [422] * 19
    late = await new_address(api, anna, first, 2)
    api.clock.advance(3_601)
    assert (await api.post("/auth/email/confirm", {"token": late})).status == 422


async def test_A11_of_two_who_want_the_same_address_one_gets_it(api: Api) -> None:
    """The first who follows the link; who registered it without proving it is forgotten."""
    anna, bob, new = await api.person(), await api.person("Bob"), api.stranger("Nina")
    tokens = [await new_address(api, anna, new.email), await new_address(api, bob, new.email, 2)]
    await new.register()
    answers = await asyncio.gather(*(api.post("/auth/email/confirm", {"token": each}) for each in tokens))
    assert sorted(answer.status for answer in answers) == [204, 422]
    assert await api.contexts.database.users.count_documents({"email": new.email}) == 1
    assert (await new.try_to_sign_in("mallory-was-here-first")).status == 401


async def test_a_reset_link_to_the_old_address_dies_with_it(api: Api) -> None:
    """Its mail box may be somebody else's by now."""
    anna, new = await api.person(), api.stranger().email
    pending = await forgotten(api, anna)
    token = await new_address(api, anna, new)
    assert (await api.post("/auth/email/confirm", {"token": token})).status == 204
    assert (await reset(api, pending)).status == 422


async def test_a_change_of_address_that_was_begun_dies_with_a_reset(api: Api) -> None:
    """Whoever began it knew the old password."""
    anna, new = await api.person(), api.stranger().email
    token = await new_address(api, anna, new)
    assert (await reset(api, await forgotten(api, anna))).status == 204
    assert (await api.post("/auth/email/confirm", {"token": token})).status == 422
    assert (await anna.try_to_sign_in(NEXT)).status == 200


async def test_ones_own_address_is_no_new_one(api: Api) -> None:
    """In whatever spelling; nor is what is no address."""
    anna = await api.person()
    for bad in (anna.email.upper(), "no address"):
        answer = await anna.post("/auth/email/change", {"current": PASSWORD, "email": bad})
        assert answer.fields.keys() == {"email"}
