"""Strangers' pictures: what can be seen of them stays, and nothing else."""

from __future__ import annotations

import os
import time
import zipfile
from io import BytesIO

import pytest
from PIL import Image

from fittracker.pictures import LARGE, MOST_BYTES, SMALL, Refusal, Squares, squares
from tests.fittracker.picture_files import (
    BLUE,
    RED,
    bomb,
    chunk,
    halves,
    saved,
    telling,
)

WHITE = (255, 255, 255)


def good(data: bytes) -> Squares:
    """What becomes of a file that is a picture."""
    made = squares(data)
    assert isinstance(made, Squares), made
    return made


def shown(data: bytes) -> Image.Image:
    """A file of ours, opened."""
    image = Image.open(BytesIO(data))
    image.load()
    return image


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, ...]) -> bool:
    """Whether a pixel has about this colour."""
    found = image.convert("RGB").getpixel(place)
    assert isinstance(found, tuple)
    return all(abs(one - other) < 40 for one, other in zip(found, colour, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (3000, 2000), (40, 30), (1, 1)])
def test_every_picture_becomes_two_squares(kind: str, size: tuple[int, int]) -> None:
    """Its middle, large and small, as WebP."""
    made = good(saved(halves(*size), kind))
    for data, side in ((made.large, LARGE), (made.small, SMALL)):
        image = shown(data)
        assert (image.format, image.size, image.mode) == ("WEBP", (side, side), "RGB")
        if size != (1, 1):
            assert near(image, (side // 8, side // 2), RED)
            assert near(image, (side * 7 // 8, side // 2), BLUE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_where_it_was_taken_is_gone(kind: str) -> None:
    """EXIF with GPS, a colour profile, XMP and comments: not a byte of them."""
    options = {"exif": telling(), "icc_profile": b"SECRETPROFILE" * 20}
    if kind != "PNG":
        options["xmp"] = b"<x>SECRETXMP</x>"
    data = saved(halves(), kind, **options)
    assert b"SecretCam" in data
    made = good(data)
    for file in (made.large, made.small):
        image = shown(file)
        assert not image.getexif()
        assert not {"exif", "xmp", "icc_profile"} & set(image.info)
        for secret in (b"SecretCam", b"SECRET", b"EXIF", b"Exif", b"XMP", b"ICCP", b"VP8X"):
            assert secret not in file


def test_a_second_file_behind_the_first_is_gone() -> None:
    """A zip at the end, and in a chunk of its own: the picture is a picture and nothing else."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("evil.html", "<script>alert(1)</script>")
    png = saved(halves(), "PNG")
    hidden = png[:-12] + chunk(b"evIl", archive.getvalue()) + png[-12:] + archive.getvalue()
    assert zipfile.is_zipfile(BytesIO(hidden))
    made = good(hidden)
    for file in (made.large, made.small):
        assert not zipfile.is_zipfile(BytesIO(file))
        assert b"PK\x03\x04" not in file
        assert b"evil" not in file
        assert len(file) == int.from_bytes(file[4:8], "little") + 8  # RIFF: and nothing behind it


@pytest.mark.parametrize(
    ("orientation", "red"),
    [
        (1, (64, 256)),
        (2, (448, 256)),
        (3, (448, 256)),
        (4, (64, 256)),
        (5, (256, 64)),
        (6, (256, 64)),
        (7, (256, 448)),
        (8, (256, 448)),
        (99, (64, 256)),
    ],
)
def test_it_stands_upright(orientation: int, red: tuple[int, int]) -> None:
    """However the camera was held; where EXIF speaks nonsense, as it lies."""
    image = shown(good(saved(halves(), "JPEG", exif=telling(orientation))).large)
    assert near(image, red, RED)
    assert near(image, (512 - red[0], 512 - red[1]), BLUE)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_a_moving_picture_the_first_one_is_taken(kind: str) -> None:
    """Red, and never the blue that follows."""
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, BLUE)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert getattr(shown(data), "n_frames", 1) == 2
    image = shown(good(data).large)
    assert near(image, (256, 256), RED)
    assert getattr(image, "n_frames", 1) == 1


def test_what_can_be_seen_through_lies_on_white() -> None:
    """Also where a palette says so."""
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    for data in (saved(clear, "PNG"), saved(clear, "WEBP"), saved(palette, "PNG", transparency=0)):
        assert near(shown(good(data).large), (256, 256), WHITE)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK"])
def test_pictures_of_every_kind_of_colour(mode: str) -> None:
    """Grey, palettes, black and white, print."""
    made = good(saved(halves(mode=mode), "JPEG" if mode == "CMYK" else "PNG"))
    assert shown(made.large).mode == "RGB"


def test_grey_of_sixteen_bits() -> None:
    """Half of 65,535 is half of 255."""
    grey = Image.new("I;16", (64, 64), 32_768)
    assert near(shown(good(saved(grey, "PNG")).large), (256, 256), (128, 128, 128))


def test_noise_stays_small() -> None:
    """What does not compress is compressed harder."""
    noise = Image.frombytes("RGB", (700, 700), os.urandom(700 * 700 * 3))
    assert len(good(saved(noise, "PNG")).large) <= MOST_BYTES


@pytest.mark.parametrize(
    "size", [(20_000, 20_000), (100_000, 300), (6_400, 6_400), (2_000_000_000, 2_000_000_000)]
)
def test_a_bomb_is_refused_before_it_goes_off(size: tuple[int, int]) -> None:
    """By what its head says, in the time it takes to read it."""
    data = (
        bomb(*size)
        if size[0] * size[1] < 10**9
        else bomb(8, 8).replace((8).to_bytes(4, "big") * 2, size[0].to_bytes(4, "big") * 2, 1)
    )
    assert len(data) < 200_000
    began = time.perf_counter()
    assert isinstance(squares(data), Refusal)
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_cut_off_is_refused(kind: str) -> None:
    """Wherever it was cut."""
    data = saved(halves(300, 300), kind)
    for part in (1, 12, len(data) // 4, len(data) // 2, len(data) - 40):
        assert isinstance(squares(data[:part]), Refusal), part


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + b"\0" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 1_000,
        b"\xff\xd8\xff\xe0" + b"\0" * 1_000,
        b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff",
        saved(halves(), "GIF"),
        saved(halves(), "BMP"),
        saved(halves(), "TIFF"),
    ],
)
def test_what_is_no_picture_of_ours_is_refused(data: bytes) -> None:
    """Other formats have other decoders, and each is a door."""
    assert isinstance(squares(data), Refusal)


def test_damage_in_the_middle_never_does_harm() -> None:
    """Files with a byte or three changed: a picture or a refusal, and nothing else."""
    originals = [saved(halves(120, 90), kind, exif=telling(6)) for kind in ("JPEG", "PNG", "WEBP")]
    state = 1
    for turn in range(150):
        data = bytearray(originals[turn % 3])
        for _ in range(turn % 4):
            state = state * 1_103_515_245 + 12_345 & 0x7FFFFFFF
            data[state % len(data)] ^= state >> 16 & 0xFF
        assert isinstance(squares(bytes(data)), Squares | Refusal)
