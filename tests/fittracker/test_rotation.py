"""Rotating keys: afterwards the old one can be removed, and nobody notices."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from typing import Any, get_args
from uuid import uuid4

import pyotp
import pytest
from click.testing import CliRunner
from pymongo.errors import AutoReconnect

from config.settings import Settings
from fittracker import rotation
from fittracker.caller import SYSTEM
from fittracker.clock import Clock
from fittracker.commands.ending import NOT_INTACT
from fittracker.commands.rotate_keys import command as rotate_keys_command
from fittracker.commands.rotate_keys import rotate_keys
from fittracker.contexts import Contexts
from fittracker.idempotency import Answer
from fittracker.ids import new_id
from fittracker.opening import open_contexts
from fittracker.roomlog.record import Place
from fittracker.rotation import PLACES, Count
from fittracker.sealing import Purpose, Seal
from tests.dev_machine import ROOT, command
from tests.fittracker.auth.conftest import Settle

OLD, NEW = ("old", "o" * 40), ("new", "n" * 40)


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """Before anything was rotated."""
    return settings.with_changes(token_keys=(OLD,))


@pytest.fixture
async def rotating(settings: Settings) -> AsyncIterator[Contexts]:
    """A worker that was started with the new key, and opens with both."""
    async with open_contexts(settings.with_changes(token_keys=(NEW, OLD)), Clock()) as opened:
        yield opened


def rotate(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> subprocess.CompletedProcess[str]:
    """Run the command with both keys."""
    variables = {
        "FITTRACKER_MODE": "test",
        "MONGO_URL": settings.mongo_url,
        "MONGO_DATABASE": settings.mongo_database,
        "REDIS_URL": settings.redis_url,
        "TOKEN_KEYS": ",".join(":".join(each) for each in (NEW, OLD)),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    line = command("rotate-keys")
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)


def counts(output: str) -> dict[str, int]:
    """How many were sealed anew, by place."""
    lines = [line for line in output.splitlines() if line.endswith("renewed")]
    return {line[:26].strip(): int(line[26:].split()[0].replace(",", "")) for line in lines}


async def test_after_a_rotation_the_old_key_is_needed_no_more(
    contexts: Contexts,
    rotating: Contexts,
    settings: Settings,
    settle: Settle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Messages, reactions, mails, second factors, answers; a worker writes on while it is done."""
    anna, bert = await settle(), await settle("Bert")
    made = await contexts.conversations.begin(anna["_id"], "direct", [bert["_id"]], None)
    room = f"chat:{made['_id']}"
    said = await contexts.chat.send(anna["_id"], "Anna", room, "Old words", client_id=str(uuid4()))
    await contexts.chat.reactions.react(bert["_id"], said.id, "👍", on=True)
    factor = contexts.accounts.second_factor
    await factor.start(bert["_id"])
    secret = (await factor.start(anna["_id"]))["secret"]
    await factor.confirm(anna["_id"], pyotp.TOTP(secret).at(int(contexts.clock.now())), SYSTEM)
    await contexts.database.mails.insert_one(sealed_mail(settings))
    browser = {"_id": new_id(), "user": anna["_id"], "fingerprint": new_id()}
    sealed = {"sealed": Seal(settings.token_keys, "push").close(b"{}")}
    await contexts.database.push_subscriptions.insert_one(browser | sealed)
    held = contexts.idempotency
    claim = await held.claim(anna["_id"], "POST /x", "key", "digest")
    assert not isinstance(claim, Answer)
    await held.settle(claim, Answer(201, b"{}", {}))

    first = rotate(settings, monkeypatch)
    assert (first.returncode, first.stderr) == (0, "")
    renewed = counts(first.stdout)
    assert set(renewed) == {*(each.name for each in PLACES), rotation.WINDOWS}
    assert all(renewed.values()), renewed
    assert "everything has the first key" in first.stdout
    await rotating.chat.send(anna["_id"], "Anna", room, "New words", client_id=str(uuid4()))
    again = [each async for each in rotate_keys(settings.with_changes(token_keys=(NEW, OLD)))]
    assert {(each.renewed, each.unreadable, each.left) for each in again} == {(0, 0, 0)}

    async with open_contexts(settings.with_changes(token_keys=(NEW,)), Clock()) as later:
        messages = (await later.chat.history(bert["_id"], room)).messages
        assert [each.text for each in messages] == ["Old words", "New words"]
        assert messages[0].reactions[0].mine
        missed = await later.room_log.recover(room, Place(said.place.epoch, 0))
        assert missed.entries is not None
        assert len(missed.entries) == 2
        person = await later.database.users.find_one({"_id": anna["_id"]})
        assert person is not None
        at = int(later.clock.now()) + 30
        assert await later.accounts.second_factor.spend(person, pyotp.TOTP(secret).at(at), SYSTEM)
        answer = await later.idempotency.claim(anna["_id"], "POST /x", "key", "digest")
        assert isinstance(answer, Answer)


