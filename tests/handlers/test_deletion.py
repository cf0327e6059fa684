"""Deleting an account by REST: closed at once, won back within thirty days, and then gone everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pyotp

from fittracker import erasure, jobs
from fittracker.mongo import Document
from tests.handlers.api import PASSWORD, Api, Person
from tests.handlers.test_portability import ZIP, done, export_of
from tests.handlers.test_workouts import run_of

DAY = 86_400


async def farewell(person: Person, current: str = PASSWORD, **more: str) -> Any:
    """Ask for one's own deletion."""
    return await person.delete("/users/me", json={"current": current, **more})


async def way_back(api: Api, person: Person) -> str:
    """The token in the mail that a deletion sends."""
    mail = await api.mail_to(person.email, "Your account will be deleted")
    assert "https://fit.example.org/undo-deletion?token=" in mail["text"]
    return str(mail["text"]).split("?token=")[1].split()[0]


async def undo(api: Api, token: str) -> int:
    """Follow the link; the status."""
    return (await api.post("/auth/deletion/undo", {"token": token})).status


async def test_an_account_is_closed_at_once(api: Api) -> None:
    """Sign-ins, device tokens, grants and places in sessions end; signing in fails as for nobody."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    watch = {"name": "Watch", "scopes": ["telemetry:write"]}
    device = (await anna.post("/auth/device-tokens", watch)).data["token"]
    await anna.post("/grants", {"trainer": tina.id, "data": ["heart_rate"]})
    room = {"title": "Hills", "capacity": 3, "athletes": [anna.id]}
    session = (await tina.post("/sessions", room)).data["id"]
    answer = await farewell(anna)
    assert (answer.status, answer.data.keys()) == (202, {"until"})
    assert not await anna.is_signed_in()
    assert (await api.call("GET", "/users/me", device)).status == 401
    assert (await api.post("/auth/refresh", {"refresh_token": anna.refresh})).status == 401
    gone, nobody = await anna.try_to_sign_in(), await api.stranger("Nobody").try_to_sign_in()
    assert (gone.status, gone.code, gone.data["detail"]) == (401, nobody.code, nobody.data["detail"])
    assert (await tina.get("/grants")).data["items"] == []
    assert (await tina.get(f"/sessions/{session}")).data["athletes"] == []
    for path in (f"/users/{anna.id}", f"/users/{anna.id}/heart-rate?from=0&to=1000"):
        assert (await tina.get(path)).status == 404
    assert (await tina.post("/grants", {"trainer": anna.id, "data": ["workouts"]})).status == 404


async def test_what_a_trainer_leads_is_over(api: Api) -> None:
    """Nobody stays in a live session without the one who gives it."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    room = {"title": "Hills", "capacity": 3, "athletes": [anna.id]}
    session = (await tina.post("/sessions", room)).data["id"]
    assert (await farewell(tina)).status == 202
    assert (await anna.get(f"/sessions/{session}")).data["state"] == "ended"


async def test_A10_only_with_the_current_password(api: Api) -> None:
    """A wrong one changes nothing, and counts towards the lock."""
    anna = await api.person()
    for _ in range(5):
        refused = await farewell(anna, "wrong-otters-swim-at-77")
        assert (refused.status, refused.fields.keys()) == (422, {"current"})
    assert (await farewell(anna)).status == 422, "locked, even with the right one"
    assert await anna.is_signed_in()


async def test_A12_with_a_second_factor_only_with_a_code(api: Api) -> None:
    """401 says that one is needed; a wrong one is refused."""
    anna = await api.person()
    secret = (await anna.post("/auth/totp/start")).data["secret"]
    code = pyotp.TOTP(secret)
    await anna.post("/auth/totp/confirm", {"code": code.at(int(api.clock.now()))})
    assert (await farewell(anna)).code == "totp_required"
    assert (await farewell(anna, code="000000")).fields.keys() == {"code"}
    later = code.at(int(api.clock.now()) + 30)
    assert (await farewell(anna, code=later)).status == 202


async def test_an_account_is_won_back_once(api: Api) -> None:
    """By the mailed link; of twenty who follow it at once one does it, and everything is there again."""
    anna = await api.person(birth_date="1990-01-01")
    await run_of(api, anna)
    await farewell(anna)
    token = await way_back(api, anna)
    assert await undo(api, token[:-1] + ("A" if token[-1] != "A" else "B")) == 422
    statuses = await asyncio.gather(*(undo(api, token) for _ in range(20)))
    assert sorted(statuses) == [204] + [422] * 19
    assert not await anna.is_signed_in(), "nobody is signed in by it"
    await anna.sign_in()
    assert len((await anna.get("/workouts")).data["items"]) == 1
    assert await api.contexts.database.jobs.count_documents({"user": anna.id}) == 0
    assert (await farewell(anna)).status == 202, "and asked for again"
    stored = await api.contexts.database.users.find_one({"_id": anna.id})
    assert stored is not None
    assert stored["deletion"].keys() == {"requested_at", "due_at", "fingerprint"}
    assert token not in str(stored)


