"""What the product is held against: servers of others, each in a small honest program under bench/peers.

They do what costs least: one room, no store, no sign-in. What cannot be installed here is left out, with why.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from bench.process import SERVER_CORE, cpu_s, memory_kb, pin
from bench.product import Failed
from bench.wsload import OPEN_RATE, Run, Wsload

T = TypeVar("T")
PROGRAMS: Final = Path(__file__).parent / "peers"
SOCKETS: Final = 1_000
MEMBERS: Final = 500
SPEAKERS: Final = 10
RATE: Final = 10
SETTLE_S: Final = 2
INSTALL_S: Final = 600.0
TEXT: Final = "x" * 76
MARK: Final = '"t":'


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one speaks to a server: its path, the first frames, and one to say and one to be echoed."""

    path: str
    hello: tuple[str, ...]
    say: str
    echo: str
    options: tuple[str, ...] = ()


PLAIN: Final = Dialect(
    "/ws",
    ('{"type":"join"}',),
    f'{{"type":"say","t":%t,"text":"{TEXT}"}}',
    f'{{"type":"echo","t":%t,"text":"{TEXT}"}}',
)
SOCKET_IO: Final = Dialect(
    "/socket.io/?EIO=4&transport=websocket",
    ("40", '42["join",{}]'),
    f'42["say",{{"t":%t,"text":"{TEXT}"}}]',
    f'42["echo",{{"t":%t,"text":"{TEXT}"}}]',
    ("--eio",),
)


@dataclass(frozen=True, slots=True)
class Other:
    """One of them: how it is called, and what starts it."""

    name: str
    command: tuple[str, ...]
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class Talk:
    """us of CPU of a delivery to one of 500, how late they came, and the share of them that came in time."""

    delivery_us: float
    late_p50_ms: float
    late_p99_ms: float
    arrived: float


@dataclass(frozen=True, slots=True)
class Figures:
    """KB and ms of CPU a socket, us of CPU an echo, and what a room costs."""

    idle_kb: float
    connect_ms: float
    echo_us: float
    talk: Talk


BARE: Final = Other("bare aiohttp", (sys.executable, "-m", "bench.bare", "serve"), PLAIN)


def install(folder: Path) -> tuple[list[Other], list[str]]:
    """Those that run here, and why others do not. Installed once, into a folder that git ignores."""
    found: list[Other] = []
    missing: list[str] = []
    try:
        python = str(_python(folder / "python"))
        found += [
            Other("python-socketio on aiohttp", (python, str(PROGRAMS / "socketio_aiohttp.py")), SOCKET_IO),
            Other("FastAPI on uvicorn", (python, str(PROGRAMS / "fastapi_uvicorn.py")), PLAIN),
        ]
    except Failed as failure:
        missing.append(f"python-socketio and FastAPI: {failure}")
    try:
        node = _node(folder / "node")
        found += [
            Other("ws on Node", ("node", str(node / "ws_node.js")), PLAIN),
            Other("Socket.IO on Node", ("node", str(node / "socketio_node.js")), SOCKET_IO),
        ]
    except Failed as failure:
        missing.append(f"ws and Socket.IO: {failure}")
    return found, missing


def _python(folder: Path) -> Path:
    """A virtual environment with what bench/peers/requirements.txt pins; its interpreter."""
    python, pinned = folder / "bin" / "python", PROGRAMS / "requirements.txt"
    stamp = folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != pinned.read_text():
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
        _run(str(python), "-m", "pip", "install", *quiet, "--require-hashes", "-r", str(pinned))
        stamp.write_text(pinned.read_text())
    return python


def _node(folder: Path) -> Path:
    """A folder with what bench/peers/package-lock.json pins, and the programs beside it, where Node looks."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise Failed(f"there is no {tool} (on Debian and Ubuntu: apt-get install nodejs npm)")
    stamp, lock = folder / "installed.json", PROGRAMS / "package-lock.json"
    if not stamp.is_file() or stamp.read_text() != lock.read_text():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PROGRAMS / name, folder)
        _run("npm", "ci", "--no-audit", "--no-fund", "--prefix", str(folder))
        stamp.write_text(lock.read_text())
    for program in PROGRAMS.glob("*.js"):
        shutil.copy(program, folder)
    return folder


def _run(*command: str) -> None:
    """Failed with the end of what it complained about where it does not succeed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]} did not do it: {type(error).__name__}") from error
    if done.returncode != 0:
        complaint = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(f"not installable here: {' '.join(complaint[-1:])[:200]}")