def sealed_mail(settings: Settings) -> dict[str, Any]:
    """A mail that waits in the outbox and is not due for long."""
    return {
        "_id": uuid4().hex[:24],
        "letter": Seal(settings.token_keys, "mail").close(b"{}"),
        "urgency": 9,
        "created_at": Clock().utc(),
        "next_at": Clock().utc().replace(year=2090),
    }


async def test_what_nobody_can_open_is_counted_and_left(
    contexts: Contexts, settings: Settings, settle: Settle
) -> None:
    """It hinders nothing: no key of these opens it, whether or not the older ones stay."""
    anna, bert = await settle(), await settle("Bert")
    made = await contexts.conversations.begin(anna["_id"], "direct", [bert["_id"]], None)
    room = f"chat:{made['_id']}"
    lost, kept = [
        await contexts.chat.send(anna["_id"], "Anna", room, text, client_id=text) for text in ("lost", "kept")
    ]
    events = contexts.database.room_events
    await events.update_one({"_id": lost.id}, {"$set": {"sealed.kid": "gone"}})
    both = settings.with_changes(token_keys=(NEW, OLD))
    done = {each.name: each async for each in rotate_keys(both)}["room_events.sealed"]
    assert (done.renewed, done.unreadable, done.left) == (1, 1, 0)
    stored = [each["sealed"]["kid"] async for each in events.find({"room": room}, sort=[("seq", 1)])]
    assert stored == ["gone", "new"]
    await events.delete_one({"_id": lost.id})
    assert kept.place.seq == 2


async def test_what_still_waits_for_mongodb_is_stored_with_the_new_key(
    contexts: Contexts, settings: Settings, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of the old key had it said and could not store it: the rotation does, and its copy can go."""
    anna, bert = await settle(), await settle("Bert")
    made = await contexts.conversations.begin(anna["_id"], "direct", [bert["_id"]], None)
    room = f"chat:{made['_id']}"

    async def away(*_: Any) -> Any:
        raise AutoReconnect("nobody there")

    with monkeypatch.context() as unreachable:
        unreachable.setattr(contexts.room_log.archive, "store", away)
        sending = asyncio.ensure_future(
            contexts.chat.send(anna["_id"], "Anna", room, "Waiting.", client_id="waiting")
        )
        while (await contexts.room_log.head(room)).seq < 1:
            await asyncio.sleep(0.01)
        both = settings.with_changes(token_keys=(NEW, OLD))
        done = {each.name: each async for each in rotate_keys(both)}
        assert (done[rotation.WINDOWS].renewed, done[rotation.WINDOWS].left) == (1, 0)
        stored = await contexts.database.room_events.find_one({"room": room})
        assert stored is not None
        assert stored["sealed"]["kid"] == NEW[0]
    assert (await sending).id == stored["_id"]


def test_whoever_rotates_is_told_to_keep_the_old_keys_where_something_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends with 7, and says what to do."""

    async def unfinished(_settings: Settings) -> AsyncIterator[Count]:
        yield Count("mails.letter", renewed=1_234, unreadable=2, left=3)

    monkeypatch.setattr("fittracker.commands.rotate_keys.rotate_keys", unfinished)
    monkeypatch.setattr("fittracker.commands.rotate_keys.load", lambda: None)
    ended = CliRunner().invoke(rotate_keys_command, [])
    assert ended.exit_code == NOT_INTACT
    assert "1,234 renewed, 2 unreadable, 3 left" in ended.stdout
    assert "keep the older keys" in ended.stderr


def test_every_purpose_of_a_seal_has_its_places() -> None:
    """What is sealed anywhere in the product is known to the rotation."""
    texts = [path.read_text() for path in (ROOT / "fittracker").rglob("*.py")]
    used = {purpose for text in texts for purpose in re.findall(r'\bSeal\([\w.]+, "(\w+)"\)', text)}
    assert used == set(get_args(Purpose)) == {each.purpose for each in PLACES}
