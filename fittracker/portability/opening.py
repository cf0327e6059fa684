"""A zip from outside, opened as if its maker wished us harm.

Nothing in it is believed before it was looked at: the directory is read only where it is small and stands
where ours does, a member only where its name is one of ours, and never more of it than a member of ours has.
Names are never used as paths. All of it runs in a thread, in steps that are bounded.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Final

import msgspec

from fittracker.portability.archive import FORMAT, MANIFEST, VERSION

MOST_MEMBERS: Final = 10_000
MOST_DIRECTORY_BYTES: Final = 4 << 20
MEMBER_BYTES: Final = 12 << 20
"""Ours are closed at 2 MiB, and one row more may be some megabytes."""
MOST_UNPACKED_BYTES: Final = 4 << 30
_END: Final = struct.Struct("<4s4H2LH")
_NAME: Final = re.compile(r"(?P<source>[a-z_]{1,40})(-[0-9]{4,6})?\.jsonl?", re.ASCII)


class NotOurs(Exception):  # noqa: N818  it reads as what it is
    """The archive, or a member of it, cannot be taken; the message is for its sender."""


class File(msgspec.Struct, forbid_unknown_fields=True):
    """What the manifest says of a file."""

    name: str
    rows: int
    size: int
    sha256: str


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """`export.json`."""

    format: str
    version: int
    made_at: str
    files: list[File]


_manifest = msgspec.json.Decoder(Manifest)


class Opened:
    """An archive whose manifest was read."""

    def __init__(self, file: IO[bytes]) -> None:
        """NotOurs where it is no export of this format."""
        _check_end(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, UnicodeError) as error:
            raise NotOurs("It is no zip.") from error
        infos = self._zip.infolist()
        self._infos = {info.filename: info for info in infos}
        if len(self._infos) != len(infos):
            raise NotOurs("A name occurs twice.")
        self._unpacked = 0
        self._files = {each.name: each for each in self._read_manifest().files}

    def _read_manifest(self) -> Manifest:
        if MANIFEST not in self._infos:
            raise NotOurs("There is no export.json in it.")
        try:
            manifest = _manifest.decode(self._unpack(MANIFEST))
        except (msgspec.DecodeError, RecursionError) as error:
            raise NotOurs("Its export.json cannot be read.") from error
        if (manifest.format, manifest.version) != (FORMAT, VERSION):
            raise NotOurs("It is not an export of this version.")
        return manifest

    @property
    def names(self) -> list[str]:
        """The members beside the manifest, in the order of their names; those of others are among them."""
        return sorted(name for name in self._infos if name != MANIFEST)

    def read(self, name: str) -> bytes:
        """A member, whole; NotOurs where it is none that an export has, or was changed since."""
        if name not in self._files:
            raise NotOurs("The manifest does not name it.")
        content = self._unpack(name)
        if hashlib.sha256(content).hexdigest() != self._files[name].sha256:
            raise NotOurs("It was changed since it was exported.")
        return content

    def _unpack(self, name: str) -> bytes:
        info = self._infos[name]
        if info.flag_bits & 0x1:
            raise NotOurs("It is encrypted.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NotOurs("It is compressed in another way than deflate.")
        if info.file_size > MEMBER_BYTES:
            raise NotOurs("It is larger than a file of an export.")
        try:
            with self._zip.open(info) as member:
                content = member.read(MEMBER_BYTES + 1)
        except (
            *(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError),
            *(NotImplementedError, ValueError, struct.error, OSError),
        ) as error:
            raise NotOurs("It cannot be unpacked.") from error
        self._unpacked += len(content)
        if len(content) > MEMBER_BYTES or self._unpacked > MOST_UNPACKED_BYTES:
            raise NotOurs("It is larger than a file of an export.")
        return content


def source_of(name: str) -> str | None:
    """Which part of an export a member is, by its name; None for any other."""
    found = _NAME.fullmatch(name)
    return found["source"] if found else None


def lines(content: bytes) -> Iterator[bytes]:
    """The rows of a JSON-lines file."""
    return (line for line in content.split(b"\n") if line)


def _check_end(file: IO[bytes]) -> None:
    """The end of an archive says how large its directory is: read before zipfile reads all of that."""
    file.seek(0, 2)
    size = file.tell()
    if size < _END.size:
        raise NotOurs("It is no zip.")
    file.seek(size - _END.size)
    mark, disk, first, here, members, length, at, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\x05\x06":
        raise NotOurs("It is no zip of ours: something follows its directory.")
    whole = disk == first == comment == 0 and here == members and at + length + _END.size == size
    if not whole or members > MOST_MEMBERS or length > MOST_DIRECTORY_BYTES:
        raise NotOurs("It is no zip of ours.")
    file.seek(0)
