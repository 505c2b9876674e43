"""Mosaic: what shows that an image is a sheet of slices side by side.

Siemens stores the slices of a functional or diffusion scan so, each time in one image, and says it
in ImageType, in a private copy of it and by a private number of slices. Its enhanced MR goes on
saying MOSAIC where every frame is one slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.uid import LegacyConvertedEnhancedMRImageStorage

from medseg.ingest.slice import Slice

_KINDS = ("MR", "OT", "")


def mosaic_by(header: Slice) -> str:
    """What says that an image shows slices side by side; "" where nothing does.

    Example:
        >>> mosaic_by(header)  # doctest: +SKIP
        '16 by a private element'
    """
    if header.tiles > 1 and header.kind in _KINDS:
        return f"{header.tiles} by a private element"
    if any("MOSAIC" in word.upper().split("_") for word in header.image_type):
        return "ImageType"
    return "the private copy of ImageType" if header.is_called_mosaic else ""


def is_frame_of_slice(header: Slice, *, places: int) -> bool:
    """Whether a frame is a slice whatever is said of it, by the object that it is in.

    An enhanced object holds slices, one in a file or many at several places. Legacy converted ones
    hold what single files held, sheets too.

    Args:
        header: of one frame.
        places: how many places the frames of its file lie at.
    """
    if header.frame is None:
        return False
    if header.sop_class == LegacyConvertedEnhancedMRImageStorage:
        return 1 < header.frames == places
    return header.frames == 1 or places > 1


def places_of_files(slices: Sequence[Slice]) -> dict[Path, int]:
    """How many places the frames of each file lie at."""
    found: dict[Path, set[bytes]] = {}
    for s in slices:
        found.setdefault(s.path, set()).add(s.position.tobytes())
    return {path: len(places) for path, places in found.items()}
