"""The zip of an export, made piece by piece: no piece needs to know what comes after it.

A piece is one whole member of the archive, so that whoever goes on with an export needs nothing of those made
before but their names, sizes and checksums. The last piece is the directory.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from datetime import datetime
from typing import Final

import msgspec

FORMAT: Final = "fittracker-export"
VERSION: Final = 1
MANIFEST: Final = "export.json"
"""What the archive says of itself."""
LEVEL: Final = 6


class Member(msgspec.Struct, frozen=True):
    """What the directory says of a member; `at` is where it begins, `packed` its bytes without header."""

    name: str
    size: int
    packed: int
    crc: int
    sha256: str
    at: int
    length: int
    """All its bytes in the archive."""


def pack(name: str, content: bytes, at: int, made: datetime) -> tuple[Member, bytes]:
    """A member and its bytes, which begin at this offset of the archive. Takes 30 ms a megabyte."""
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = deflate.compress(content) + deflate.flush()
    member = Member(
        name, len(content), len(data), zlib.crc32(content), hashlib.sha256(content).hexdigest(), at, 0
    )
    head = _info(member, made).FileHeader(zip64=False)
    return msgspec.structs.replace(member, length=len(head) + len(data)), head + data


def directory(members: list[Member], at: int, made: datetime) -> bytes:
    """The end of the archive, which says where everything is."""
    tail = _Tail(at)
    with zipfile.ZipFile(tail, "w") as archive:
        archive.filelist = [_info(each, made) for each in members]
    return tail.getvalue()


class _Tail(io.BytesIO):
    """A file whose beginning lies elsewhere: what is written to it follows so many bytes."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self._before = before

    def tell(self) -> int:
        """Where the next byte goes, counted from the beginning of the archive."""
        return self._before + super().tell()

    def seekable(self) -> bool:
        """It is written in one go."""
        return False

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Nothing goes back: that is how zipfile learns to write on."""
        raise io.UnsupportedOperation("seek")


def _info(member: Member, made: datetime) -> zipfile.ZipInfo:
    when = (made.year, made.month, made.day, made.hour, made.minute, made.second)
    info = zipfile.ZipInfo(member.name, when)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    info.file_size, info.compress_size = member.size, member.packed
    info.CRC, info.header_offset = member.crc, member.at
    return info