async def test_who_lost_the_mail_asks_for_a_new_password_and_gets_the_way_back_again(api: Api) -> None:
    """The newer link works, the older one no more; no password can be reset meanwhile."""
    anna = await api.person()
    await farewell(anna)
    first = await way_back(api, anna)
    assert (await api.post("/auth/password/forgot", {"email": anna.email})).status == 202
    mail = await api.mail_to(anna.email, "Your account will be deleted", count=2)
    second = str(mail["text"]).split("?token=")[1].split()[0]
    assert first != second
    assert (await undo(api, first), await undo(api, second)) == (422, 204)
    await anna.sign_in()


async def test_F6_asking_and_undoing_are_audited(api: Api) -> None:
    """With who did it; the one who undoes it is nobody yet."""
    anna = await api.person()
    await farewell(anna)
    await undo(api, await way_back(api, anna))
    query = {"target": anna.id, "event": {"$regex": "^account.deletion"}}
    entries = await api.contexts.database.audit.find(query).sort("_id").to_list()
    assert [(each["event"], each["actor"]) for each in entries] == [
        ("account.deletion_requested", anna.id),
        ("account.deletion_undone", None),
    ]


async def test_after_thirty_days_nothing_is_left_anywhere(api: Api) -> None:
    """No document of any collection holds the id, apart from the audit log; others keep what is theirs."""
    anna, tina, olaf = await api.person(), await api.person("Tina", role="trainer"), await api.person("Olaf")
    await fill(api, anna, tina, olaf)
    await fill(api, olaf, tina, anna)
    ended = await tina.post("/sessions", {"title": "Old", "capacity": 3, "athletes": [anna.id, olaf.id]})
    await api.contexts.database.coaching_sessions.update_one(
        {"_id": ended.data["id"]}, {"$set": {"state": "ended", "entered": [anna.id, olaf.id]}}
    )
    assert len(await traces(api, anna.id)) > 10
    await farewell(anna)
    token = await way_back(api, anna)
    api.clock.advance(29 * DAY)
    await api.contexts.ownership.erasure.work()
    assert await api.contexts.database.users.count_documents({"_id": anna.id}) == 1
    api.clock.advance(DAY + 60)
    assert await undo(api, token) == 422
    await api.contexts.ownership.erasure.work()
    assert await traces(api, anna.id) == []
    await counters_agree(api)
    assert await api.mail_to(anna.email, "Your account was deleted")
    redis = api.contexts.redis
    keys = [key async for key in redis.scan_iter(match=f"*{anna.id}*")]
    # What a sender's client id became is a number, and forgotten within a day.
    assert [key for key in keys if ":client:" not in key or not 0 <= await redis.ttl(key) <= DAY] == []
    for collection in ("workouts", "heart_batches", "heart_streams", "measurements"):
        assert await api.contexts.database[collection].count_documents({"user": olaf.id}) > 0, collection
    kept = await api.contexts.database.coaching_sessions.find_one({"_id": ended.data["id"]})
    assert kept is not None
    assert (kept["athletes"], kept["entered"]) == ([olaf.id], [olaf.id])
    entry = await api.contexts.database.audit.find_one({"target": anna.id, "event": "account.deleted"})
    assert entry is not None
    assert (entry["actor"], entry["detail"]) == (None, {})
    again = Person(api, "Anna", anna.email)
    await again.register()
    assert (await again.try_to_sign_in()).status == 401, "the address is free for a new account"


async def fill(api: Api, person: Person, trainer: Person, other: Person) -> None:
    """Something of everything that a person may have."""
    await run_of(api, person)
    watch = {"name": "Watch", "scopes": ["telemetry:write"]}
    await person.post("/auth/device-tokens", watch, headers={"Idempotency-Key": "one"})
    await person.post("/users/me/measurements", {"kind": "weight", "value": 61.5})
    await person.post("/grants", {"trainer": trainer.id, "data": ["heart_rate"]})
    await person.post("/users/me/blocks", {"user": other.id})
    await person.post(f"/users/{other.id}/report", {"reason": "spam"})
    content = await export_of(person)
    taken = await api.call("POST", "/users/me/import", person.access, data=content, headers=ZIP)
    await done(person, f"/users/me/import/{taken.data['id']}")
    await trainer.post("/sessions", {"title": "Hills", "capacity": 3, "athletes": [person.id]})
    await talk(api, person, trainer)
    await meet(api, person, trainer)


