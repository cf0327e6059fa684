"""The embedded mongod keeps what a replica set promises, and moves to another port with its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymongo import MongoClient, WriteConcern

from fittracker.embedded import Services
from tests.fittracker.embedded.conftest import running

Client = MongoClient[dict[str, Any]]


def test_a_transaction_is_all_or_nothing(mongo: Client, fresh_database: str) -> None:
    """The replica set of one is good enough for what bookings and payments rely on."""
    rows = mongo[fresh_database].rows
    rows.insert_one({"_id": 0})
    with mongo.start_session() as session:
        with session.start_transaction():
            rows.insert_one({"_id": 1}, session=session)
            rows.insert_one({"_id": 2}, session=session)
        with session.start_transaction():
            rows.insert_one({"_id": 3}, session=session)
            session.abort_transaction()
    assert sorted(row["_id"] for row in rows.find()) == [0, 1, 2]


def test_a_majority_write_is_in_the_journal(mongo: Client, fresh_database: str) -> None:
    """Each acknowledged write has made MongoDB sync its journal to the disk."""
    config = mongo.admin.command("replSetGetConfig")["config"]
    assert config["writeConcernMajorityJournalDefault"] is True
    before = _journal_syncs(mongo)
    rows = mongo[fresh_database].get_collection("rows", write_concern=WriteConcern("majority"))
    for number in range(10):
        rows.insert_one({"_id": number})
    assert _journal_syncs(mongo) - before >= 10


def _journal_syncs(mongo: Client) -> int:
    return int(mongo.admin.command("serverStatus")["wiredTiger"]["log"]["log sync operations"])


def test_mongod_compresses_nothing(mongo: Client) -> None:
    """The driver offers zlib and is told that there is none."""
    assert "compression" not in mongo.admin.command("hello", compression=["zlib", "snappy"])


def test_the_database_survives_a_new_start_on_another_port(folder: Path) -> None:
    """The replica set, which has its address in its configuration, is told where it is now."""
    first = Services.start(folder, redis_url="redis://elsewhere")
    with first, Client(first.mongo_url, w="majority") as client:
        client.test.rows.insert_one({"_id": "kept"})
    with Services.start(folder, redis_url="redis://elsewhere") as second:
        assert second.mongo_url != first.mongo_url
        with Client(second.mongo_url, w="majority") as client:
            client.test.rows.insert_one({"_id": "new"})
            assert [row["_id"] for row in client.test.rows.find()] == ["kept", "new"]


def test_what_was_acknowledged_survives_a_kill_of_mongod(folder: Path) -> None:
    """SIGKILL right after the answer; the same URL is good again after the restart."""
    ours = Services.start(folder, redis_url="redis://elsewhere")
    with ours as services, Client(services.mongo_url, w="majority") as client:
        before = services.pids["mongod"]
        for number in range(50):
            client.test.rows.insert_one({"_id": number})
        services.kill("mongod")
        assert not running(before)
        assert "mongod" not in services.pids
        services.restart_mongo()
        assert services.pids["mongod"] != before
        assert client.test.rows.count_documents({}) == 50
