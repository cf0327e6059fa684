"""What all embedded servers have in common: ports and logs."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from fittracker.embedded import ServiceFailed
from fittracker.embedded import server as server_module
from fittracker.embedded.server import LOOPBACK, free_port
from fittracker.embedded.valkey import Valkey


@pytest.fixture
def server(tmp_path: Path) -> Valkey:
    """One that is not started."""
    return Valkey(Path("valkey-server"), tmp_path / "redis", tmp_path / "valkey.log")


def test_a_free_port_lies_below_those_of_outgoing_connections() -> None:
    """Else a client's connection could sit on it before the server does."""
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with socket.socket() as listener:
        listener.bind((LOOPBACK, port := free_port()))
    assert 1024 < port < max(first_outgoing, 32_768)


def test_a_port_with_a_listener_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """With only that one to choose from, there is none, and the reason is told."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        monkeypatch.setattr(server_module, "FIRST_PORT", listener.getsockname()[1])
        monkeypatch.setattr(server_module, "PORTS", 1)
        with pytest.raises(ServiceFailed, match=r"No free port .* Address already in use"):
            free_port()


def test_the_log_of_the_start_before_is_kept_and_no_more(server: Valkey) -> None:
    """A data folder does not grow by its logs."""
    server.rotate_log()
    for text in ("first", "second", "third"):
        server.log.write_text(text)
        server.rotate_log()
    assert [path.name for path in server.log.parent.iterdir()] == ["valkey.log.1"]
    assert server.log.with_name("valkey.log.1").read_text() == "third"


def test_the_last_words_are_the_end_of_the_log(server: Valkey) -> None:
    """Eight lines, none too long to be read; nothing where nothing was said."""
    assert server.last_words() == ""
    server.log.write_text("".join(f"line {number}\n" for number in range(20)) + "x" * 1000)
    words = server.last_words().splitlines()
    assert words[0] == "  line 13"
    assert words[-1] == "  " + "x" * 400
    assert len(words) == 8


def test_the_last_words_of_mongod_are_its_errors(server: Valkey) -> None:
    """After the reason it goes on for a page about how it shuts down."""
    lines = [{"s": severity, "msg": f"about {severity}"} for severity in "IWEFIIIIIIIIIIII"]
    server.log.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    assert [json.loads(line)["s"] for line in server.last_words().splitlines()] == ["E", "F"]
