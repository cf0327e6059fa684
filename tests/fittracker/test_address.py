"""Whose request it is, when some of what says so may be lying."""

from __future__ import annotations

import ipaddress

import pytest

from fittracker.address import client_address

OURS = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def test_without_proxies_of_ours_nothing_but_the_connection_counts() -> None:
    """Anybody can write the header."""
    assert client_address("198.51.100.7", ["203.0.113.9"], ()) == "198.51.100.7"
    assert client_address("198.51.100.7", ["203.0.113.9"], OURS) == "198.51.100.7"


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["192.0.2.1, 203.0.113.9"], "203.0.113.9"),  # the first one is what the client claims
        (["192.0.2.1", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),  # two proxies of ours, two headers
        (["2001:DB8::1"], "2001:db8::1"),
        (["not an address"], "10.0.0.1"),
        (["203.0.113.9, not an address"], "10.0.0.1"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_behind_a_proxy_of_ours_the_last_foreign_address_counts(values: list[str], address: str) -> None:
    """The chain is read from its end, as far as the hops in it are ours."""
    assert client_address("10.0.0.1", values, OURS) == address


def test_a_unix_socket_is_our_proxy_where_we_have_one() -> None:
    """Nobody else can reach it."""
    assert client_address(None, ["203.0.113.9"], OURS) == "203.0.113.9"
    assert client_address(None, ["203.0.113.9"], ()) == ""