def measure(other: Other, wsload: Wsload, seconds: float) -> Figures:
    """All figures of one server, which is started for it and stopped."""
    with _running(other) as (pid, port):
        warm = _start(other, wsload, port, 50, "--hold", "60")
        warm.line()
        warm.stop()
        time.sleep(SETTLE_S)
        idle_kb, connect_ms, echo_us = _sockets(other, wsload, pid, port, seconds)
        return Figures(idle_kb, connect_ms, echo_us, _room(other, wsload, pid, port, seconds))


@contextmanager
def _running(other: Other) -> Iterator[tuple[int, int]]:
    """Process id and port."""
    with subprocess.Popen(other.command, stdout=subprocess.PIPE, text=True) as server:
        try:
            pin(server.pid, SERVER_CORE)
            assert server.stdout is not None
            said = server.stdout.readline().strip()
            if not said.isdigit():
                raise Failed(f"{other.name} did not start")
            pin(server.pid, SERVER_CORE)  # threads that it has begun meanwhile
            yield server.pid, int(said)
        finally:
            server.kill()


def _start(other: Other, wsload: Wsload, port: int, count: int, *options: str) -> Run:
    said = [*other.dialect.options, "--path", other.dialect.path]
    for frame in other.dialect.hello:
        said += ["--init", frame]
    return wsload.sockets(port, count, *said, *options)


def _sockets(other: Other, wsload: Wsload, pid: int, port: int, seconds: float) -> tuple[float, float, float]:
    """Memory and CPU of sockets that come, then the CPU of an echo a second on each of them."""
    memory, cpu = memory_kb(pid), cpu_s(pid)
    options = ["--settle", str(2 * SETTLE_S), "--dur", str(seconds), "--mark", MARK]
    options += ("--senders", str(SOCKETS), "--rate", "1", "--send", other.dialect.echo)
    run = _start(other, wsload, port, SOCKETS, *options)
    try:
        time.sleep(SOCKETS / OPEN_RATE + SETTLE_S)
        idle_kb = (memory_kb(pid) - memory) / SOCKETS
        connect_ms = (cpu_s(pid) - cpu) / SOCKETS * 1_000
        time.sleep(SETTLE_S / 2)
        cpu = cpu_s(pid)
        said = run.line()
        if said["open"] != SOCKETS or not said["recv_total"]:
            raise Failed(f"{other.name}: nothing was echoed, on {said['open']} sockets")
        return idle_kb, connect_ms, (cpu_s(pid) - cpu) / said["recv_total"] * 1e6
    finally:
        run.stop()
        time.sleep(SETTLE_S)


def _room(other: Other, wsload: Wsload, pid: int, port: int, seconds: float) -> Talk:
    """The CPU of a delivery in a room of 500 where ten say ten things a second; p50 and p99 of its age."""
    options = ["--settle", str(SETTLE_S), "--dur", str(seconds), "--mark", MARK]
    options += ("--senders", str(SPEAKERS), "--rate", str(RATE), "--send", other.dialect.say)
    run = _start(other, wsload, port, MEMBERS, *options)
    try:
        time.sleep(MEMBERS / OPEN_RATE + SETTLE_S / 2)
        cpu = cpu_s(pid)
        said = run.line()
        spent = cpu_s(pid) - cpu
        if said["open"] != MEMBERS or not said["recv_total"]:
            raise Failed(f"{other.name}: nothing arrived, on {said['open']} sockets")
        return Talk(
            spent / said["recv_total"] * 1e6,
            said["p50_us"] / 1_000,
            said["p99_us"] / 1_000,
            said["recv_total"] / (said["sent"] * MEMBERS),
        )
    finally:
        run.stop()
