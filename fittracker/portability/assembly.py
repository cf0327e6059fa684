"""An export on its way: rows gather until they fill a member of the archive, which is stored at once.

All that has to be known to go on is in `State`, which is written with the job after each member.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final

import msgspec

from fittracker.clock import rfc3339
from fittracker.job_files import JobFiles
from fittracker.jobs import Lease
from fittracker.portability.archive import FORMAT, MANIFEST, VERSION, Member, directory, pack

MEMBER_BYTES: Final = 2 << 20
"""A member is closed once it holds so much. One row may be some megabytes, and MongoDB takes 16."""


class State(msgspec.Struct):
    """How far an export has come."""

    made_at: datetime
    total: int = 0
    source: int = 0
    after: Any = None
    part: int = 0
    rows: int = 0
    at: int = 0
    members: list[Member] = msgspec.field(default_factory=list)
    counts: dict[str, int] = msgspec.field(default_factory=dict)


class Assembly:
    """Makes the archive of one export job."""

    def __init__(self, lease: Lease, files: JobFiles, state: State) -> None:
        self.state = state
        self._lease = lease
        self._files = files
        self._lines: list[bytes] = []
        self._size = 0

    async def add(self, name: str, key: Any, row: Any) -> None:
        """One more row of this file; stored, with those before it, when they are enough."""
        line = msgspec.json.encode(row)
        self._lines.append(line)
        self._size += len(line) + 1
        self.state.after = key
        if self._size >= MEMBER_BYTES:
            await self.cut(name)

    async def cut(self, name: str) -> None:
        """Close the member with what has gathered; the next row begins another one."""
        if self._lines:
            self.state.part += 1
            suffix = "" if self.state.part == 1 else f"-{self.state.part:04}"
            count = len(self._lines)
            content = b"\n".join(self._lines) + b"\n"
            self._lines, self._size = [], 0
            self.state.rows += count
            await self._store(f"{name}{suffix}.jsonl", content, count)

    async def turn(self, name: str) -> None:
        """A source is done; the next one begins."""
        await self.cut(name)
        self.state.source += 1
        self.state.after, self.state.part = None, 0
        await self._checkpoint()

    async def whole(self, name: str, content: Any) -> None:
        """A member that is one JSON value."""
        await self._store(name, msgspec.json.format(msgspec.json.encode(content)) + b"\n", 1)

    async def close(self) -> int:
        """The manifest and the directory; how many bytes the archive has."""
        state = self.state
        files = [
            {"name": each.name, "rows": state.counts[each.name], "size": each.size, "sha256": each.sha256}
            for each in state.members
            if each.name != MANIFEST
        ]
        if not any(each.name == MANIFEST for each in state.members):
            made_at = rfc3339(state.made_at)
            about = {"format": FORMAT, "version": VERSION, "made_at": made_at, "files": files}
            await self.whole(MANIFEST, about)
        tail = directory(state.members, state.at, state.made_at)
        await self._put(tail)
        return state.at + len(tail)

    async def _store(self, name: str, content: bytes, rows: int) -> None:
        state = self.state
        # Off the loop: compressing takes 30 ms a megabyte.
        member, data = await asyncio.to_thread(pack, name, content, state.at, state.made_at)
        await self._put(data)
        state.members.append(member)
        state.counts[name] = rows
        state.at += member.length
        await self._checkpoint()

    async def _put(self, data: bytes) -> None:
        lease, number = self._lease, len(self.state.members)
        await self._files.put(lease.id, lease.user, number, data, attempt=lease.attempt)

    async def _checkpoint(self) -> None:
        share = self.state.rows / max(self.state.total, 1)
        await self._lease.checkpoint(min(share, 0.99), to_document(self.state))


def to_document(state: State) -> dict[str, Any]:
    """As it is stored with the job. A file's name has a dot in it, so the counts are a list."""
    rest = msgspec.structs.replace(state, after=None)  # a key may be of a type that MongoDB alone knows
    document: dict[str, Any] = msgspec.to_builtins(rest, builtin_types=(datetime,))
    return {**document, "after": state.after, "counts": list(state.counts.items())}


def from_document(document: dict[str, Any]) -> State:
    """The reverse of `to_document`."""
    known = {**document, "after": None, "counts": dict(document["counts"])}
    return msgspec.structs.replace(msgspec.convert(known, State), after=document["after"])
