"""The main job, from one end to the other, as a newcomer does it: `fittracker dev`, then a real recording
from a second terminal, while others watch.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from fittracker.client import Client, HrUpdate
from fittracker.recordings import Sample, read
from tests.dev_machine import ROOT, DevMachine, command, dev_machine, remove, run

RUN = "garmin-fenix2-run.fit"
RIDE = "garmin-edge530-ride-rr.fit"
SPEED = "500"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevMachine]:
    """Two workers, a MongoDB and a Valkey of their own, one developer. Acks come sooner than by default."""
    data = tmp_path_factory.mktemp("main_job") / "data"
    with dev_machine(data, "--no-demo", "--workers", "2", HR_FLUSH_S="0.1") as machine:
        yield machine
    remove(data)


@pytest.fixture(scope="module")
def database(machine: DevMachine) -> Iterator[Any]:
    """What the server stores into, looked at from outside."""
    server = machine.notes.server
    with MongoClient[dict[str, Any]](server["mongo_url"]) as client:
        yield client[server["mongo_database"]]


@asynccontextmanager
async def watchers(machine: DevMachine) -> AsyncIterator[list[Client]]:
    """One on each of the two workers, watching the developer: one is not where the wearable will be."""
    who = machine.notes.developer
    async with AsyncExitStack() as stack:
        by_worker: dict[str, Client] = {}
        for _ in range(60):
            client = Client(machine.url, email=who.email, password=who.password)
            await client.__aenter__()
            worker = client.hello.connection.partition("-")[0]
            if worker in by_worker:
                await client.close()
                continue
            stack.push_async_exit(client)
            by_worker[worker] = client
            await client.watch(client.user)
            if len(by_worker) == 2:
                break
        assert len(by_worker) == 2, "the kernel spreads connections over both workers"
        yield list(by_worker.values())


def stored(database: Any, workout: str) -> list[tuple[int, int, int]]:
    """(number, time, bpm) of every sample of a workout's stream, in the order of the batches."""
    stream = database.workouts.find_one({"_id": workout})["stream"]
    rows: list[tuple[int, int, int]] = []
    for batch in database.heart_batches.find({"_id.s": stream}, sort=[("_id", 1)]):
        assert "seq" not in batch, "no number was skipped"
        assert batch["to"] - batch["_id"]["n"] + 1 == len(batch["t"])
        rows += zip(range(batch["_id"]["n"], batch["to"] + 1), batch["t"], batch["bpm"], strict=True)
    return rows


def played(path: Path) -> list[Sample]:
    """What the recording holds."""
    return list(read(path.read_bytes()).samples())


