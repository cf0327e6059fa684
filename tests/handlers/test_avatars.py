"""The picture that people show of themselves."""

from __future__ import annotations

import asyncio
import time
from io import BytesIO

import pytest
from PIL import Image

from fittracker.avatars import MOST_BYTES, MOST_WAITING
from fittracker.sandbox import Overdue
from tests.fittracker.picture_files import BLUE, RED, bomb, halves, saved, telling
from tests.handlers.api import Answer, Api, Person

MINE = "/users/me/avatar"


async def put(person: Person, data: bytes, kind: str = "image/png") -> Answer:
    """Send a picture."""
    body = BytesIO(data) if isinstance(data, bytes) else data
    return await person.api.call("PUT", MINE, person.access, data=body, headers={"Content-Type": kind})


def side(answer: Answer) -> int:
    """How wide a picture is."""
    return Image.open(BytesIO(answer.raw)).size[0]


async def test_anna_shows_a_picture(api: Api) -> None:
    """Large and small, to others as to herself, as WebP that may be kept by her browser alone."""
    anna, ben = await api.person(), await api.person("Ben")
    assert (await put(anna, saved(halves(), "JPEG", exif=telling()), "image/jpeg")).status == 204
    seen = await ben.get(f"/users/{anna.id}/avatar")
    assert (seen.status, side(seen)) == (200, 512)
    assert seen.headers["Content-Type"] == "image/webp"
    assert seen.headers["Cache-Control"] == "private, max-age=300"
    assert seen.headers["X-Content-Type-Options"] == "nosniff"
    assert b"SecretCam" not in seen.raw
    assert (await anna.get(MINE)).raw == seen.raw
    assert side(await ben.get(f"/users/{anna.id}/avatar?size=small")) == 96
    assert (await ben.get(f"/users/{anna.id}/avatar?size=huge")).status == 422


async def test_what_has_not_changed_need_not_be_sent_again(api: Api) -> None:
    """304 for the picture one has, for each size of its own, until there is another."""
    anna = await api.person()
    await put(anna, saved(Image.new("RGB", (64, 64), RED), "PNG"))
    tag = (await anna.get(MINE)).headers["ETag"]
    same = await anna.get(MINE, headers={"If-None-Match": f'"other", {tag}'})
    assert (same.status, same.raw, same.headers["ETag"]) == (304, b"", tag)
    assert (await anna.get(f"{MINE}?size=small", headers={"If-None-Match": tag})).status == 200
    await put(anna, saved(Image.new("RGB", (64, 64), BLUE), "PNG"))
    assert (await anna.get(MINE, headers={"If-None-Match": tag})).status == 200


async def test_she_shows_none_any_more(api: Api) -> None:
    """Gone for everybody; twice is 404."""
    anna, ben = await api.person(), await api.person("Ben")
    assert (await anna.get(MINE)).status == 404
    await put(anna, saved(halves(), "PNG"))
    assert (await anna.delete(MINE)).status == 204
    assert (await anna.delete(MINE)).status == 404
    assert (await ben.get(f"/users/{anna.id}/avatar")).status == 404


