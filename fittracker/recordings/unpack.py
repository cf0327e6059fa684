"""Taking a recording out of its gzip or zip, without believing what the archive says about its size."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from fittracker.recordings.refusal import Limits, Reason, refuse

GZIP: Final = b"\x1f\x8b"
ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

# Bytes of gzip at a time. What a damaged step would have given is lost, so the steps are small.
_STEP: Final = 512
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The bytes of the recording and, where the archive broke off, why there are no more."""

    data: bytes
    fault: Reason | None = None


def unpack(data: bytes, limits: Limits) -> Unpacked:
    """The recording inside; what is not packed stays as it is, and so does an archive inside an archive.

    Raises `RecordingError`: oversize, or archive where a zip does not hold exactly one readable file.
    """
    if len(data) > limits.max_bytes:
        raise refuse("oversize", f"the file is larger than {_size(limits.max_bytes)}")
    if data.startswith(GZIP):
        return _gunzip(data, limits.max_unpacked_bytes)
    if data.startswith(ZIP):
        return Unpacked(_unzip(data, limits.max_unpacked_bytes))
    return Unpacked(data)


def _gunzip(data: bytes, limit: int) -> Unpacked:
    """All members of a gzip, as far as they can be read."""
    found = bytearray()
    member = zlib.decompressobj(wbits=31)
    at = 0
    while at < len(data):
        step = data[at : at + _STEP]
        try:
            found += member.decompress(step, limit - len(found) + 1)
        except zlib.error:
            return Unpacked(bytes(found), "corrupt")
        if len(found) > limit:
            raise _too_much(limit)
        at += len(step) - len(member.unused_data)
        if member.eof:
            while data[at : at + 1] == b"\0":  # padding between and after members
                at += 1
            if at < len(data):
                member = zlib.decompressobj(wbits=31)
    return Unpacked(bytes(found), None if member.eof else "truncated")


def _unzip(data: bytes, limit: int) -> bytes:
    """The only file of a zip: the form in which Garmin hands out an original recording."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            if len(files) != 1:
                raise refuse("archive", f"the zip holds {len(files)} files, not one recording")
            if files[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise refuse("archive", "the zip uses a compression other than deflate")
            return _read_member(archive, files[0], limit)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        # RuntimeError is how zipfile says that a password is needed.
        raise refuse("archive", f"the zip cannot be opened ({error})") from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    found = bytearray()
    with archive.open(info) as member:
        while chunk := member.read(_CHUNK):
            found += chunk
            if len(found) > limit:
                raise _too_much(limit)
    return bytes(found)


def _too_much(limit: int) -> Exception:
    return refuse("oversize", f"the file is larger than {_size(limit)} once it is unpacked")


def _size(limit: int) -> str:
    return f"{limit / (1 << 20):g} MiB" if limit >= 1 << 20 else f"{limit:,} bytes"
