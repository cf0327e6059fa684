"""Pictures of people: whatever was sent becomes two small squares that we have encoded ourselves.

Runs in a sandbox (`fittracker.sandbox`): a picture is a stranger's program for a decoder. Nothing of the sent
file survives but what can be seen: no place where it was taken, no second file behind the first.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

import msgspec
from PIL import Image

FORMATS: Final = ("JPEG", "PNG", "WEBP")
MEDIA: Final = "image/webp"
LARGE: Final = 512
SMALL: Final = 96
MOST_PIXELS: Final = 40_000_000
"""A good telephone takes 12 million; decoded, so many take 160 MB."""
MOST_SIDE: Final = 16_384
MOST_BYTES: Final = 100_000
QUALITIES: Final = (82, 65, 45, 25)
"""The first one whose file is small enough; the last one is, for a picture of nothing but noise."""
ORIENTATION: Final = 0x0112
# EXIF says how a camera was held; mirrored and turned, in this order, since 2002.
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Squares(msgspec.Struct, frozen=True, tag=True):
    """The picture as WebP, of LARGE and of SMALL pixels a side."""

    large: bytes
    small: bytes


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """Why a file becomes no picture; a sentence for people."""

    why: str


def work(data: bytes) -> bytes:
    """In the process: `squares` as MessagePack."""
    return msgspec.msgpack.encode(squares(data))


def squares(data: bytes) -> Squares | Refusal:
    """The first picture of a JPEG, PNG or WebP file, upright, its middle, on white."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
                return _too_large()
            # A JPEG is decoded at the size that is needed, which for a large one takes a tenth of the time.
            image.draft("RGB", (2 * LARGE, 2 * LARGE))
            image.load()
            square = _upright(_square(image, LARGE), _orientation(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        return _too_large()
    except Exception:  # noqa: BLE001  what decoders stumble over has no end of types: the file is no good
        return Refusal("It is no JPEG, PNG or WebP picture, or it is damaged.")
    return Squares(_encoded(square), _encoded(square.resize((SMALL, SMALL), Image.Resampling.LANCZOS)))


def _too_large() -> Refusal:
    return Refusal(f"It has more than {MOST_PIXELS // 1_000_000} million pixels.")


def _square(image: Image.Image, side: int) -> Image.Image:
    """The middle of it, on a new picture: what a file says beside its pixels stays behind."""
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    middle = _plain(image.crop((left, top, left + short, top + short)))
    middle = middle.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    drawn = Image.new("RGB", (side, side), "white")
    drawn.paste(middle, mask=middle.getchannel("A") if middle.mode == "RGBA" else None)
    return drawn


def _plain(image: Image.Image) -> Image.Image:
    """As RGB, or RGBA where it can be seen through; 16 bits of grey become 8."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _orientation(image: Image.Image) -> int:
    """How the camera was held, by its own word, which may be nonsense."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001  damaged EXIF says nothing, and the pixels are good
        return 1


def _upright(square: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return square if turn is None else square.transpose(turn)


def _encoded(square: Image.Image) -> bytes:
    for quality in QUALITIES:
        file = BytesIO()
        square.save(file, "WEBP", quality=quality, method=4)
        if file.tell() <= MOST_BYTES:
            break
    return file.getvalue()
