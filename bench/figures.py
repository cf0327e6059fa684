"""The measurements of the product: one run of each, on a server that nobody else uses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from bench.plain_socket import PlainSocket
from bench.process import cpu_s, memory_kb
from bench.product import Crowd, Failed, Product
from bench.spectator import Spectator
from bench.wearables import BINARY_FRAME, IN_BATCHES, JSON, Shape, Swarm
from bench.wsload import OPEN_RATE, Wsload

SOCKETS: Final = 2_000
ATHLETES: Final = 200
WATCHERS: Final = 500
WARM_UP_S: Final = 3.0
SETTLE_S: Final = 3
PATIENCE_S: Final = 4.0
SHAPES: Final[dict[str, Shape]] = {"json": JSON, "binary": BINARY_FRAME, "batches": IN_BATCHES}
PING: Final = '{"id":%n,"type":"ping"}'


@dataclass(frozen=True, slots=True)
class Connecting:
    """KB and ms of CPU of one socket that signed in and joined the session's room."""

    idle_kb: float
    connect_ms: float


@dataclass(frozen=True, slots=True)
class Pushing:
    """us of CPU of one sample until its ack; the median and the 99th percentile of the wait for it."""

    sample_us: float
    wait_p50_ms: float
    wait_p99_ms: float


@dataclass(frozen=True, slots=True)
class FanOut:
    """us of CPU of one update to one watcher, how many shared a write, and how old they were on arrival.

    `ingest_us` is the part of it that is spent without any watcher: receiving and storing the samples.
    """

    delivery_us: float
    ingest_us: float
    joined: float
    age_p50_ms: float
    age_p99_ms: float


def connecting(product: Product, crowd: Crowd, wsload: Wsload) -> Connecting:
    """Sockets of 2,000 people in one room; nothing is said in it."""
    warm = wsload.sockets(product.port, 50, "--hold", "600", crowd=crowd)
    warm.line()
    warm.stop()
    time.sleep(SETTLE_S)
    memory, cpu = memory_kb(product.worker), cpu_s(product.worker)
    run = wsload.sockets(product.port, SOCKETS, "--settle", str(SETTLE_S), "--hold", "600", crowd=crowd)
    try:
        if run.line()["open"] != SOCKETS:
            raise Failed("the server did not take all sockets")
        spent = memory_kb(product.worker) - memory, cpu_s(product.worker) - cpu
        _check_room(product, crowd, SOCKETS)
    finally:
        run.stop()
    time.sleep(SETTLE_S)
    return Connecting(spent[0] / SOCKETS, spent[1] / SOCKETS * 1_000)


def _check_room(product: Product, crowd: Crowd, people: int) -> None:
    """A socket that could not join would be cheap, and the figure wrong."""
    line = PlainSocket(product.port, crowd.first(1)[0])
    room = line.call("room.join", {"room": f"session:{crowd.session}"})
    line.close()
    if room["count"] != people:
        raise Failed(f"{room['count']} people are in the room, not {people}")


def echo_us(product: Product, crowd: Crowd, wsload: Wsload, seconds: float) -> float:
    """us of CPU of a command that waits for nothing and its answer: the nearest there is to an echo."""
    options = ["--settle", str(SETTLE_S), "--senders", str(SOCKETS), "--rate", "1", "--dur", str(seconds)]
    options += ("--send", PING, "--mark", '"type":"result"')
    run = wsload.sockets(product.port, SOCKETS, *options, crowd=crowd, join=False)
    try:
        time.sleep(SOCKETS / OPEN_RATE + SETTLE_S / 2)
        cpu = cpu_s(product.worker)
        said = run.line()
        if not said["recv_total"]:
            raise Failed("no ping was answered")
        return (cpu_s(product.worker) - cpu) / float(said["recv_total"]) * 1e6
    finally:
        run.stop()
        time.sleep(SETTLE_S)


def pushing(product: Product, crowd: Crowd, seconds: float) -> dict[str, Pushing]:
    """2,000 wearables at 1 Hz, in each of the shapes that a sample may have on the wire."""
    swarm = Swarm(product.port, crowd.first(SOCKETS))
    try:
        return {name: _push(product, swarm, shape, seconds) for name, shape in SHAPES.items()}
    finally:
        swarm.close()


def _push(product: Product, swarm: Swarm, shape: Shape, seconds: float) -> Pushing:
    swarm.run(shape, WARM_UP_S)
    cpu = cpu_s(product.worker)
    report = swarm.run(shape, seconds)
    spent = cpu_s(product.worker) - cpu
    return Pushing(spent / report.acked * 1e6, report.wait_ms(0.5), report.wait_ms(0.99))


def fan_out(product: Product, crowd: Crowd, wsload: Wsload, seconds: float) -> FanOut:
    """500 watchers and 200 athletes in one session room; first the athletes alone, then with the watchers."""
    tokens = crowd.first(WATCHERS + ATHLETES + 1)
    swarm = Swarm(product.port, tokens[WATCHERS:-1], session=crowd.session)
    try:
        swarm.run(JSON, WARM_UP_S)
        alone = _spent(product, swarm, seconds)
        life = SETTLE_S + 2 * WARM_UP_S + seconds + PATIENCE_S
        watchers = wsload.sockets(
            *(product.port, WATCHERS, "--settle", "0", "--dur", str(life), "--mark", '"type":"hr.update"'),
            crowd=crowd,
        )
        time.sleep(WATCHERS / OPEN_RATE + SETTLE_S)
        spectator = Spectator(product.port, tokens[-1], crowd.session)
        swarm.listen(spectator.line, spectator.hear)
        try:
            before = swarm.run(JSON, WARM_UP_S).sent
            spectator.forget()
            watched = _spent(product, swarm, seconds)
            sent = int(seconds * ATHLETES)
            _check_delivery(watchers.line(), before + sent)
        finally:
            watchers.stop()
            spectator.line.close()
    finally:
        swarm.close()
    delivered = sent * (WATCHERS + 1)
    return FanOut(
        watched / delivered * 1e6,
        alone / delivered * 1e6,
        spectator.updates / spectator.reads,
        spectator.age_ms(0.5),
        spectator.age_ms(0.99),
    )


def _spent(product: Product, swarm: Swarm, seconds: float) -> float:
    """CPU seconds of the server while the swarm sends for so long and waits for its acks."""
    cpu = cpu_s(product.worker)
    swarm.run(JSON, seconds)
    return cpu_s(product.worker) - cpu


def _check_delivery(said: dict[str, float], sent: int) -> None:
    """Every update reached every watcher: what was thinned out would be cheap, too."""
    if said["open"] != WATCHERS or said["recv_total"] != sent * WATCHERS:
        raise Failed(f"{said['recv_total']} updates came of {sent} to {WATCHERS} watchers")
