"""The import contracts of setup.cfg hold, and each notices when it is broken; and what they cannot say."""

from __future__ import annotations

import ast
import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("config", "fittracker", "handlers", "ws")
PREFIX = "importlinter:contract:"
# The settings read it; the guardian only sets the language of what it starts.
ENVIRONMENT = {"config/settings.py", "fittracker/embedded/guardian_process.py"}

# For each contract: a module that a line too many would break it in, and the line.
VIOLATIONS = {
    "settings": ("config/settings.py", "import fittracker.errors"),
    "root": ("fittracker/users.py", "import ws.frames"),
    "siblings": ("handlers/health.py", "import ws.hub"),
    "downwards": ("ws/hub.py", "import fittracker.app"),
    "circles": ("fittracker/errors.py", "import fittracker.users"),
    "maths": ("fittracker/hrv.py", "import fittracker.mongo"),
    "client": ("fittracker/client/wire.py", "import fittracker.telemetry"),
    "aiohttp": ("fittracker/users.py", "import aiohttp"),
    "databases": ("ws/rooms.py", "import pymongo"),
    "redis": ("handlers/health.py", "import redis"),
    "hiredis": ("ws/broker.py", "import hiredis"),
    "environs": ("fittracker/mail.py", "import environs"),
    "jose": ("fittracker/auth/sessions.py", "import jose"),
    "marshmallow": ("ws/frames.py", "import marshmallow"),
}


def contracts() -> list[str]:
    """The names of all contracts in setup.cfg."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    return [section.removeprefix(PREFIX) for section in settings.sections() if section.startswith(PREFIX)]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product's code, to break."""
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", copy)
    return copy


def lint(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Check the contracts of a tree."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--config", "setup.cfg", "--no-cache", "--no-logo", *arguments],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_contract_is_kept(tree: Path) -> None:
    """The code as it is obeys all of them."""
    result = lint(tree)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(contracts())} kept, 0 broken" in result.stdout


def test_every_contract_has_a_violation_to_try() -> None:
    """A contract that nobody tried to break might never notice anything."""
    assert sorted(VIOLATIONS) == sorted(contracts())


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_line_too_many_breaks_the_contract(tree: Path, contract: str) -> None:
    """One import where it does not belong is found, and its module named."""
    path, line = VIOLATIONS[contract]
    module = tree / path
    before = module.read_text()
    module.write_text(f"{before}\n{line}\n")
    try:
        result = lint(tree, "--contract", contract)
    finally:
        module.write_text(before)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "0 kept, 1 broken" in result.stdout
    assert f".{Path(path).stem} " in result.stdout


def test_nothing_but_the_settings_looks_at_the_environment() -> None:
    """What is read in one place can be checked, documented and replaced in one place."""
    assert set(mentions("os", {"environ", "environb", "getenv", "putenv"})) == ENVIRONMENT


def test_nothing_touches_the_encryption_of_python_jose() -> None:
    """Its JWE has known weaknesses; tokens are signed, never encrypted."""
    assert list(mentions("jose", {"jwe"})) == []


def mentions(module: str, names: set[str]) -> list[str]:
    """The files of the product in which `module.name` or `from module import name` occurs."""
    return [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if any(_mentions(node, module, names) for node in ast.walk(ast.parse(path.read_text())))
    ]


def _mentions(node: ast.AST, module: str, names: set[str]) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return owner == module and name in names
        case ast.ImportFrom(module=owner, names=found):
            return (owner == module and any(each.name in names for each in found)) or owner in {
                f"{module}.{name}" for name in names
            }
        case ast.Import(names=found):
            return any(each.name in {f"{module}.{name}" for name in names} for each in found)
    return False
