"""Where pushes may be sent. An endpoint is an address that a client has given us, and we send requests there:
only to public hosts, over TLS, whatever the name resolves to at that moment.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, urlsplit

from fittracker.errors import Invalid

LONGEST: Final = 1_000
TLS_PORT: Final = 443
_HOST: Final = re.compile(
    r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
_TRANSLATED: Final = (
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64: an IPv4 address in its last bits
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),  # 6to4
    ipaddress.ip_network("2001::/32"),  # Teredo
    ipaddress.ip_network("::/96"),  # IPv4-compatible
)


class Endpoints:
    """Says which endpoints are acceptable; `exempt` are `host:port` that may be private and without TLS."""

    def __init__(self, exempt: Collection[str] = ()) -> None:
        self._exempt = frozenset(exempt)

    def check(self, url: str) -> str:
        """The origin of an acceptable endpoint, `https://host`; Invalid for any other.

        An address in numbers is none: push services have names, and only a name is looked at by `resolved`.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _refused() from None
        host = parts.hostname or ""
        if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            raise _refused()
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise _refused()
        if self.exempts(host, port or _default(parts)) and parts.scheme in {"http", "https"}:
            return f"{parts.scheme}://{host}:{port or _default(parts)}"
        if parts.scheme != "https" or port not in {None, TLS_PORT} or not _HOST.fullmatch(host):
            raise _refused()
        return f"https://{host}"

    def exempts(self, host: str, port: int) -> bool:
        """Whether the settings say that this one may be private."""
        return f"{host}:{port}" in self._exempt


def _default(parts: SplitResult) -> int:
    return TLS_PORT if parts.scheme == "https" else 80


def _refused() -> Invalid:
    return Invalid(
        "This is no push service's address.",
        fields={"endpoint": "must be an https address of a public host, by name"},
    )


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet; those that carry another one inside are not."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        elif any(parsed in network for network in _TRANSLATED):
            return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved
