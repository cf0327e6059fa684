"""The way to the mail server: with encryption and a password, and past servers of every temper."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import config.settings
from fittracker import postman as module
from fittracker.postman import MailRefused, Postman, ServerAway
from tests.mail_server import MailServer, open_mail_server

MAIL = b"From: <us@fit.example.org>\r\nTo: <anna@example.org>\r\nSubject: Hello\r\n\r\nHello\r\n"
US, ANNA = "us@fit.example.org", "anna@example.org"


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    """One that takes everything."""
    async with open_mail_server() as opened:
        yield opened


def postman(port: int, **changes: Any) -> Postman:
    """One who goes to a port of this machine."""
    return Postman(config.settings.load(mode="test", smtp_host="localhost", smtp_port=port, **changes))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def tls(certificate: Path) -> ssl.SSLContext:
    """What the server shows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


# -- one connection ------------------------------------------------------------------------------------


async def test_many_mails_share_one_connection(server: MailServer) -> None:
    """A mail server counts connections, and each costs several round trips."""
    sender = postman(server.port)
    for _ in range(20):
        await sender.deliver(US, ANNA, MAIL)
    await sender.rest()
    assert (len(server.mails), server.connections) == (20, 1)


async def test_after_a_rest_there_is_a_new_connection(server: MailServer) -> None:
    """None is held open while there is nothing to say."""
    sender = postman(server.port)
    await sender.deliver(US, ANNA, MAIL)
    await sender.rest()
    await sender.deliver(US, ANNA, MAIL)
    await sender.rest()
    assert (len(server.mails), server.connections) == (2, 2)


async def test_a_connection_that_the_server_has_ended_is_replaced(server: MailServer) -> None:
    """Nobody notices but the server."""
    sender = postman(server.port)
    await sender.deliver(US, ANNA, MAIL)
    server.hang_up()
    await sender.deliver(US, ANNA, MAIL)
    await sender.rest()
    assert (len(server.mails), server.connections) == (2, 2)


async def test_a_server_that_closes_after_some_mails_gets_the_rest_on_a_new_connection(
    server: MailServer,
) -> None:
    """421 after a hundred is what large providers say."""

    async def close(_envelope: Envelope) -> str | None:
        return "421 enough" if server.connections == 1 and len(server.mails) == 3 else None

    server.on_data = close
    sender = postman(server.port)
    for _ in range(6):
        await sender.deliver(US, ANNA, MAIL)
    await sender.rest()
    assert (len(server.mails), server.connections) == (6, 2)


# -- encryption and passwords --------------------------------------------------------------------------


async def test_starttls_and_a_password(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of production: encrypted before the password is said."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with open_mail_server(tls=tls(certificate), login=("fit", "a password")) as server:
        sender = postman(server.port, smtp_security="starttls", smtp_user="fit", smtp_password="a password")
        await sender.deliver(US, ANNA, MAIL)
        await sender.rest()
    assert (len(server.mails), server.encrypted) == (1, [True])


async def test_a_wrong_password_is_no_fault_of_the_mail(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits until somebody has mended the settings; 535 would be for good if it were about the mail."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with open_mail_server(tls=tls(certificate), login=("fit", "a password")) as server:
        sender = postman(server.port, smtp_security="starttls", smtp_user="fit", smtp_password="another one")
        with pytest.raises(ServerAway, match="SMTPAuthenticationError 535"):
            await sender.deliver(US, ANNA, MAIL)
    assert server.mails == []


async def test_a_certificate_of_nobody_is_not_believed(certificate: Path) -> None:
    """Somebody between us and the server could read the links."""
    async with open_mail_server(tls=tls(certificate)) as server:
        with pytest.raises(ServerAway):
            await postman(server.port, smtp_security="starttls").deliver(US, ANNA, MAIL)
    assert server.mails == []


async def test_a_server_without_encryption_gets_nothing_where_it_is_demanded(server: MailServer) -> None:
    """Or somebody could take the offer out of its greeting."""
    with pytest.raises(ServerAway):
        await postman(server.port, smtp_security="starttls").deliver(US, ANNA, MAIL)
    assert server.mails == []


# -- servers of every temper ---------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "for_good"), [("450 come back later", False), ("550 nobody here", True)])
async def test_a_refused_recipient(server: MailServer, said: str, for_good: bool) -> None:
    """Greylisting says 450 and means it; the next mail goes over the same connection."""
    server.on_rcpt = lambda address: said if address == ANNA else None
    sender = postman(server.port)
    with pytest.raises(MailRefused) as caught:
        await sender.deliver(US, ANNA, MAIL)
    assert caught.value.for_good is for_good
    assert ANNA not in caught.value.reason
    await sender.deliver(US, "ben@example.org", MAIL)
    await sender.rest()
    assert (server.recipients, server.connections) == (["ben@example.org"], 1)


@pytest.mark.parametrize(("said", "for_good"), [("451 try again", False), ("554 looks like spam", True)])
async def test_a_refused_content(server: MailServer, said: str, for_good: bool) -> None:
    """After all of it was sent."""

    async def refuse(_envelope: Envelope) -> str:
        return said

    server.on_data = refuse
    sender = postman(server.port)
    with pytest.raises(MailRefused) as caught:
        await sender.deliver(US, ANNA, MAIL)
    assert caught.value.for_good is for_good
    await sender.rest()


async def test_a_server_that_refuses_the_sender_refuses_us(server: MailServer) -> None:
    """A 5xx that is about our address loses no mail: the settings can be mended."""
    server.handle_MAIL = _refuse_sender  # type: ignore[attr-defined]
    with pytest.raises(MailRefused) as caught:
        await postman(server.port).deliver(US, ANNA, MAIL)
    assert not caught.value.for_good


async def _refuse_sender(*_about: Any) -> str:
    return "550 not from there"


async def test_a_connection_cut_in_the_middle_of_a_mail(server: MailServer) -> None:
    """The mail is tried again, later; whether the server has it is not known."""

    async def cut(_envelope: Envelope) -> str:
        server.hang_up()
        return "250 said to nobody"

    server.on_data = cut
    sender = postman(server.port)
    with pytest.raises(MailRefused) as caught:
        await sender.deliver(US, ANNA, MAIL)
    assert not caught.value.for_good
    server.on_data = None
    await sender.deliver(US, ANNA, MAIL)
    await sender.rest()
    assert len(server.mails) == 1


async def test_a_server_that_says_nothing_is_left_alone(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time there is for a whole mail, which is less than the outbox leases it for."""
    assert module.ALL_S < 60
    monkeypatch.setattr(module, "ALL_S", 0.3)
    released = asyncio.Event()

    async def wait(_envelope: Envelope) -> str | None:
        await released.wait()
        return None

    server.on_data = wait
    with pytest.raises(ServerAway, match="too long"):
        await postman(server.port).deliver(US, ANNA, MAIL)
    released.set()


async def test_no_server_at_all(server: MailServer) -> None:
    """Nobody listens on that port."""
    async with open_mail_server() as gone:
        port = gone.port
    with pytest.raises(ServerAway, match="SMTPConnectError"):
        await postman(port).deliver(US, ANNA, MAIL)


async def test_an_address_that_is_a_command_commands_nothing(server: MailServer) -> None:
    """Neither a line break nor a bracket gets onto the line; in the header they are refused before."""
    for address in ("anna@example.org>\r\nRCPT TO:<eve@example.net", "anna@example.org> SIZE=1"):
        with contextlib.suppress(ValueError, MailRefused):
            await postman(server.port).deliver(US, address, MAIL)
    assert set(server.recipients) <= {ANNA}
