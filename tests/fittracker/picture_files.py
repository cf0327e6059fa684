"""Pictures as people, and those who mean no good, send them."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image

RED, BLUE = (220, 20, 20), (20, 20, 220)
SOFTWARE, ORIENTATION, GPS = 0x0131, 0x0112, 0x8825


def halves(width: int = 640, height: int = 480, mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """As a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def telling(orientation: int = 1) -> Image.Exif:
    """EXIF with a place and a name of a camera."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[SOFTWARE] = orientation, "SecretCam"
    exif.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return exif


def bomb(width: int, height: int) -> bytes:
    """A PNG of so many pixels, all black, in a few kilobytes."""
    packed = zlib.compressobj(9)
    row = b"\0" * (1 + width // 8 + 1)
    lines = b"".join(packed.compress(row) for _ in range(height)) + packed.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data) for kind, data in ((b"IHDR", head), (b"IDAT", lines), (b"IEND", b""))
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