async def test_who_may_not_see_the_profile_sees_no_picture(api: Api) -> None:
    """Private, blocked, disabled, nobody: all the same 404."""
    anna, ben = await api.person(), await api.person("Ben")
    await put(anna, saved(halves(), "PNG"))
    path = f"/users/{anna.id}/avatar"
    await anna.put("/users/me/preferences", {"privacy": {"profile": "private"}})
    assert (await ben.get(path)).status == 404
    assert (await anna.get(path)).status == 200
    await anna.put("/users/me/preferences", {"privacy": {"profile": "public"}})
    assert (await ben.get(path)).status == 200
    users = api.contexts.database.users
    await users.update_one({"_id": anna.id}, {"$set": {"disabled_at": api.contexts.clock.utc()}})
    gone = await ben.get(path)
    never = await ben.get(f"/users/{'f' * 24}/avatar")
    assert (gone.status, gone.data["detail"]) == (never.status, never.data["detail"])
    assert gone.status == 404


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (saved(halves(), "PNG"), "image/gif", 415),
        (saved(halves(), "PNG"), "application/json", 415),
        (saved(halves(), "PNG"), "application/octet-stream", 415),
        (saved(halves(), "GIF"), "image/png", 422),
        (saved(halves(), "PNG")[:-100], "image/png", 422),
        (b"", "image/png", 422),
        (b"<html><script>alert(1)</script>", "image/png", 422),
        (b"x" * (MOST_BYTES + 1), "image/jpeg", 413),
    ],
)
async def test_what_is_no_picture_is_refused(api: Api, data: bytes, kind: str, status: int) -> None:
    """By its type, its size, its content; the picture there was stays."""
    anna = await api.person()
    await put(anna, saved(halves(), "PNG"))
    before = await anna.get(MINE)
    answer = await put(anna, data, kind)
    assert answer.status == status
    assert answer.code == {413: "too_large", 415: "unsupported_media_type", 422: "invalid"}[status]
    assert (await anna.get(MINE)).raw == before.raw


async def test_more_than_it_says_is_not_read(api: Api) -> None:
    """Five megabytes and a bit, in pieces without a length: 413 before it ends."""
    anna = await api.person()
    sent = 0

    async def pieces():  # type: ignore[no-untyped-def]
        nonlocal sent
        for _ in range(400):
            sent += 65_536
            yield b"x" * 65_536

    assert (await put(anna, pieces())).status == 413  # type: ignore[no-untyped-call]
    assert sent < 400 * 65_536


async def test_a_bomb_is_refused_fast(api: Api) -> None:
    """400 million pixels in 50 kilobytes: 422, and nobody waits."""
    anna = await api.person()
    await put(anna, saved(halves(), "PNG"))  # the process has started
    data = bomb(20_000, 20_000)
    began = time.perf_counter()
    answer = await put(anna, data)
    assert (answer.status, set(answer.fields)) == (422, {"body"})
    assert time.perf_counter() - began < 2


async def test_fifty_at_once_leave_one(api: Api) -> None:
    """Whole, large and small of the same; who came when too many waited is told to come back."""
    anna = await api.person()
    files = [saved(Image.new("RGB", (64, 64), (each * 5, 0, 0)), "PNG") for each in range(50)]
    answers = await asyncio.gather(*(put(anna, data) for data in files))
    assert {answer.status for answer in answers} <= {204, 503}
    assert sum(answer.status == 204 for answer in answers) >= MOST_WAITING
    assert all("Retry-After" in answer.headers for answer in answers if answer.status == 503)
    assert await api.contexts.database.avatars.count_documents({"user": anna.id}) == 1
    large, small = await anna.get(MINE), await anna.get(f"{MINE}?size=small")
    assert large.headers["ETag"].split("-")[0] == small.headers["ETag"].split("-")[0]


async def test_what_takes_too_long_is_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """422, and the next one is looked at."""
    anna = await api.person()

    async def dawdle(*_arguments: object) -> bytes:
        raise Overdue("reading the file took longer than 10 s")

    with monkeypatch.context() as slow:
        slow.setattr("fittracker.sandbox.Sandbox.run", dawdle)
        answer = await put(anna, saved(halves(), "PNG"))
    assert (answer.status, answer.data["detail"]) == (422, "It takes too long to read.")
    assert (await put(anna, saved(halves(), "PNG"))).status == 204


async def test_a_large_file_is_refused_before_it_is_sent(api: Api) -> None:
    """Expect: 100-continue with a length of six megabytes gets 413; with four it may go on."""
    anna = await api.person()
    picture = saved(halves(), "PNG")
    good = await api.call(
        "PUT", MINE, anna.access, data=picture, headers={"Content-Type": "image/png"}, expect100=True
    )
    assert good.status == 204
    large = await api.call(
        "PUT",
        MINE,
        anna.access,
        data=BytesIO(b"x" * 6_000_000),
        headers={"Content-Type": "image/png"},
        expect100=True,
    )
    assert large.status == 413
