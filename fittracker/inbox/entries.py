"""Entries: what an inbox shows. One for each thing that happened, or for all that happened to one subject.

Facts of the same event about the same subject make one entry while it is unread: "Anna and 2 others liked
your post". Once it was read the next one begins a new entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from fittracker.clock import rfc3339
from fittracker.ids import new_id
from fittracker.inbox.facts import newest_first
from fittracker.inbox.phrases import phrase
from fittracker.mongo import Document

ACTORS: Final = 3
"""So many of those who caused an entry are named in it, the newest first."""


class Actor(msgspec.Struct, frozen=True):
    """Somebody who caused it; `name` is empty where they are gone."""

    user: str
    name: str


class Notification(msgspec.Struct):
    """Something in this person's inbox is new or has changed; `event` says what, `subject` what it is about.

    `count` is how often it happened, `people` how many caused it, `actors` the newest three of them (`by` the
    newest), `data` is of the newest. `unread` is the whole inbox's at `revision`: of several events that come
    the one with the highest revision is right. The same `id` again replaces what was shown of it.
    """

    id: str
    kind: str
    event: str
    by: str | None
    subject: str | None
    data: dict[str, Any]
    at: str
    count: int
    people: int
    actors: list[Actor]
    text: str
    unread: int
    revision: int


def group_of(fact: Mapping[str, Any]) -> tuple[str, str]:
    """Facts with the same group share an entry; without a subject each is alone."""
    return fact["event"], fact["subject"] or f"fact:{fact['_id']}"


def begun(fact: Mapping[str, Any], *, shown: bool, kept: timedelta) -> Document:
    """An empty entry for facts like this one. `shown`: the inbox shows it; else it is only sent on."""
    return {
        "_id": new_id(),
        "user": fact["user"],
        "kind": fact["kind"],
        "event": fact["event"],
        "subject": fact["subject"],
        "by": None,
        "actors": [],
        "data": {},
        "count": 0,
        "people": 0,
        "at": fact["at"],
        "changed_at": fact["at"],
        "read_at": None,
        "open": True,
        "shown": shown,
        "revision": 0,
        "pushed_at": None,
        "to_mail": False,
        "expires_at": fact["at"] + kept,
        "schema_version": 2,
    }


def grown(
    entry: Document, facts: Sequence[Document], known: Iterable[str], *, revision: int, kept: timedelta
) -> Document:
    """The entry with more facts in it; `known`: which of their actors it had counted already."""
    newest = newest_first(list(facts))
    actors = [each["by"] for each in newest if each["by"] is not None]
    latest: datetime = max(newest[0]["at"], entry["changed_at"])
    return {
        **entry,
        "by": newest[0]["by"],
        "actors": list(dict.fromkeys([*actors, *entry["actors"]]))[:ACTORS],
        "data": newest[0]["data"],
        "count": entry["count"] + len(newest),
        "people": entry["people"] + len({*actors} - {*known}),
        "changed_at": latest,
        "revision": revision,
        "expires_at": latest + kept,
    }


def shrunk(
    entry: Document, left: Sequence[Document], *, fewer: int, fewer_people: int, revision: int
) -> Document:
    """The entry with some facts less; `left`: the newest of those that it still has, newest first."""
    return {
        **entry,
        "by": left[0]["by"],
        "actors": list(dict.fromkeys(each["by"] for each in left if each["by"] is not None))[:ACTORS],
        "data": left[0]["data"],
        "count": entry["count"] - fewer,
        "people": entry["people"] - fewer_people,
        "revision": revision,
    }


def named(entry: Mapping[str, Any], names: Mapping[str, str]) -> list[Actor]:
    """The actors of an entry with the names they have now."""
    return [Actor(each, names.get(each, "")) for each in entry["actors"]]


def shown(entry: Mapping[str, Any], names: Mapping[str, str], *, unread: int, revision: int) -> Notification:
    """An entry as devices are told of it."""
    return Notification(
        id=entry["_id"],
        kind=entry["kind"],
        event=entry["event"],
        by=entry["by"],
        subject=entry["subject"],
        data=entry["data"],
        at=rfc3339(entry["changed_at"]),
        count=entry["count"],
        people=entry["people"],
        actors=named(entry, names),
        text=text_of(entry, names),
        unread=unread,
        revision=revision,
    )


def text_of(entry: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """An entry as one English sentence."""
    known = [names[each] for each in entry["actors"] if names.get(each)]
    return phrase(entry["event"], entry["kind"], known, people=entry["people"], data=entry["data"])
