"""Which picture files are read, how large they may be, and what another file seems to be."""

import math
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO

from PIL import Image, features

# Pillow goes by content, not by name, and would start Ghostscript for a PostScript file.
FORMATS = ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"]
SUFFIXES = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".dib", ".gif"}
SUFFIXES |= {".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"}
if "avif" in features.modules and features.check_module("avif"):  # from Pillow 11.3 on
    FORMATS.append("AVIF")
    SUFFIXES.add(".avif")

LIMIT = "INPAINT_MEGAPIXELS"  # an environment variable; without it
MEGAPIXELS = 300  # a telephone's 200 and any panorama of one; 0.9 GB as RGB

EXPORT = "export it as JPEG, PNG or TIFF"
TELEPHONE = f"{EXPORT} (an iPhone: Settings, Camera, Formats, Most Compatible)"
REPLACE = "replace or remove it"
BEGINNINGS = {  # of files that are not read
    b"%PDF": ("a PDF", EXPORT),
    b"%!PS": ("PostScript", EXPORT),
    b"<svg": ("an SVG drawing", EXPORT),
    b"<?xml": ("XML, perhaps an SVG drawing", EXPORT),
    b"8BPS": ("a Photoshop file", EXPORT),
    b"gimp xcf": ("a GIMP file", EXPORT),
    b"PK\3\4": ("a zip archive, perhaps of a drawing program", EXPORT),
    b"\xff\x0a": ("JPEG XL", EXPORT),
    b"\0\0\0\x0cJXL ": ("JPEG XL", EXPORT),
    b"\0\0\0\x0cjP  ": ("JPEG 2000", EXPORT),
    b"\xff\x4f\xff\x51": ("JPEG 2000", EXPORT),
    b"v/1\1": ("OpenEXR", EXPORT),
    b"#?RADIANCE": ("Radiance HDR", EXPORT),
    b"SIMPLE  =": ("FITS", EXPORT),
    b"\x93NUMPY": ("a NumPy array", EXPORT),
    b"FUJIFILMCCD-RAW": ("a camera's raw file", EXPORT),
    b"IIRO": ("a camera's raw file", EXPORT),
    b"IIRS": ("a camera's raw file", EXPORT),
    b"IIU\0": ("a camera's raw file", EXPORT),
    b"<!DOCTYPE": ("a web page, perhaps in place of a download", REPLACE),
    b"<html": ("a web page, perhaps in place of a download", REPLACE),
    b"version https://git-lfs": ("a pointer of Git LFS", "fetch the file with `git lfs pull`"),
}
# ISO base media: what follows "ftyp" in bytes 4 to 8.
BRANDS = {
    b"he": "HEIC",  # heic, heix, hevc, ...
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"avi": "AVIF",
    b"crx": "a camera's raw file",
    b"": "a video",
}
REDUCED = 254  # a TIFF's tag: its lowest bit says that a larger picture is elsewhere in the file


class NotRead(ValueError):
    """What a file holds is not read or cannot be told for certain; says why, and what to do."""


def seems_to_be(beginning: bytes) -> tuple[str, str]:
    """What a file that Pillow does not read seems to be by its first bytes, and what to do."""
    if not beginning:
        return "it is empty", REPLACE
    if beginning[4:8] == b"ftyp":
        name = next(name for brand, name in BRANDS.items() if beginning[8:].startswith(brand))
        return f"it is {name}", TELEPHONE if name == "HEIC" else EXPORT
    for start, (name, remedy) in BEGINNINGS.items():
        if beginning.lower().startswith(start.lower()):
            return f"it is {name}", remedy
    if beginning[:4] in (b"II*\0", b"MM\0*"):
        return "it is a kind of TIFF that is not read", "save it with 8 bits, in RGB or grey"
    return "it is none of the formats that are read", f"{EXPORT}, or {REPLACE}"


_limit = threading.Lock()


def _megapixels() -> float:
    """The limit of size; raises ValueError when the environment's is no number."""
    text = os.environ.get(LIMIT, str(MEGAPIXELS))
    try:
        return float(text)
    except ValueError:
        raise NotRead(f"{LIMIT}={text}: give a number of megapixels, or unset it") from None


@contextmanager
def opened(file: BinaryIO) -> Iterator[Image.Image]:
    """A picture, opened by Pillow under this project's limit of size instead of Pillow's.

    Raises NotRead when it is too large, not read, or the preview in a camera's raw file; and
    whatever Pillow raises.
    """
    allowed = _megapixels()
    file.seek(0)
    with _limit:
        theirs = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            image = Image.open(file, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = theirs
    with image:
        megapixels = image.width * image.height / 1e6
        if megapixels > allowed:
            raise NotRead(
                f"cannot be read as a picture (of {megapixels:.4g} megapixels, {allowed:g} are "
                f"allowed); make it smaller, set {LIMIT}={math.ceil(megapixels)} in the "
                f"environment, or {REPLACE}"
            )
        if getattr(image, "tag_v2", {}).get(REDUCED, 0) & 1:
            raise NotRead(
                "cannot be read as a picture (it is a camera's raw file, or another TIFF that "
                f"begins with a preview); {EXPORT}"
            )
        yield image


PNG = b"\x89PNG\r\n\x1a\n"
PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}  # chunks of a PNG
COLOURS = {b"iCCP", b"eXIf", b"pHYs"}  # notes that change how it is seen


def without_notes(file: BinaryIO) -> Iterator[BinaryIO]:
    """A PNG without its texts, then with its pixels alone, where that leaves something out.

    For Pillow reads no PNG with a damaged note, or one of more than a megabyte.
    """
    file.seek(0)
    data = file.read()
    if data.startswith(PNG):
        for kinds in (PIXELS | COLOURS, PIXELS):
            bare = _chunks(data, kinds)
            if len(bare) < len(data):
                yield BytesIO(bare)


def _chunks(data: bytes, kinds: set[bytes]) -> bytes:
    """A PNG of these of its chunks; those that are damaged stay only where they are PIXELS."""
    kept = [PNG]
    place = len(PNG)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4])
        kind = data[place + 4 : place + 8]
        intact = zlib.crc32(data[place + 4 : end - 4]) == int.from_bytes(data[end - 4 : end])
        if kind in kinds and (intact or kind in PIXELS):
            kept.append(data[place:end])
        place = end
    return b"".join(kept)