async def meet(api: Api, person: Person, other: Person) -> None:
    """They follow each other, post, like and comment, and compete in what both have made."""
    arena = api.contexts.arena
    for one, two in ((person, other), (other, person)):
        await one.post(f"/users/{two.id}/follow")
        post = (await two.post("/posts", {"text": "A run.", "visibility": "public"})).data["id"]
        for each in (one, two):
            await each.post(f"/posts/{post}/like")
            await each.post(f"/posts/{post}/comments", {"text": "Well done!"})
        now = api.clock.utc()
        span = {"starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(days=3)}
        what = {"title": "Push-ups", "about": "", "metric": "custom", "unit": "", "goal": None}
        made = await arena.challenges.create(one.id, **what, **span, visibility="private", invite=[two.id])
        for each in (one, two):
            await arena.join(each.id, made["_id"])
            await arena.progress.report(each.id, made["_id"], 2.5, each.id)


async def counters_agree(api: Api) -> None:
    """What is counted of likes, comments, followers and participants is what is there."""
    database = api.contexts.database
    async for post in database.posts.find():
        of_post = {"post": post["_id"]}
        assert post["likes"] == await database.post_likes.count_documents(of_post)
        there = {**of_post, "deleted_at": None}
        assert post["comments"] == await database.post_comments.count_documents(there)
    async for count in database.follow_counts.find():
        for side, field in (("followers", "other"), ("following", "user")):
            rows = {field: count["_id"], "state": "following"}
            assert count.get(side, 0) == await database.follows.count_documents(rows)
    async for challenge in database.challenges.find({"state": "open"}):
        rows = {"challenge": challenge["_id"], "left_at": None}
        assert challenge["participants"] == await database.challenge_members.count_documents(rows)


async def talk(api: Api, person: Person, other: Person) -> None:
    """They write to somebody, own a group with them, and both react."""
    chat = api.contexts.chat
    for body in (
        {"kind": "direct", "members": [other.id]},
        {"kind": "group", "title": "Runners", "members": [other.id]},
    ):
        room = f"chat:{(await person.post('/conversations', body)).data['id']}"
        for user, name in ((person.id, "Anna"), (other.id, "Tina")):
            text = f"By {name}, <@{other.id}>"
            said = await chat.send(user, name, room, text, client_id=user)
            await chat.reactions.react(person.id, said.id, "👍", on=True)
            await chat.marks.read(user, room, said.place.seq)
        await chat.edits.edit(other.id, said.id, "By Tina, once more")


async def traces(api: Api, user: str) -> list[str]:
    """The collections with documents that hold this id somewhere, however deep, once a document."""
    database = api.contexts.database
    found = []
    for name in await database.list_collection_names(filter={"type": "collection"}):
        if name != "audit":
            found += [name async for each in database[name].find() if holds(each, user)]
    return sorted(found)


def holds(value: Any, text: str) -> bool:
    """Whether this text is anywhere in it, keys included."""
    if isinstance(value, Mapping):
        return any(holds(key, text) or holds(each, text) for key, each in value.items())
    if isinstance(value, list):
        return any(holds(each, text) for each in value)
    return text.encode() in value if isinstance(value, bytes) else text in str(value)


async def test_an_erasure_that_is_interrupted_goes_on(api: Api, monkeypatch: Any) -> None:
    """Whatever step its worker dies at, another one does the rest when the lease has run out."""
    monkeypatch.setattr(erasure, "STEP", 7)
    dying = await api.person()
    tina, olaf = await api.person("Tina", role="trainer"), await api.person("Olaf")
    await fill(api, dying, tina, olaf)
    await farewell(dying)
    api.clock.advance(30 * DAY + 60)
    whole = jobs.Lease.checkpoint
    left = 0

    async def dies(lease: jobs.Lease, progress: float, state: Document) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise asyncio.CancelledError
        await whole(lease, progress, state)

    monkeypatch.setattr(jobs.Lease, "checkpoint", dies)
    workers = 0
    while await api.contexts.database.users.find_one({"_id": dying.id}):
        workers += 1
        assert workers < 60
        left = workers  # each one comes a step further than the one before
        try:
            await api.contexts.ownership.erasure.work()
        except asyncio.CancelledError:
            api.clock.advance(jobs.LEASE_S + 1)
    assert workers > 10
    assert await traces(api, dying.id) == []
    await counters_agree(api)
    query = {"target": dying.id, "event": "account.deleted"}
    assert await api.contexts.database.audit.count_documents(query) == 1


async def test_who_died_while_closing_an_account_is_helped(api: Api) -> None:
    """The account counts as closed with the first write; what follows from it another worker does."""
    anna, tina = await api.person(), await api.person("Tina", role="trainer")
    await anna.post("/grants", {"trainer": tina.id, "data": ["heart_rate"]})
    await farewell(anna)
    database = api.contexts.database
    await database.grants.update_one(
        {"athlete": anna.id}, {"$set": {"active": True}, "$unset": {"ended_at": ""}}
    )
    await database.jobs.update_one({"user": anna.id}, {"$set": {"lease_until": api.clock.utc()}})
    await api.contexts.ownership.erasure.work()
    assert (await tina.get("/grants")).data["items"] == []
    job = await database.jobs.find_one({"user": anna.id})
    assert job is not None
    assert job["lease_until"] > api.clock.utc() + timedelta(days=29)
