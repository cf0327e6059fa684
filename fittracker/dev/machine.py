"""`fittracker dev`: services, mail, server, demonstration, begun in order and ended in the reverse one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.settings import Settings, load, load_for_child
from fittracker.clock import Clock
from fittracker.dev import notes
from fittracker.dev.coach import coach
from fittracker.dev.notes import Account, Notes
from fittracker.dev.people import open_people
from fittracker.dev.server import NotReady, Server
from fittracker.dev.show import train
from fittracker.devmail import open_sink
from fittracker.embedded import Services

HOST: Final = "127.0.0.1"
LONG_TOKEN_S: Final = 86_400
"""Load tests and long afternoons should not have to renew their tokens."""
PATIENCE_S: Final = 30.0
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What `dev-tokens` needs to know of the server to make tokens that it believes.
NOTED: Final = (
    "mongo_url",
    "mongo_database",
    "redis_url",
    "token_issuer",
    "token_audience",
    "access_token_s",
)


class PortTaken(Exception):  # noqa: N818  it says what is the matter
    """Somebody else listens there."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    data: Path
    port: int
    workers: int | None
    demo: bool
    say: Callable[[str], None]

    @property
    def url(self) -> str:
        """Where the server will be."""
        return f"http://{HOST}:{self.port}"


async def run(options: Options) -> int:
    """Run until told to stop, or until the server ends; the exit code."""
    _check_port(options.port)
    stopping = asyncio.Event()
    with _signals(stopping) as impatient:
        async with AsyncExitStack() as stack:
            given = load(mode="development")
            services = stack.enter_context(
                Services.start(
                    options.data, mongo_url=given.mongo_url or None, redis_url=given.redis_url or None
                )
            )
            settings, environment, found = await stack.enter_async_context(_peopled(options, services))
            server = await Server.start(environment)
            impatient.append(server.kill)
            stack.push_async_callback(server.stop, settings.drain_s + PATIENCE_S)
            ended = asyncio.ensure_future(server.wait())
            stack.callback(ended.cancel)
            if not await _became_ready(server, ended, stopping, options.url):
                return ended.result() if ended.done() else 0
            path = notes.write(options.data, found)
            options.say(f"ready on {options.url}")
            options.say(_where_to_look(found, path, demo=options.demo))
            return await _until_the_end(options, found, ended, stopping)


def _check_port(port: int) -> None:
    """PortTaken where somebody listens: the server's own sockets would share the port without a word."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(f"port {port} is taken ({error.strerror}); choose another with --port") from error


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[list[Callable[[], None]]]:
    """The first signal stops in order; a second one is impatient and runs what the list holds by then."""
    loop = asyncio.get_running_loop()
    impatient: list[Callable[[], None]] = []

    def stop() -> None:
        if stopping.is_set():
            for kill in impatient:
                kill()
        stopping.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield impatient
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _peopled(
    options: Options, services: Services
) -> AsyncIterator[tuple[Settings, dict[str, str], Notes]]:
    """A place for mails, and people; with the settings and the environment of the server to start."""
    clock = Clock()
    fixed: dict[str, Any] = {
        "mode": "development",
        "bind": f"{HOST}:{options.port}",
        "mongo_url": services.mongo_url,
        "redis_url": services.redis_url,
        **({"workers": options.workers} if options.workers is not None else {}),
    }
    defaults: dict[str, Any] = {"public_origin": options.url, "access_token_s": LONG_TOKEN_S}
    settings, _ = load_for_child(fixed, defaults)
    async with open_people(settings, clock) as (people, database), open_sink(database, clock) as mail_port:
        defaults |= {"smtp_host": HOST, "smtp_port": mail_port}
        settings, environment = load_for_child(fixed, defaults)
        before = _before(options.data)
        developer, others, session = await people.settle(before, demo=options.demo)
        yield (
            settings,
            environment,
            Notes(
                url=options.url, server=_noted(settings), developer=developer, people=others, session=session
            ),
        )


def _before(data: Path) -> Notes | None:
    try:
        return notes.read(data)
    except notes.NoNotes:
        return None  # the first start on this folder, or by an older version


def _noted(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in NOTED} | {
        "token_keys": [list(pair) for pair in settings.token_keys]
    }


async def _became_ready(
    server: Server, ended: asyncio.Future[int], stopping: asyncio.Event, url: str
) -> bool:
    """Whether the server answers; False where it ended before, or we were told to stop."""
    ready = asyncio.ensure_future(server.ready(url))
    told = asyncio.ensure_future(stopping.wait())
    either: set[asyncio.Future[Any]] = {ready, ended, told}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            ready.result()
            return True
        return False
    finally:
        ready.cancel()
        told.cancel()


async def _until_the_end(
    options: Options, found: Notes, ended: asyncio.Future[int], stopping: asyncio.Event
) -> int:
    """Show the demonstration until a signal comes, or the server ends; the exit code."""
    told = asyncio.ensure_future(stopping.wait())
    tasks = [asyncio.ensure_future(each) for each in _demonstration(options, found)]
    either: set[asyncio.Future[Any]] = {ended, told}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*tasks, told):
            task.cancel()
        await asyncio.gather(*tasks, told, return_exceptions=True)
    if not ended.done():
        options.say("stopping")
        return 0
    options.say(f"the server has ended with code {ended.result()}")
    return ended.result()


def _demonstration(options: Options, found: Notes) -> Iterator[Coroutine[Any, Any, None]]:
    """What everybody of the demonstration does."""
    if not options.demo or found.session is None:
        return
    for place, athlete in enumerate(_athletes(found)):
        yield train(options.url, athlete, found.session, place, options.say)
    for trainer in found.people:
        if trainer.role == "trainer":
            yield coach(options.url, trainer, found.session, options.say)


def _athletes(found: Notes) -> list[Account]:
    return [each for each in found.people if each.role == "user"]


def _where_to_look(found: Notes, path: Path, *, demo: bool) -> str:
    data = "" if path.parent == Path(".data") else f" --data {path.parent}"
    lines = [
        f"  API            {found.url}/api/v1/docs",
        f"  mails          {found.url}/dev/mail",
        f"  accounts       {path} (sign in as {found.developer.email})",
    ]
    if demo:
        lines.append(f"  watch          fittracker watch --session {found.session}{data}")
        lines.append(f"  talk           fittracker say --session {found.session}{data} 'Hello'")
    lines.append(f"  watch          fittracker watch --user {found.developer.user}{data}")
    lines.append(f"  replay         fittracker replay RECORDING.fit --speed 100{data}")
    return "\n".join(lines)


__all__ = ["NotReady", "Options", "PortTaken", "run"]
