"""A real nginx with our nginx.conf, unchanged, and a site of its own."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from fittracker.embedded.server import LOOPBACK, free_port

OURS = Path(__file__).resolve().parents[2] / "nginx"
NAME = "fit.example.org"
START_S = 10.0
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Site:
    """A running nginx."""

    folder: Path
    tls_port: int
    plain_port: int

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"https://{LOOPBACK}:{self.tls_port}"

    @property
    def trust(self) -> ssl.SSLContext:
        """A client's side that believes this certificate and no other."""
        return ssl.create_default_context(cafile=str(self.folder / "tls" / "fullchain.pem"))

    @property
    def log(self) -> str:
        """What it has logged so far: accesses and errors."""
        return "".join((self.folder / name).read_text() for name in ("access.log", "error.log"))


def lay_out(folder: Path, upstream: str, insiders: str = "") -> Site:
    """Copy our configuration into a folder and give it a site of its own."""
    shutil.copytree(OURS, folder)
    site = Site(folder, free_port(), free_port())
    certify(folder / "tls")
    # Workers that run as somebody else could not write to a folder that is ours alone.
    user = "user root;" if os.geteuid() == 0 else ""
    parts = {
        "process": f"{user} daemon off; pid nginx.pid; error_log error.log;",
        "http": f"access_log access.log events; {_temporary()} server {{ listen {LOOPBACK}:{site.plain_port};"
        " return 308 https://$host$request_uri; }",
        "upstream": f"server {upstream} max_fails=0;",
        "listen": f"listen {LOOPBACK}:{site.tls_port} ssl http2; server_name {NAME};"
        " ssl_certificate tls/fullchain.pem; ssl_certificate_key tls/privkey.pem;",
        "insiders": insiders,
    }
    for name, text in parts.items():
        (folder / "site" / f"{name}.conf").write_text(text + "\n")
    return site


def _temporary() -> str:
    return " ".join(f"{name}_temp_path {name}_temp;" for name in TEMPORARY)


def certify(folder: Path) -> None:
    """A key, and a certificate for the loopback that it signs itself."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    names = [x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "privkey.pem").write_bytes(secret)


def command(folder: Path, *more: str) -> list[str]:
    """nginx with the configuration of this folder."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program is not None
    return [
        program,
        "-p",
        f"{folder}/",
        "-c",
        str(folder / "nginx.conf"),
        "-e",
        str(folder / "error.log"),
        *more,
    ]


def is_installed() -> bool:
    """Whether there is an nginx; Debian keeps it where only root's PATH leads."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[Site]:
    """Start nginx, wait until it listens, and end it with the block."""
    process = await asyncio.create_subprocess_exec(
        *command(site.folder), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(START_S):
            while not _listens(site.tls_port):
                assert process.returncode is None, (site.folder / "error.log").read_text()
                await asyncio.sleep(0.02)
        yield site
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
