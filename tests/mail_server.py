"""Mail servers of every temper, on a port of this machine, speaking real SMTP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Answer = Callable[[Envelope], Awaitable[str | None]]


@dataclass
class MailServer:
    """What came in. `on_rcpt`, `on_data`: what it says to each; None for the usual yes."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    encrypted: list[bool] = field(default_factory=list)
    transports: list[asyncio.Transport] = field(default_factory=list)
    on_rcpt: Callable[[str], str | None] = lambda _address: None
    on_data: Answer | None = None

    async def handle_RCPT(
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Somebody to write to."""
        said = self.on_rcpt(address)
        if said is None:
            envelope.rcpt_tos.append(address)
        return said or "250 ok"

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:
        """A whole mail."""
        said = await self.on_data(envelope) if self.on_data else None
        if said is not None:
            return said
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, policy=policy.default))
        self.recipients += envelope.rcpt_tos
        self.encrypted.append(session.ssl is not None)
        return "250 kept"

    def hang_up(self) -> None:
        """End every connection at once."""
        for transport in self.transports:
            transport.abort()


class _Protocol(SMTP):
    def __init__(self, server: MailServer, **options: Any) -> None:
        super().__init__(server, hostname="localhost", **options)
        self._house = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody calls; under TLS it is the same call once more."""
        if transport.get_extra_info("sslcontext") is None:
            self._house.connections += 1
        self._house.transports.append(cast(asyncio.Transport, transport))
        super().connection_made(transport)


def _who(user: str, password: str) -> Callable[..., AuthResult]:
    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (
            user.encode(),
            password.encode(),
        )
        return AuthResult(success=right, handled=False)

    return check


@asynccontextmanager
async def open_mail_server(
    *, port: int = 0, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> AsyncIterator[MailServer]:
    """Listen; with `tls` it demands STARTTLS, with `login` a user name and a password."""
    house = MailServer()
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"loop": loop}
    if tls is not None:
        options |= {"tls_context": tls, "require_starttls": True}
    if login is not None:
        options |= {"authenticator": _who(*login), "auth_required": True, "auth_require_tls": tls is not None}
    server = await loop.create_server(lambda: _Protocol(house, **options), "127.0.0.1", port)
    house.port = server.sockets[0].getsockname()[1]
    try:
        yield house
    finally:
        server.close()
        house.hang_up()
        await server.wait_closed()
