"""Stopping the mails of a kind: one click, without signing in; looking changes nothing."""

from __future__ import annotations

import re

import pytest

from tests.handlers.api import Answer, Api, Person

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def link(api: Api, person: Person, kind: str = "booking") -> str:
    """What the foot of a mail links to, below /api/v1."""
    address = await api.contexts.unsubscribing.address(person.id, kind)
    return address.partition("/api/v1")[2]


async def wanted(person: Person, kind: str = "booking") -> bool:
    """Whether they get mails of a kind."""
    answer = await person.get("/users/me/preferences")
    return bool(answer.data["notifications"][kind]["mail"])


def check_page(answer: Answer) -> str:
    """A page that loads nothing and may be put into no frame; its text."""
    assert answer.status == 200, answer.raw
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    text = answer.raw.decode()
    assert not re.search(r"<script|src=|@import|url\(", text)
    return text


async def test_looking_changes_nothing(api: Api) -> None:
    """What reads mails for viruses opens every link in them."""
    anna = await api.person()
    for _ in range(3):
        text = check_page(await api.call("GET", await link(api, anna)))
    assert 'method="post"' in text
    assert await wanted(anna)


async def test_the_button_stops_one_kind_and_nothing_else(api: Api) -> None:
    """As a browser sends it; twice does no harm."""
    anna = await api.person()
    for _ in range(2):
        text = check_page(await api.call("POST", await link(api, anna), data=b"", headers=FORM))
    assert "no more mails about booking" in text
    assert not await wanted(anna)
    assert await wanted(anna, "receipt")


@pytest.mark.parametrize("form", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_a_mail_program_stops_it_with_one_click(api: Api, form: str) -> None:
    """RFC 8058: a post with this body, without cookies and without anything else."""
    anna = await api.person()
    body = b"List-Unsubscribe=One-Click"
    if "boundary" in form:
        body = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
    answer = await api.call("POST", await link(api, anna), data=body, headers={"Content-Type": form})
    assert answer.status == 200
    assert not await wanted(anna)


async def test_who_has_changed_their_mind_turns_it_on_again(api: Api) -> None:
    """The page after the button has another one."""
    anna = await api.person()
    text = check_page(await api.call("POST", await link(api, anna), data=b"", headers=FORM))
    (action,) = re.findall(r'action="([^"]+)"', text)
    check_page(await api.call("POST", f"/mail/{action}", data=b"", headers=FORM))
    assert await wanted(anna)


async def test_a_link_that_is_not_ours_does_nothing(api: Api) -> None:
    """Whoever has one of their own cannot stop another's mails."""
    anna, ben = await api.person(), await api.person("Ben")
    foreign = (await link(api, anna)).replace(anna.id, ben.id)
    for method, headers in (("GET", {}), ("POST", FORM)):
        answer = await api.call(method, foreign, headers=headers)
        assert (answer.status, answer.code) == (422, "invalid")
        answer = await api.call(method, "/mail/unsubscribe", headers=headers)
        assert answer.status == 422
    assert await wanted(ben)


async def test_B4_the_link_opens_nothing(api: Api) -> None:
    """It is no token for anything else: not as a header, not for confirming, not for a new pair."""
    anna = await api.person()
    token = (await link(api, anna)).partition("token=")[2]
    assert (await api.call("GET", "/users/me", token)).status == 401
    assert (await api.post("/auth/verify", {"token": token})).status == 422
    assert (await api.post("/auth/refresh", {"refresh_token": token})).status == 401
    assert (await api.call("GET", "/mail/unsubscribe?token=" + anna.access)).status == 422


async def test_the_body_is_of_no_size(api: Api) -> None:
    """There is nothing to be said beside the link."""
    anna = await api.person()
    answer = await api.call("POST", await link(api, anna), data=b"x" * 20_000, headers=FORM)
    assert (answer.status, answer.code) == (413, "too_large")
    assert await wanted(anna)
