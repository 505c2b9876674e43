"""Picture files: which formats of pictures the converters read, and how one is decoded."""

import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePosixPath

from PIL import Image, ImageSequence

from medseg.ingest.pictures.orientation import undo_orientation

MOST_PIXELS = 2**26
"""All pages of a picture file together; the largest published one has 8 million."""

FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
}
"""The formats of pictures, and how their files are called, in any case of letters."""

UNREAD_SUFFIXES = (
    ".webp",
    ".gif",
    ".avif",
    ".heic",
    ".heif",
    ".jxl",
    ".jp2",
    ".ppm",
    ".pgm",
    ".tga",
)
"""Pictures that no converter reads; a warning names those of a folder or archive."""

LOSSLESS = ("PNG", "TIFF", "BMP")
"""Formats that keep the values of a mask."""


def find_format(file: str) -> str:
    """Find the format of a picture by its name, one of `FORMATS`; "" for any other file.

    Example:
        >>> find_format("images/a.JPEG"), find_format("a.txt")
        ('JPEG', '')
    """
    suffix = PurePosixPath(file).suffix.lower()
    return next((name for name, suffixes in FORMATS.items() if suffix in suffixes), "")


def read_pages(content: bytes) -> list[tuple[Image.Image, int]]:
    """Decode every page of a picture file as stored, each with its EXIF orientation.

    Pillow does not warn of a large picture, since too many pixels are refused.

    Args:
        content: the bytes of the file.

    Raises:
        ValueError: the pages have more than `MOST_PIXELS` pixels together.
        Exception: whatever Pillow raises for damaged content.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(BytesIO(content)) as image:
            return list(_decode_pages(image))


def _decode_pages(image: Image.Image) -> Iterator[tuple[Image.Image, int]]:
    """Decode each page once its header has shown that there are not too many pixels."""
    pixels = 0
    for page in ImageSequence.Iterator(image):
        pixels += page.width * page.height
        if pixels > MOST_PIXELS:
            raise ValueError(f"it claims {pixels} pixels or more, at most {MOST_PIXELS} are read")
        stored, orientation = undo_orientation(page)
        yield stored.copy(), orientation