async def test_a_run_is_streamed_stored_summed_up_and_seen(
    machine: DevMachine, database: Any, shared_data: Path
) -> None:
    """2,808 samples, average 154.0, maximum 178: acknowledged, stored once each, seen on both workers."""
    path = shared_data / "workouts" / RUN
    async with watchers(machine) as clients:
        with subprocess.Popen(
            command("replay", str(path), "--speed", SPEED, "--data", str(machine.data)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as replay:
            for client in clients:
                summary = (await client.expect("hr.summary", timeout=60)).data.summary
                assert (summary.samples, summary.avg_bpm, summary.max_bpm) == (2_808, 154.0, 178)
            out, err = replay.communicate(timeout=30)
        assert replay.returncode == 0, err
        samples = played(path)
        for client in clients:
            rates = {each.t_ms: each.bpm for each in samples}
            await seen(client, rates)
    assert "2,808 samples acknowledged and stored" in out
    assert "average   154.0 bpm" in out
    assert "maximum   178 bpm" in out
    workout = re.search(r"workout   ([0-9a-f]{24})", out)
    assert workout is not None
    assert stored(database, workout[1]) == [
        (number, each.t_ms, each.bpm) for number, each in enumerate(samples, 1)
    ]
    await reads_back(machine, workout[1], samples)


async def seen(client: Client, rates: dict[int, int]) -> None:
    """What a watcher saw: many updates, in the order of time, each as it was recorded."""
    updates: list[HrUpdate] = []
    with contextlib.suppress(TimeoutError):
        while True:
            updates.append((await client.expect("hr.update", timeout=0.1)).data)
    assert len(updates) > 40
    times = [each.t for each in updates]
    assert times == sorted(times)
    assert times[-1] == max(rates)
    assert all(rates[each.t] == each.bpm for each in updates)
    assert {each.zone for each in updates} >= {1, 2, 3, 4, 5}
    assert client.dropped == 0


async def reads_back(machine: DevMachine, workout: str, samples: list[Sample]) -> None:
    """By REST its owner gets every sample again."""
    who = machine.notes.developer
    async with Client(machine.url, email=who.email, password=who.password) as client:
        answer = await client.rest("GET", f"/workouts/{workout}/heart-rate", params={"resolution": "raw"})
    assert [(each["t"], each["bpm"]) for each in answer["items"]] == [
        (each.t_ms, each.bpm) for each in samples
    ]


def test_a_ride_with_beats_goes_up_in_binary_frames(
    machine: DevMachine, database: Any, shared_data: Path
) -> None:
    """8,823 samples and their RR intervals, as fast as the server takes them."""
    path = shared_data / "workouts" / RIDE
    done = run("replay", str(path), "--speed", "0", "--binary", "--data", str(machine.data))
    assert done.returncode == 0, done.stderr
    assert "8,823 samples acknowledged and stored" in done.stdout
    assert "average   141.4 bpm" in done.stdout
    workout = re.search(r"workout   ([0-9a-f]{24})", done.stdout)
    assert workout is not None
    samples = played(path)
    assert stored(database, workout[1]) == [
        (number, each.t_ms, each.bpm) for number, each in enumerate(samples, 1)
    ]
    stream = database.workouts.find_one({"_id": workout[1]})["stream"]
    beats = [
        interval
        for batch in database.heart_batches.find({"_id.s": stream}, sort=[("_id", 1)])
        for intervals in batch.get("rr", ())
        for interval in intervals or ()
    ]
    recorded = [interval for each in samples for interval in each.rr if 0 < interval <= 10_000]
    assert beats == pytest.approx(recorded, abs=0.5)  # the payload counts in 1/1024 s


def test_the_terminal_shows_it(machine: DevMachine, shared_data: Path) -> None:
    """`watch` without a terminal prints a line for each update, while `replay` sends; Ctrl-C ends it well."""
    path = shared_data / "workouts" / "garmin-vivoactivehr-gym.fit"
    data = ("--data", str(machine.data))
    with subprocess.Popen(command("watch", *data), stdout=subprocess.PIPE, text=True, cwd=ROOT) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().strip() == "connected"
        done = run("replay", str(path), "--speed", "600", *data)
        said = []
        while not said or "finished" not in said[-1]:
            said.append(watching.stdout.readline())
            assert said[-1], "it ended too early"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 0
    assert done.returncode == 0, done.stderr
    assert "1,641 samples acknowledged and stored" in done.stdout
    assert re.search(r"Dev Eloper: \d+ bpm zone \d", "".join(said[:-1]))
    assert "Dev Eloper: finished, average 131.4, maximum 179" in said[-1]


def test_tokens_for_a_load_test_open_the_server(machine: DevMachine) -> None:
    """One a line, the session on standard error; with any of them the session can be watched."""
    made = run("dev-tokens", "25", "--session", "--data", str(machine.data))
    assert made.returncode == 0, made.stderr
    tokens, session = made.stdout.split(), made.stderr.strip()
    assert len(set(tokens)) == 25
    watched = run(
        *("watch", "--url", machine.url, "--token", tokens[-1]),
        *("--session", session, "--seconds", "1", "--data", str(machine.data)),
    )
    assert watched.returncode == 7, watched.stderr  # let in, but nobody trains
    refused = run("dev-tokens", "1", "--data", str(machine.data), FITTRACKER_MODE="production")
    assert refused.returncode == 6
    assert refused.stdout == ""
