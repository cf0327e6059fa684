"""The fixtures that every other test stands on."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError
from redis import Redis

from tests.conftest import RUN_MARK, empty, left_behind
from tests.fittracker.embedded.conftest import gone
from tests.patience import until


def test_emptying_a_database_keeps_its_indexes(
    mongo: MongoClient[dict[str, Any]], fresh_database: str
) -> None:
    """Documents are what tests leave behind; indexes are what takes long to make."""
    people = mongo[fresh_database].people
    people.create_index("email", unique=True)
    people.insert_one({"email": "ada@example.org"})
    empty(mongo[fresh_database])
    people.insert_one({"email": "ada@example.org"})
    with pytest.raises(DuplicateKeyError):
        people.insert_one({"email": "ada@example.org"})


def test_a_module_begins_with_nothing(mongo_url: str, mongo_database: str, redis_url: str) -> None:
    """Whatever the modules before it did; the URL names the database."""
    with MongoClient[dict[str, Any]](mongo_url) as client, Redis.from_url(redis_url) as valkey:
        database = client.get_default_database()
        assert database.name == mongo_database
        assert not any(database[name].find_one() for name in database.list_collection_names())
        assert valkey.dbsize() == 0


def test_an_orphan_is_found() -> None:
    """Its parent is gone, so it is nobody's child; the mark in its environment gives it away."""
    shell = subprocess.run(
        ["sh", "-c", "sleep 600 >&- 2>&- & echo $!"], capture_output=True, text=True, check=True
    )
    orphan = int(shell.stdout)
    try:
        assert f"{orphan} sleep 600" in left_behind(os.environ[RUN_MARK])
        assert f"{orphan} sleep 600" not in left_behind("the mark of another run")
    finally:
        os.kill(orphan, signal.SIGKILL)
    until(lambda: gone(orphan), "it has ended")
