"""A zip that is made in pieces is one that everybody can open."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

from fittracker.portability.archive import Member, directory, pack

MADE = datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_members_made_one_by_one_are_a_zip() -> None:
    """Each knows only where it begins; the directory comes last."""
    members: list[Member] = []
    whole = b""
    contents = {"a.jsonl": b"{}\n" * 5_000, "b.jsonl": b"", "c.json": bytes(range(256))}
    for name, content in contents.items():
        member, data = pack(name, content, len(whole), MADE)
        assert (member.at, member.length, member.size) == (len(whole), len(data), len(content))
        members.append(member)
        whole += data
    whole += directory(members, len(whole), MADE)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == contents


def test_beyond_four_gigabytes_the_directory_says_so() -> None:
    """Offsets above 32 bits are written as zip64."""
    member, _ = pack("a.jsonl", b"{}", 5 << 30, MADE)
    assert b"PK\x06\x06" in directory([member], (5 << 30) + member.length, MADE)
