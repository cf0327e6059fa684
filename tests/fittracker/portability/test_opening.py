"""Zips from people who wish us harm: refused with a reason, in bounded time and memory."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from typing import Any

import pytest

from fittracker.portability import opening
from fittracker.portability.opening import NotOurs, Opened, source_of


def zipped(files: dict[str, bytes], manifest: Any = None, **options: Any) -> bytes:
    """An archive of these files, with a manifest that is right unless another is given."""
    listed = [
        {"name": name, "rows": 1, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    ]
    about = {"format": "fittracker-export", "version": 1, "made_at": "2026-11-24T10:00:00Z", "files": listed}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", options.get("compression", zipfile.ZIP_DEFLATED)) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("export.json", json.dumps(about if manifest is None else manifest))
    return stream.getvalue()


def refusal(content: bytes, name: str | None = None) -> str:
    """Why this archive, or a member of it, is not taken."""
    try:
        opened = Opened(io.BytesIO(content))
        assert name is not None, "it was opened"
        opened.read(name)
    except NotOurs as refused:
        return str(refused)
    raise AssertionError("it was taken")


def test_a_good_one_is_opened() -> None:
    """With its members in order, whatever their order in the archive."""
    opened = Opened(io.BytesIO(zipped({"workouts.jsonl": b"{}\n", "profile.json": b"{}"})))
    assert opened.names == ["profile.json", "workouts.jsonl"]
    assert opened.read("workouts.jsonl") == b"{}\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"PK\x05\x06" + bytes(18),
        bytes(1_000),
        zipped({}) + b"x",
        b"x" + zipped({}),
        zipped({})[:-30],
        b"GIF89a" + zipped({}),
    ],
)
def test_what_is_no_zip_of_ours_is_refused(content: bytes) -> None:
    """Cut, with something before or behind it, empty, or anything else."""
    assert refusal(content)


@pytest.mark.parametrize(
    "manifest",
    [
        [],
        {},
        {"format": "other", "version": 1, "made_at": "", "files": []},
        {"format": "fittracker-export", "version": 2, "made_at": "", "files": []},
        {"format": "fittracker-export", "version": 1, "made_at": "", "files": [{"name": {"$ne": 1}}]},
        {"format": "fittracker-export", "version": 1, "made_at": "", "files": [], "$where": "1"},
        "x" * 1_000,
    ],
)
def test_a_wrong_manifest_is_refused(manifest: Any) -> None:
    """Of another version, with unknown fields, or of wrong types."""
    assert "export" in refusal(zipped({}, manifest))


def test_a_manifest_of_a_hundred_thousand_brackets_is_refused() -> None:
    """No recursion reaches the end of the stack."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("export.json", "[" * 100_000)
    assert refusal(stream.getvalue()) == "Its export.json cannot be read."


def test_an_archive_without_a_manifest_is_refused() -> None:
    """It is some zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("workouts.jsonl", "{}")
    assert refusal(stream.getvalue()) == "There is no export.json in it."


def test_a_member_that_was_changed_is_refused() -> None:
    """Its checksum is another one; and so is one that the manifest does not name."""
    good = zipped({"workouts.jsonl": b"{}\n"})
    manifest = json.loads(zipfile.ZipFile(io.BytesIO(good)).read("export.json"))
    changed = zipped({"workouts.jsonl": b"[]\n"}, manifest)
    assert refusal(changed, "workouts.jsonl") == "It was changed since it was exported."
    more = zipped({"workouts.jsonl": b"{}\n", "grants.jsonl": b"{}"}, manifest)
    assert refusal(more, "grants.jsonl") == "The manifest does not name it."


def test_a_bomb_goes_off_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that says how large it is, nor one that lies, nor many that are small."""
    monkeypatch.setattr(opening, "MEMBER_BYTES", 100_000)
    large = zipped({"workouts.jsonl": bytes(10_000_000)})
    assert refusal(large, "workouts.jsonl") == "It is larger than a file of an export."
    # The size in the directory stands 24 bytes behind its mark: now it claims to be 10 bytes.
    at = large.index(b"PK\x01\x02")
    lying = large[: at + 24] + struct.pack("<L", 10) + large[at + 28 :]
    assert refusal(lying, "workouts.jsonl")
    monkeypatch.setattr(opening, "MOST_UNPACKED_BYTES", 150_000)
    opened = Opened(io.BytesIO(zipped({f"workouts-{n:04}.jsonl": bytes(90_000) for n in range(3)})))
    opened.read("workouts-0000.jsonl")
    with pytest.raises(NotOurs, match="larger"):
        opened.read("workouts-0001.jsonl")


def test_an_encrypted_member_and_one_packed_otherwise_are_refused() -> None:
    """There is nothing to ask a password of, and bzip2 is no business of ours."""
    good = zipped({"workouts.jsonl": b"{}\n"})
    at, local = good.index(b"PK\x01\x02"), good.index(b"PK\x03\x04")
    flagged = bytearray(good)
    flagged[at + 8] |= 1
    flagged[local + 6] |= 1
    assert refusal(bytes(flagged), "workouts.jsonl") == "It is encrypted."
    packed = zipped({"workouts.jsonl": b"{}\n" * 99}, compression=zipfile.ZIP_BZIP2)
    assert refusal(packed, "workouts.jsonl") == "It is compressed in another way than deflate."


def test_a_directory_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused by its length, before zipfile makes objects of it."""
    monkeypatch.setattr(opening, "MOST_MEMBERS", 100)
    many = zipped({f"workouts-{n:04}.jsonl": b"" for n in range(200)})
    assert refusal(many) == "It is no zip of ours."


def test_a_name_that_occurs_twice_is_refused() -> None:
    """Two readers would see two archives."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("export.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("export.json", "{}")
    assert refusal(stream.getvalue()) == "A name occurs twice."


@pytest.mark.parametrize(
    "name", ["../workouts.jsonl", "/etc/passwd", "a/b.jsonl", "workouts.jsonl\n", "é.json"]
)
def test_a_name_that_is_a_path_is_of_no_source(name: str) -> None:
    """Nothing is ever written where a name says; such a member is not even read."""
    assert source_of(name) is None


def test_the_parts_of_a_source_are_known_by_their_names() -> None:
    """The first has no number."""
    for name in ("heart_samples.jsonl", "heart_samples-0002.jsonl", "heart_samples-12345.jsonl"):
        assert source_of(name) == "heart_samples"
    assert source_of("profile.json") == "profile"
