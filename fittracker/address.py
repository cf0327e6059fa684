"""The address a request came from, when some of what says so may be lying."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The last address in the chain that is not one of our own proxies.

    `peer` is the other end of the connection ("" for a unix socket, which only our proxy can reach),
    `forwarded_for` the values of X-Forwarded-For. Each proxy appends the address it saw, so the chain is read
    from its end, and only as long as the proxies in it are ours.
    """
    address = peer or ""
    hops = [hop.strip() for value in forwarded_for for hop in value.split(",") if hop.strip()]
    while hops and _is_trusted(address, trusted):
        try:
            address = str(ipaddress.ip_address(hops.pop()))
        except ValueError:
            break
    return address


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    if not address:
        return bool(trusted)
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed.version == network.version and parsed in network for network in trusted)
