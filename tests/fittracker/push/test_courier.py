"""The courier against services that misbehave, and names that lead home."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography.hazmat.primitives.asymmetric import ec

from fittracker.clock import Clock
from fittracker.push import courier as courier_module
from fittracker.push.courier import Courier, Message, Outcome, PublicOnly
from fittracker.push.endpoints import Endpoints
from fittracker.push.subscriptions import Target
from fittracker.push.vapid import Vapid, new_key, public_key
from tests.moving_clock import MovingClock
from tests.push_service import Browser, PushService, claims, decrypt, host_of, point, raw, text

MESSAGE = Message(b'{"body": "Hello"}', 60, "normal", "t" * 32)
CONTACT = "mailto:push@example.org"


def target(browser: Browser) -> Target:
    """Where it is reached."""
    return Target(browser.subscription["endpoint"], **browser.subscription["keys"])


@asynccontextmanager
async def a_courier(exempt: Sequence[str] = ()) -> AsyncIterator[Courier]:
    """One that may reach these hosts though they are private."""
    made = Courier(Vapid(new_key(), CONTACT, Clock()), Endpoints(exempt), Clock())
    async with made.running():
        yield made


def test_what_reads_pushes_in_these_tests_reads_the_example_of_the_standard() -> None:
    """RFC 8291, appendix A: what it shows to be right, is."""
    private = ec.derive_private_key(
        int.from_bytes(raw("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "big"), ec.SECP256R1()
    )
    assert text(point(private.public_key())) == (
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    )
    body = raw(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
        "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert decrypt(body, private, raw("BTBZMqHH6r4Tts7J_aSIgg")) == (
        b"When I grow up, I want to be a watermelon"
    )


def test_the_public_key_of_the_standards_example_follows_from_its_private_one() -> None:
    """And a new pair is one."""
    assert public_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw") == (
        "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
    )
    assert len(new_key()) == 43
    assert len(public_key(new_key())) == 87


async def test_it_goes_where_it_may_and_nowhere_else(service: PushService) -> None:
    """The same host without an exemption is refused without a request."""
    browser = service.browser()
    async with a_courier((host_of(service),)) as courier:
        assert (await courier.send(target(browser), MESSAGE)).outcome is Outcome.TAKEN
    async with a_courier() as courier:
        assert (await courier.send(target(browser), MESSAGE)).outcome is Outcome.REFUSED
    assert len(browser.requests) == 1


class Leading(AbstractResolver):
    """A resolver for which every name leads to these addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As told."""
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("169.254.169.254",)])
async def test_a_good_name_that_leads_home_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    """At the moment of sending, whatever it led to when it was registered; nothing is connected to."""
    connected: list[object] = []

    async def connect(*arguments: object, **_: object) -> None:
        connected.append(arguments)
        raise OSError("nothing is to be connected to")

    monkeypatch.setattr(courier_module.aiohttp, "ThreadedResolver", lambda: Leading(*addresses))
    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    keys = {"p256dh": public_key(new_key()), "auth": "A" * 22}
    async with a_courier() as courier:
        answer = await courier.send(Target("https://push.example.org/x", **keys), MESSAGE)
    assert (answer.outcome, answer.reason) == (Outcome.REFUSED, "an address that is not public")
    assert connected == []


async def test_the_host_that_is_exempt_is_so_with_its_port_only() -> None:
    """The database beside it is not."""
    resolver = PublicOnly(Endpoints(("localhost:8085",)))
    assert await resolver.resolve("localhost", 8085)
    with pytest.raises(OSError, match="not public"):
        await resolver.resolve("localhost", 27017)


async def test_a_service_that_says_nothing_costs_no_more_than_its_time(
    service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again later."""
    monkeypatch.setattr(courier_module, "ALL_S", 0.2)
    listening = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listening.set()
        await asyncio.sleep(0.5)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    keys = target(service.browser())
    async with server, a_courier((host,)) as courier:
        answer = await courier.send(Target(f"http://{host}/x", keys.p256dh, keys.auth), MESSAGE)
    assert answer.outcome is Outcome.LATER
    assert listening.is_set()


async def test_what_a_service_answers_is_not_read(service: PushService) -> None:
    """However much it is: the status is enough."""
    browser = service.browser()
    service.answers[browser.path] = lambda: web.Response(status=201, body=b"x" * 50_000_000)
    async with a_courier((host_of(service),)) as courier:
        assert (await courier.send(target(browser), MESSAGE)).outcome is Outcome.TAKEN


@pytest.mark.parametrize(
    ("status", "retry_after", "outcome", "pause"),
    [
        (200, None, Outcome.TAKEN, None),
        (202, None, Outcome.TAKEN, None),
        (302, None, Outcome.REFUSED, None),
        (400, None, Outcome.REFUSED, None),
        (403, None, Outcome.REFUSED, None),
        (404, None, Outcome.GONE, None),
        (410, None, Outcome.GONE, None),
        (413, None, Outcome.REFUSED, None),
        (429, "7", Outcome.LATER, 7.0),
        (429, "999999999999", Outcome.LATER, 3_600.0),
        (503, "Wed, 21 Oct 2015 07:28:00 GMT", Outcome.LATER, 0.0),
        (503, "soon", Outcome.LATER, None),
        (500, None, Outcome.LATER, None),
    ],
)
async def test_each_answer_of_a_service_has_its_meaning(
    service: PushService, status: int, retry_after: str | None, outcome: Outcome, pause: float | None
) -> None:
    """And a wait that it asks for is kept to, up to an hour."""
    browser = service.browser()
    service.answer(browser, status, **({"Retry_After": retry_after} if retry_after else {}))
    async with a_courier((host_of(service),)) as courier:
        answer = await courier.send(target(browser), MESSAGE)
    assert (answer.outcome, answer.pause_s) == (outcome, pause)
    assert browser.shown == [{"body": "Hello"}]


async def test_one_header_is_good_for_some_hours_and_one_service(service: PushService) -> None:
    """Signing for each message would cost more than encrypting it; services may count how many there are."""
    clock = MovingClock()
    key = new_key()
    vapid = Vapid(key, CONTACT, clock)
    first = vapid.authorization("https://push.example.org")
    clock.advance(5 * 3_600)
    assert vapid.authorization("https://push.example.org") == first
    assert vapid.authorization("https://other.example.org") != first
    clock.advance(2 * 3_600)
    second = vapid.authorization("https://push.example.org")
    for header, at in ((first, clock.now() - 7 * 3_600), (second, clock.now())):
        said = claims(header, public_key(key))
        assert said["aud"] == "https://push.example.org"
        assert 6 * 3_600 < said["exp"] - at <= 24 * 3_600


def test_what_encrypts_is_loaded_only_where_there_is_a_key() -> None:
    """It brings a second HTTP client along."""
    look = (
        "import sys, fittracker.contexts; print([m for m in ('pywebpush', 'requests') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
