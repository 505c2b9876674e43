"""Stamp: which content of the source a prepared picture was made of, kept inside the picture.

A stamp is the hash of the size and CRC-32 of every published file of a case. It stands in a tEXt
chunk of the last picture written of the case, so that it appears with it or not at all (PNG, third
edition, section 11.3.3.2). Names and dates do not count: a folder, its archive and a copy elsewhere
have one stamp. A correction of a case changes it, and its pictures are made again.
"""

import hashlib
import zlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from medseg.datasets.sources.published_files import File

KEY = "medseg-source"
"""Keyword of the chunk."""

FORMAT = 1
"""Part of every stamp: raise it when a converter makes other pictures of the same files."""


def hash_files(*files: File) -> str:
    """The stamp of a case made of these files, in this order; ValueError where one is unreadable.

    An archive knows size and CRC-32 of its members; of a folder every byte is read.

    Example:
        >>> hash_files(File(published, "a.png"), File(published, "b.png"))  # doctest: +SKIP
        '5f0c5a1b1c7f9a52'
    """
    return _hash([file.compute_checksum() for file in files])


def hash_arrays(*arrays: NDArray[Any]) -> str:
    """The stamp of a case of which the source holds these pixels, whatever the files around them.

    For a stack, one file of many cases: the others keep their stamps when one page is corrected.
    """
    return _hash([(a.shape, a.dtype.str, zlib.crc32(a.tobytes())) for a in arrays])


def make_chunk(stamp: str) -> PngInfo:
    """What Pillow needs to write the stamp into a PNG."""
    info = PngInfo()
    info.add_text(KEY, stamp)
    return info


def read(path: Path) -> str | None:
    """Read the stamp of a picture; None where there is no file, no PNG or no stamp in it."""
    try:
        with Image.open(path) as picture:
            return picture.info.get(KEY)
    except (OSError, SyntaxError, ValueError):
        return None


def _hash(parts: list[Any]) -> str:
    return hashlib.sha256(repr((FORMAT, parts)).encode()).hexdigest()[:16]
