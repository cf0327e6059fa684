"""Where pushes may go: public hosts by name, over TLS."""

from __future__ import annotations

import pytest

from fittracker.errors import Invalid
from fittracker.push.endpoints import Endpoints, is_public

GOOD = (
    "https://fcm.googleapis.com/fcm/send/abc:def",
    "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
    "https://web.push.apple.com/QO?x=1",
    "https://wns2-db5p.notify.windows.com:443/w/?token=B%2f",
)
BAD = (
    "http://push.example.org/x",
    "ftp://push.example.org/x",
    "file:///etc/passwd",
    "//push.example.org/x",
    "https://push.example.org:8443/x",
    "https://push.example.org:0/x",
    "https://push.example.org:99999/x",
    "https://user@push.example.org/x",
    "https://push.example.org@10.0.0.1/x",
    "https://push.example.org/x#fragment",
    "https://localhost/x",
    "https://mongo/x",
    "https://127.0.0.1/x",
    "https://2130706433/x",
    "https://0x7f.0.0.1/x",
    "https://0177.0.0.1/x",
    "https://127.1/x",
    "https://[::1]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://169.254.169.254/latest/meta-data",
    "https://push.example.org\\@10.0.0.1/x",
    "https://push.example.org /x",
    "https://push.example.org/x\r\nHost: evil",
    "https://push..example.org/x",
    "https://-push.example.org/x",
    "https://пуш.example.org/x",
    "https:///x",
    "https://push.example.org/" + "x" * 1_000,
    "",
)


@pytest.mark.parametrize("url", GOOD)
def test_the_push_services_of_browsers_are_acceptable(url: str) -> None:
    """What is signed is for their origin."""
    origin = Endpoints().check(url)
    assert url.startswith(origin)
    assert origin.count("/") == 2


@pytest.mark.parametrize("url", BAD)
def test_whatever_else_somebody_sends_is_refused(url: str) -> None:
    """Before anything is stored, let alone resolved."""
    with pytest.raises(Invalid):
        Endpoints().check(url)


def test_only_the_very_host_and_port_of_the_settings_is_exempt() -> None:
    """Nothing beside it."""
    endpoints = Endpoints(("127.0.0.1:8085",))
    assert endpoints.check("http://127.0.0.1:8085/x") == "http://127.0.0.1:8085"
    for url in ("http://127.0.0.1:8086/x", "http://127.0.0.2:8085/x", "ftp://127.0.0.1:8085/x"):
        with pytest.raises(Invalid):
            endpoints.check(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
        "2002:7f00:1::", "2001:0:7f00:1::", "no address",
    ],
)  # fmt: skip
def test_an_address_of_ours_or_of_nobody_is_not_public(address: str) -> None:
    """Nor one that carries such an address inside."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "142.250.185.74", "2a00:1450:4001:82a::200a", "::ffff:8.8.8.8"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    """However it is written."""
    assert is_public(address)
