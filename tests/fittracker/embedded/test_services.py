"""The embedded servers: what they promise while they run, and that they end with whoever started them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pymongo import MongoClient
from redis import Redis

from fittracker.embedded import FolderInUse, ServiceFailed, Services
from fittracker.embedded import services as services_module
from fittracker.embedded.server import free_port
from tests.fittracker.embedded.conftest import WAIT, Holder, gone, running
from tests.patience import until

Client = MongoClient[dict[str, Any]]
Hold = Callable[..., Holder]


def test_both_listen_on_the_loopback_alone(services: Services) -> None:
    """Nobody outside the machine can reach a database without a password."""
    for pid in services.pids.values():
        sockets = psutil.Process(pid).net_connections("all")
        listening = [each for each in sockets if each.status == psutil.CONN_LISTEN]
        assert {each.laddr.ip for each in listening} == {"127.0.0.1"}
        assert not [each for each in sockets if each.family.name == "AF_UNIX" and each.laddr]


# The end.


def test_a_closed_block_leaves_nothing(folder: Path) -> None:
    """The servers and their guardian are gone when `with` is over, not some time later."""
    with Services.start(folder) as services:
        pids = services.pids
        guardian = psutil.Process(pids["mongod"]).ppid()
    assert gone(guardian, *pids.values())


def test_sigkill_of_the_parent_ends_the_servers(hold: Hold) -> None:
    """It has no chance to clean up, and need not."""
    holder = hold()
    guardian = holder.guardian
    holder.kill()
    until(lambda: gone(guardian, *holder.pids.values()), "guardian, mongod and Valkey are gone")


def test_sigterm_of_a_parent_without_a_handler_ends_the_servers(hold: Hold) -> None:
    """Python dies of it without unwinding anything."""
    holder = hold()
    holder.process.terminate()
    assert holder.process.wait(20) == -signal.SIGTERM
    until(lambda: gone(*holder.pids.values()), "mongod and Valkey are gone")


def test_sigkill_of_the_parent_counts_while_its_workers_live(hold: Hold, folder: Path) -> None:
    """A forked worker holds copies of every descriptor; neither the servers nor the lock stay for it."""
    holder = hold("    print(worker, flush=True) if (worker := os.fork()) else None\n" + WAIT)
    worker = int(holder.line())
    holder.kill()
    until(lambda: gone(*holder.pids.values()), "mongod and Valkey are gone")
    assert running(worker)
    with Services.start(folder):
        assert running(worker)


def test_sigkill_during_the_start_leaves_nothing(launch: Callable[[str], subprocess.Popen[str]]) -> None:
    """The guardian looks after the servers from their first moment on."""
    process = launch(WAIT)

    def servers() -> list[psutil.Process]:
        return [each for each in psutil.Process(process.pid).children(recursive=True) if len(_names(each))]

    born = until(servers, "one of the servers has been started")
    process.kill()
    process.wait()
    until(lambda: gone(*(each.pid for each in born)), "it is gone")


def _names(process: psutil.Process) -> list[str]:
    return [word for word in process.cmdline()[:1] if word.endswith(("mongod", "valkey-server"))]


def test_sigkill_of_the_guardian_ends_the_servers(hold: Hold) -> None:
    """Nobody is left to end them then, so the kernel does."""
    holder = hold()
    os.kill(holder.guardian, signal.SIGKILL)
    until(lambda: gone(*holder.pids.values()), "mongod and Valkey are gone")


DRAIN = """
    def drain(*_):
        with MongoClient(services.mongo_url, w="majority") as client:
            for number in range(20):
                client.test.rows.insert_one({"_id": number})
                time.sleep(0.05)
            print(client.test.rows.count_documents({}), flush=True)
        sys.exit(0)
    signal.signal(signal.SIGINT, drain)
    print("ready", flush=True)
"""


def test_ctrl_c_lets_the_server_drain_into_the_database_first(hold: Hold) -> None:
    """A terminal sends SIGINT to the whole process group, and the servers are not in it."""
    holder = hold(DRAIN + WAIT)
    assert holder.line() == "ready"
    os.killpg(holder.process.pid, signal.SIGINT)
    assert holder.line() == "20"
    assert holder.process.wait(30) == 0
    assert gone(*holder.pids.values())


FORK = """
    if os.fork() == 0:
        sys.exit(0)
    os.wait()
    with MongoClient(services.mongo_url) as client:
        print(client.admin.command("ping")["ok"], flush=True)
"""


def test_a_worker_that_leaves_does_not_take_the_servers_along(hold: Hold) -> None:
    """The SystemExit of a forked worker runs through the `with` block that its parent is still in."""
    holder = hold(FORK)
    assert holder.line() == "1.0"
    assert holder.process.wait(30) == 0
    assert gone(*holder.pids.values())


# Who may start.


def test_a_second_start_says_who_holds_the_folder(hold: Hold, folder: Path) -> None:
    """With the process id and since when; the first one is not disturbed."""
    holder = hold()
    with pytest.raises(FolderInUse, match=rf"process {holder.process.pid} since 20\d\d-\d\d-\d\dT.*Z"):
        Services.start(folder)
    assert running(*holder.pids.values())


def test_a_start_right_after_the_holder_was_killed_waits_for_its_servers(hold: Hold, folder: Path) -> None:
    """They need a second to end; that is no reason to refuse."""
    holder = hold()
    holder.kill()
    with Services.start(folder) as services:
        assert gone(*holder.pids.values())
        assert services.pids.keys() == {"mongod", "valkey"}


def test_for_given_urls_nothing_is_started(folder: Path) -> None:
    """Not even the folder is made."""
    with Services.start(folder, mongo_url="mongodb://db.example", redis_url="redis://cache.example") as given:
        assert (given.mongo_url, given.redis_url) == ("mongodb://db.example", "redis://cache.example")
        assert given.pids == {}
        with pytest.raises(ServiceFailed, match="No mongod was started here"):
            given.kill("mongod")
    assert not folder.exists()


def test_one_given_url_leaves_the_other_server_to_us(folder: Path) -> None:
    """So that a mongod without AVX can be replaced alone."""
    with Services.start(folder, mongo_url="mongodb://db.example") as services:
        assert services.mongo_url == "mongodb://db.example"
        assert services.pids.keys() == {"valkey"}
        with Redis.from_url(services.redis_url) as valkey:
            assert valkey.ping()


def test_a_server_that_ends_early_tells_why(folder: Path) -> None:
    """The error in its log is in the message, and the other server does not stay behind."""
    (folder / "mongo").mkdir(parents=True)
    (folder / "mongo" / "storage.bson").write_text("junk")
    with pytest.raises(ServiceFailed, match=r"(?s)mongod ended with code .*storage engine metadata"):
        Services.start(folder)
    (folder / "mongo" / "storage.bson").unlink()
    with Services.start(folder) as services:
        assert len(services.pids) == 2


def test_a_port_that_another_server_took_first_is_left_to_it(
    folder: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking for a port and listening on it lies a moment; the other's answers do not fool us."""
    with Client(services.mongo_url) as client, Redis.from_url(services.redis_url) as valkey:
        client.admin.command("ping")
        assert client.address is not None
        taken = (client.address[1], valkey.connection_pool.connection_kwargs["port"])
    offers = list(taken)
    monkeypatch.setattr(services_module, "free_port", lambda: offers.pop(0) if offers else free_port())
    with Services.start(folder) as ours:
        assert offers == []
        assert not any(f":{port}/" in ours.mongo_url + ours.redis_url for port in taken)
        assert running(*services.pids.values())
