"""People who come and go: what a worker holds after each round of connects, joins and leaves.

`python -m bench.churn` prints the memory after each of ten rounds of two thousand, and what grew.
"""

from __future__ import annotations

import asyncio
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from bench.light_socket import Frame, LightSocket, open_light
from bench.process import memory_kb
from bench.product import Failed, running

AT_ONCE: Final = 100
PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.1
MEASURED: Final = frozenset({"fittracker_loop_lag_seconds"})
"""Gauges that count nothing that could be left behind."""


async def come_and_go(port: int, tokens: Sequence[str], room: str, count: int) -> None:
    """So many sockets join the room, every second leaves it again, and all are gone; half just break off."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with places:
            await _visit(port, tokens[number % len(tokens)], room, number)

    await asyncio.gather(*map(one, range(count)))


async def _visit(port: int, token: str, room: str, number: int) -> None:
    answers: asyncio.Queue[Frame] = asyncio.Queue()

    def take(frame: Frame) -> None:
        if frame.get("id"):
            answers.put_nowait(frame)

    socket = await open_light(port, token, take)
    async with asyncio.timeout(PATIENCE_S):
        await _ask(socket, answers, "room.join", {"room": room})
        if number % 2:
            await _ask(socket, answers, "room.leave", {"room": room})
        if number % 4 < 2:
            socket.close()
            await socket.lost
        else:
            socket.abort()


async def _ask(socket: LightSocket, answers: asyncio.Queue[Frame], kind: str, data: dict[str, Any]) -> None:
    socket.send(kind, data, 1)
    answer = await answers.get()
    if answer["type"] != "result":
        raise Failed(f"{kind} was refused: {answer}")


def gauges(port: int) -> dict[str, float]:
    """All gauges of the product, by name and labels, as the worker tells them now."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:  # nosec B310
        lines = answer.read().decode().splitlines()
    kinds = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
    found = {}
    for line in lines:
        name = line.partition("{")[0].partition(" ")[0]
        if name.startswith("fittracker_") and kinds.get(name) == "gauge" and not name.endswith("_created"):
            found[line.rpartition(" ")[0]] = float(line.rpartition(" ")[2])
    return found


async def empty(port: int) -> None:
    """Wait until the worker says that nobody is there."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            now = await asyncio.to_thread(gauges, port)
            if not now["fittracker_sockets"] and not now["fittracker_rooms"]:
                return
            await asyncio.sleep(LOOK_S)


async def left(port: int) -> dict[str, float]:
    """The gauges that do not go back to 0 within a minute: who has gone is remembered for some seconds."""
    async with asyncio.timeout(2 * PATIENCE_S):
        for _ in range(int(PATIENCE_S / LOOK_S)):
            now = await asyncio.to_thread(gauges, port)
            still = {name: value for name, value in now.items() if value and name not in MEASURED}
            if not still:
                break
            await asyncio.sleep(LOOK_S)
    return still


async def rounds(
    port: int, worker: int, tokens: Sequence[str], room: str, *, count: int, sockets: int
) -> list[float]:
    """The memory of the worker (its process id) in KB after each round."""
    memory = []
    for _ in range(count):
        await come_and_go(port, tokens, room, sockets)
        await empty(port)
        memory.append(memory_kb(worker))
    return memory


def growth_bytes(memory: Sequence[float], sockets: int) -> float:
    """What each connection of the second half of the rounds has left behind."""
    middle = len(memory) // 2
    return (memory[-1] - memory[middle - 1]) * 1024 / (sockets * (len(memory) - middle))


@click.command()
@click.option("--rounds", "count", default=10, show_default=True, type=click.IntRange(2))
@click.option("--sockets", default=2_000, show_default=True, type=click.IntRange(1), help="In each round.")
def main(count: int, sockets: int) -> None:
    """Let people come and go, and print the memory of the worker after each round."""
    with tempfile.TemporaryDirectory(prefix="fittracker-churn-") as folder:
        data = Path(folder, "data")
        data.mkdir()
        with running(data) as product:
            crowd = product.crowd(200)
            room = f"session:{crowd.session}"
            memory = asyncio.run(
                rounds(product.port, product.worker, crowd.first(200), room, count=count, sockets=sockets)
            )
            rest = asyncio.run(left(product.port))
    click.echo("MB after each round: " + " ".join(f"{each / 1024:.1f}" for each in memory))
    click.echo(f"bytes left by a connection of the second half: {growth_bytes(memory, sockets):.0f}")
    click.echo(f"gauges that are not 0: {rest or 'none'}")


if __name__ == "__main__":
    main(prog_name="python -m bench.churn")
