"""The command that a newcomer runs first, from the outside."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from fittracker.client import Client, ConnectionLost, HrUpdate, Sample
from tests.dev_machine import DevMachine, dev_machine, remove, run
from tests.patience import until


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A folder for one machine."""
    folder = tmp_path / "data"
    yield folder
    remove(folder)


@pytest.fixture
def borrowed(mongo_url: str, redis_url: str, mongo_database: str) -> dict[str, str]:
    """The environment of somebody who has a MongoDB and a Valkey: none are started."""
    return {"MONGO_URL": mongo_url, "REDIS_URL": redis_url, "MONGO_DATABASE": mongo_database}


def gone(family: list[psutil.Process]) -> bool:
    """Whether none of them runs; one that waits to be buried does not run."""
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family)


async def test_it_starts_shows_something_and_ends_in_order(data: Path) -> None:
    """Ready, the demonstration live within seconds, SIGTERM, nothing left; then the same people again."""
    with dev_machine(data) as machine:
        notes = machine.notes
        assert {each.role for each in notes.people} == {"trainer", "user"}
        with urllib.request.urlopen(f"{machine.url}/dev/mail", timeout=5) as answer:
            assert answer.status == 200
        who = notes.developer
        async with Client(machine.url, email=who.email, password=who.password) as client:
            await client.join(f"session:{notes.session}")
            seen: set[str] = set()
            while len(seen) < 5:
                event = await client.expect("hr.update", timeout=20)
                assert isinstance(event.data, HrUpdate)
                assert 40 <= event.data.bpm <= 205
                seen.add(event.data.user)
            await _answered(client, machine, str(notes.session))
        assert seen == {each.user for each in notes.people if each.role == "user"}
        family = machine.family()
        assert len(family) >= 6  # dev, guardian, mongod, valkey, master and two workers, at the least
        assert machine.stop() == 0
        until(lambda: gone(family), "everything has ended")
    with dev_machine(data, "--no-demo") as machine:
        again = machine.notes
        assert (again.accounts, again.session) == (notes.accounts, notes.session)


async def _answered(client: Client, machine: DevMachine, session: str) -> None:
    """What is typed in another terminal is heard; the coach has an eye on everybody's heart."""
    said = await asyncio.to_thread(
        run, "say", "--data", str(machine.data), "--session", session, "Good morning"
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert (await client.expect("chat.message", user=client.user)).data["text"] == "Good morning"
    async with await client.open_stream(session=session) as stream:
        for bpm in (130, 186):
            await stream.push([Sample(time.time_ns() // 1_000_000, bpm)])
            await client.expect("hr.update", user=client.user, bpm=bpm, room=f"session:{session}")
        cue = await client.expect("session.cue", timeout=20, kind="text")
    assert "zone 5" in cue.data["text"]


async def test_limits_are_settings(data: Path, borrowed: dict[str, str]) -> None:
    """What the shell sets reaches the workers: one worker, one socket for an address, logs in JSON."""
    with dev_machine(
        data, "--no-demo", "--workers", "1", WS_SOCKETS_PER_ADDRESS="1", LOG_FORMAT="json", **borrowed
    ) as machine:
        who = machine.notes.developer
        assert len(machine.master.children()) == 1
        async with Client(machine.url, email=who.email, password=who.password):
            second = Client(machine.url, email=who.email, password=who.password, connect_timeout_s=1)
            with pytest.raises(ConnectionLost, match="the server refused"):
                await second.__aenter__()
        assert machine.stop() == 0
        lines = [msgspec.json.decode(line) for line in machine.said if line.startswith("{")]
        # gunicorn's own lines are of the same form as ours, and nothing is of another.
        assert {"gunicorn.error", "ws.realtime"} <= {line["logger"] for line in lines}
        assert not [line for line in machine.said if "[" in line and not line.startswith("{")]


def test_ctrl_c_is_a_good_way_to_end_it(data: Path, borrowed: dict[str, str]) -> None:
    """SIGINT, as from the terminal."""
    with dev_machine(data, "--no-demo", **borrowed) as machine:
        family = machine.family()
        assert machine.stop(signal.SIGINT) == 0
        until(lambda: gone(family), "everything has ended")
        assert "stopping" in machine.said


def test_it_ends_with_the_server(data: Path, borrowed: dict[str, str]) -> None:
    """A server that is killed is not quietly replaced: dev ends with its code, and takes all along."""
    with dev_machine(data, "--no-demo", **borrowed) as machine:
        family = machine.family()
        machine.master.kill()
        assert machine.process.wait(60) == 128 + signal.SIGKILL
        until(lambda: gone(family), "everything has ended")


def test_nothing_outlives_it_when_it_is_killed(data: Path) -> None:
    """SIGKILL leaves no time for anything; the kernel and the guardian do the rest."""
    with dev_machine(data, "--no-demo") as machine:
        family = machine.family()
        machine.process.kill()
        machine.process.wait(10)
        until(lambda: gone(family), "everything has ended", seconds=60)


def test_a_setting_that_cannot_be_used_ends_it_with_a_sentence(data: Path) -> None:
    """Before anything is started."""
    ended = run("dev", "--data", str(data), DRAIN_S="soon")
    assert ended.returncode == 6
    assert "DRAIN_S" in ended.stderr
    assert not (data / "mongo").exists()


def test_a_port_that_is_taken_is_said(data: Path) -> None:
    """The workers would share it with another of their kind, and half of the requests would go astray."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = run("dev", "--port", str(taken.getsockname()[1]), "--data", str(data))
    assert ended.returncode == 6
    assert "is taken" in ended.stderr


def test_two_machines_do_not_share_a_folder(data: Path) -> None:
    """The second one says who holds it."""
    with dev_machine(data, "--no-demo", wait=False) as machine:
        until(lambda: (data / "lock").exists() and (data / "lock").read_text(), "the folder is held")
        ended = run("dev", "--port", str(machine.port + 1), "--data", str(data))
        assert ended.returncode == 6
        assert str(machine.process.pid) in ended.stderr
