"""What every test may ask for: real servers, an empty database, the recordings, and a clean end.

Each pytest process (so each core, under xdist) has a MongoDB and a Valkey of its own. In it there is
one database, which is emptied, not dropped, for each test module: the indexes stay, and making all of
them takes ten times as long as deleting what a module left. The tests of one module share it and keep
apart by making people of their own, as the users of the product do. One that has to see a database
nobody has used asks for `fresh_database`. A test that kills a server brings it back, or starts its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop
from pymongo import MongoClient
from pymongo.database import Database
from redis import Redis

from fittracker.embedded import Services
from tests.patience import until

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "fittracker_test"
LONGEST = (
    "test_durable_rooms",
    "test_openapi_fuzz",
    "test_deletion",
    "test_outages",
    "test_slow_reader",
    "test_machine",
    "test_churn",
)
RUN_MARK = "FITTRACKER_TEST_PROCESS"
# Belong to the multiprocessing module and end with the interpreter.
MULTIPROCESSING = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The modules that take longest go first: begun last, one of them would keep a single core busy."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of production: its transports differ from asyncio's in places that matter."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """After the last test no process that a test has started is left, not even one without a parent.

    Children inherit a mark in their environment, so an orphan is found as well.
    """
    mark = secrets.token_hex(8)
    os.environ[RUN_MARK] = mark
    yield
    with contextlib.suppress(AssertionError):  # the next line says which ones are left
        until(lambda: not left_behind(mark), "every process has ended")
    assert left_behind(mark) == []


def left_behind(mark: str) -> list[str]:
    """Process ids and command lines of our descendants and of the orphans among them."""
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    left = []
    for process in psutil.process_iter():
        try:
            ours = process.pid in children or process.environ().get(RUN_MARK) == mark
            if not ours or process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            line = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it ended meanwhile, or it is somebody else's
        if not any(name in line for name in MULTIPROCESSING):
            left.append(f"{process.pid} {line}")
    return left


@pytest.fixture(scope="session")
def services(nothing_left_running: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """MongoDB and Valkey for all tests of this process."""
    data = tmp_path_factory.mktemp("services")
    with Services.start(data) as running:
        yield running
    shutil.rmtree(data)  # pytest would keep three of them, at 300 MB each


@pytest.fixture(scope="session")
def mongo(services: Services) -> Iterator[MongoClient[dict[str, Any]]]:
    """A synchronous client, for looking at what was stored from outside the product."""
    with MongoClient[dict[str, Any]](services.mongo_url, tz_aware=True, w="majority") as client:
        yield client


@pytest.fixture(scope="module")
def mongo_database(mongo: MongoClient[dict[str, Any]]) -> str:
    """The name of the database, empty when the module begins."""
    empty(mongo[DATABASE])
    return DATABASE


def empty(database: Database[dict[str, Any]]) -> None:
    """Delete every document; collections and indexes stay."""
    for name in database.list_collection_names(filter={"type": "collection"}):
        database[name].delete_many({})


@pytest.fixture(scope="module")
def mongo_url(services: Services, mongo_database: str) -> str:
    """Where that database is; its name is in the path."""
    return services.mongo_url.replace("/?", f"/{mongo_database}?")


@pytest.fixture
def fresh_database(mongo: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """The name of a database that nobody has used, dropped after the test."""
    name = f"fittracker_{secrets.token_hex(6)}"
    yield name
    mongo.drop_database(name)


@pytest.fixture(scope="module")
def redis_url(services: Services) -> str:
    """Where Valkey is, empty when the module begins."""
    with Redis.from_url(services.redis_url) as client:
        client.flushall()
    return services.redis_url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings beside the repository; tests that need it are skipped without."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the recordings are not here")
    return folder
