"""A push service and the browsers that subscribe to it: it keeps what it gets, and they can read it.

The decryption is written from RFC 8291 and 8188, beside the library that the product encrypts with.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from tests.patience import soon


def text(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(encoded: str) -> bytes:
    """And back."""
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """The key as 65 bytes."""
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def decrypt(body: bytes, private: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """What was pushed: RFC 8291, section 3.4, over one record of RFC 8188."""
    salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
    sender, record = body[21 : 21 + length], body[21 + length :]
    assert len(record) <= size
    shared = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    info = b"WebPush: info\x00" + point(private.public_key()) + sender
    keying = HKDF(hashes.SHA256(), 32, auth, info).derive(shared)
    secret = HKDF.extract(hashes.SHA256(), salt, keying)

    def derived(label: bytes, count: int) -> bytes:
        return HKDFExpand(hashes.SHA256(), count, b"Content-Encoding: " + label + b"\x00").derive(secret)

    padded = AESGCM(derived(b"aes128gcm", 16)).decrypt(derived(b"nonce", 12), record, None)
    plain, delimiter, padding = padded.rpartition(b"\x02")
    assert delimiter == b"\x02"
    assert not padding.strip(b"\x00")
    return plain


def claims(authorization: str, key: str) -> dict[str, Any]:
    """Those of a VAPID header (RFC 8292), whose signature by this key is checked."""
    scheme, _, parameters = authorization.partition(" ")
    assert scheme == "vapid"
    found = dict(each.strip().split("=", 1) for each in parameters.split(","))
    assert found["k"] == key
    signed, _, signature = found["t"].rpartition(".")
    half = raw(signature)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw(key))
    numbers = (int.from_bytes(half[:32], "big"), int.from_bytes(half[32:], "big"))
    public.verify(utils.encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(hashes.SHA256()))
    said: dict[str, Any] = json.loads(raw(signed.partition(".")[2]))
    return said


@dataclass
class Pushed:
    """A request that came: its path, its headers, its body."""

    path: str
    headers: dict[str, str]
    body: bytes


class Browser:
    """One that has subscribed: only it can read what is pushed to it."""

    def __init__(self, service: PushService, name: str) -> None:
        self._service = service
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._auth = b"0123456789abcdef"
        self.path = f"/push/{name}"

    @property
    def subscription(self) -> dict[str, Any]:
        """As `PushSubscription.toJSON` gives it."""
        keys = {"p256dh": text(point(self._private.public_key())), "auth": text(self._auth)}
        return {"endpoint": self._service.url + self.path, "expirationTime": None, "keys": keys}

    @property
    def requests(self) -> list[Pushed]:
        """What came for it."""
        return [each for each in self._service.pushed if each.path == self.path]

    @property
    def shown(self) -> list[dict[str, Any]]:
        """What it could read of that, taken or not."""
        return [json.loads(decrypt(each.body, self._private, self._auth)) for each in self.requests]

    async def got(self, count: int) -> list[dict[str, Any]]:
        """The same, once so many have come."""
        await soon(lambda: len(self.requests) >= count, f"{count} pushes for {self.path}")
        return self.shown


@dataclass
class PushService:
    """What it got, and how it answers: 201 unless `answers` says otherwise for a path."""

    url: str = ""
    pushed: list[Pushed] = field(default_factory=list)
    answers: dict[str, Callable[[], web.Response]] = field(default_factory=dict)
    _count: int = 0

    def browser(self) -> Browser:
        """A new one."""
        self._count += 1
        return Browser(self, str(self._count))

    def answer(self, browser: Browser, status: int, **headers: str) -> None:
        """How it answers from now on."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[browser.path] = lambda: web.Response(status=status, headers=named)

    async def take(self, request: web.Request) -> web.Response:
        """A request of any method."""
        self.pushed.append(Pushed(request.path, dict(request.headers), await request.read()))
        return self.answers.get(request.path, lambda: web.Response(status=201))()


@asynccontextmanager
async def open_push_service() -> AsyncIterator[PushService]:
    """One on this machine, without TLS: the settings have to exempt it (`host_of`)."""
    service = PushService()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.take)
    async with TestServer(app, host="127.0.0.1") as server:
        service.url = f"http://127.0.0.1:{server.port}"
        yield service


def host_of(service: PushService) -> str:
    """As PUSH_HOSTS wants it."""
    return service.url.removeprefix("http://")
