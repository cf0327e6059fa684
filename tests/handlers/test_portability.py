"""Taking everything along by REST, and bringing it in again."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from tests.handlers.api import Api, Person, eventually
from tests.handlers.test_workouts import run_of

ZIP = {"Content-Type": "application/zip"}


async def done(person: Person, path: str) -> dict[str, Any]:
    """The job at this path, once it has ended."""

    async def look() -> dict[str, Any] | None:
        answer = await person.get(path)
        assert answer.status == 200, answer.raw
        job: dict[str, Any] = answer.data
        assert 0 <= job["progress"] <= 1
        return job if job["status"] in {"ready", "failed"} else None

    job = await eventually(look, f"{path} has ended", seconds=20)
    assert job is not None
    return job


async def export_of(person: Person) -> bytes:
    """Everything of a person, as they fetch it."""
    asked = await person.post("/users/me/export")
    assert asked.status == 202
    path = f"/users/me/export/{asked.data['id']}"
    assert (await done(person, path))["status"] == "ready"
    return (await person.get(f"{path}?download=true")).raw


async def import_of(person: Person, content: bytes) -> dict[str, Any]:
    """What came of handing this in."""
    api = person.api
    asked = await api.call("POST", "/users/me/import", person.access, data=content, headers=ZIP)
    assert asked.status == 202, asked.raw
    return await done(person, f"/users/me/import/{asked.data['id']}")


async def test_a_person_takes_everything_along(api: Api) -> None:
    """A job, a mail, and a zip that says what is in it; no secret is among it."""
    anna = await api.person(birth_date="1990-01-01")
    workout, _ = await run_of(api, anna)
    asked = await anna.post("/users/me/export")
    assert (asked.status, asked.data["status"]) == (202, "queued")
    path = f"/users/me/export/{asked.data['id']}"
    job = await done(anna, path)
    fetched = await anna.get(path, headers={"Accept": "application/zip"})
    assert fetched.headers["Content-Type"] == "application/zip"
    assert fetched.headers["Content-Disposition"].startswith('attachment; filename="fittracker-export-')
    assert fetched.headers["Cache-Control"] == "no-store"
    assert len(fetched.raw) == job["result"]["size"]
    archive = zipfile.ZipFile(io.BytesIO(fetched.raw))
    assert archive.testzip() is None
    manifest = json.loads(archive.read("export.json"))
    assert {each["name"] for each in manifest["files"]} == {*archive.namelist()} - {"export.json"}
    assert json.loads(archive.read("profile.json"))["birth_date"] == "1990-01-01"
    assert json.loads(archive.read("workouts.jsonl"))["id"] == workout["_id"]
    whole = b"".join(archive.read(name) for name in archive.namelist())
    for secret in (b"$2b$", b"password", b"fingerprint", b"refresh"):
        assert secret not in whole
    mail = await api.mail_to(anna.email, "Your data is ready")
    assert f"https://fit.example.org/export?id={job['id']}" in mail["text"]


async def test_an_export_is_asked_for_again_while_it_is_on_its_way(api: Api) -> None:
    """It is the same one; the sixth of a day is too many."""
    anna = await api.person()
    first, second = await anna.post("/users/me/export"), await anna.post("/users/me/export")
    assert first.data["id"] == second.data["id"]
    await done(anna, f"/users/me/export/{first.data['id']}")
    for _ in range(4):
        again = await anna.post("/users/me/export")
        await done(anna, f"/users/me/export/{again.data['id']}")
    refused = await anna.post("/users/me/export")
    assert (refused.status, refused.code) == (429, "rate_limited")


async def test_the_zip_is_not_there_before_it_is_ready(api: Api) -> None:
    """409; and neither the job nor the zip is another person's."""
    anna, ulla = await api.person(), await api.person("Ulla")
    job = await api.contexts.database.jobs.insert_one(
        {
            "_id": "e" * 24,
            "kind": "export",
            "user": anna.id,
            "status": "running",
            "progress": 0.5,
            "created_at": api.clock.utc(),
        }
    )
    path = f"/users/me/export/{job.inserted_id}"
    assert (await anna.get(f"{path}?download=true")).code == "conflict"
    for query in ("", "?download=true"):
        assert (await ulla.get(path + query)).code == "not_found"
        assert (await anna.get(f"/users/me/import/{job.inserted_id}{query}")).status in {404, 422}


async def test_what_one_account_gave_another_takes_in_once(api: Api) -> None:
    """Profile, workout and every sample; the second time everything is there already."""
    anna, nora = await api.person(birth_date="1990-01-01", weight_kg=62), await api.person("Nora")
    await run_of(api, anna)
    content = await export_of(anna)
    first = (await import_of(nora, content))["result"]
    assert first["refused"] == 0, first
    assert first["imported"]["workouts"] == 1
    assert first["left_out"] == ["sign_ins"]
    assert (await nora.get("/users/me")).data["weight_kg"] == 62
    assert (await nora.get("/users/me")).data["name"] == "Nora"
    (mine,) = (await anna.get("/workouts")).data["items"]
    (hers,) = (await nora.get("/workouts")).data["items"]
    assert mine["id"] != hers["id"]
    assert mine["summary"] == hers["summary"]
    raw = [
        (await each.get(f"/workouts/{w['id']}/heart-rate")).data for each, w in ((anna, mine), (nora, hers))
    ]
    assert raw[0] == raw[1]
    second = (await import_of(nora, content))["result"]
    assert (second["imported"], second["refused"]) == ({}, 0)
    back = (await import_of(anna, content))["result"]
    assert (back["imported"], back["refused"]) == ({}, 0)
    assert len((await nora.get("/workouts")).data["items"]) == 1


async def test_d6_what_is_no_zip_or_too_large_is_refused(api: Api) -> None:
    """415 for another type, 413 above the limit, whether the sender says so or not, 422 for no zip."""
    anna = await api.person()
    imports = api.contexts.ownership.imports

    async def send(content: Any, kind: str = "application/zip") -> tuple[int, str]:
        headers = {"Content-Type": kind}
        answer = await api.call("POST", "/users/me/import", anna.access, data=content, headers=headers)
        return answer.status, answer.code

    async def pieces() -> Any:
        yield b"PK\x03\x04"
        for _ in range(40):
            yield bytes(100_000)

    assert await send(b"{}", "application/json") == (415, "unsupported_media_type")
    assert await send(b"GIF89a" + bytes(100)) == (422, "invalid")
    assert await send(b"") == (422, "invalid")
    before, imports.most_bytes = imports.most_bytes, 2_000_000
    try:
        assert await send(pieces()) == (413, "too_large")
    finally:
        imports.most_bytes = before
    assert await api.contexts.database.job_files.count_documents({"user": anna.id}) == 0


async def test_a_zip_that_is_no_export_fails_with_a_reason(api: Api) -> None:
    """The job says why, and the next import may begin."""
    anna = await api.person()
    job = await import_of(anna, b"PK\x03\x04" + bytes(500))
    assert (job["status"], job["reason"]) == (
        "failed",
        "It is no zip of ours: something follows its directory.",
    )
    assert (await import_of(anna, b"PK\x03\x04"))["status"] == "failed"


async def test_who_exports_and_imports_is_audited(api: Api) -> None:
    """F6: with the job, and nothing of what was in it."""
    anna = await api.person()
    content = await export_of(anna)
    await import_of(anna, content)
    found = api.contexts.database.audit.find({"target": anna.id, "event": {"$regex": "^data"}})
    entries = await found.sort("_id").to_list()
    assert [each["event"] for each in entries] == ["data.exported", "data.imported"]
    assert all(each["actor"] == anna.id and each["detail"].keys() == {"job"} for each in entries)


async def test_what_one_said_is_taken_along_in_plain_words(api: Api) -> None:
    """One's own alone, as it says now; what was deleted and what others said stays behind."""
    anna, bert = await api.person(), await api.person("Bert")
    made = await anna.post("/conversations", {"kind": "direct", "members": [bert.id]})
    room = f"chat:{made.data['id']}"
    chat = api.contexts.chat
    said = [
        await chat.send(user, "Name", room, text, client_id=text)
        for user, text in ((anna.id, "kept"), (anna.id, "first"), (anna.id, "gone"), (bert.id, "his"))
    ]
    await chat.edits.edit(anna.id, said[1].id, "changed")
    await chat.edits.delete(anna.id, said[2].id)
    with zipfile.ZipFile(io.BytesIO(await export_of(anna))) as archive:
        lines = archive.read("messages.jsonl").splitlines()
    rows = {row["text"]: row for row in map(json.loads, lines)}
    assert rows.keys() == {"kept", "changed"}
    assert (rows["kept"]["room"], rows["kept"]["id"]) == (room, said[0].id)
    assert (rows["kept"]["edited_at"], rows["changed"]["edited_at"] is None) == (None, False)
