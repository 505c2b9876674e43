"""Mosaic: find signs that an image shows several slices side by side.

Siemens stores the slices of a functional or diffusion scan so, each time in one image, and says it
in ImageType, in a private copy of it and by a private number of slices. What is left of a header
may show no more than that the acquired matrix lies several times in the image, as it does where an
image is interpolated. Siemens' enhanced MR goes on saying MOSAIC where every frame is one slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.uid import LegacyConvertedEnhancedMRImageStorage

from medseg.ingest.dicom.header.slice import Slice

WIDEST_MM = 700.0
"""No scanner is this wide, so an image that is wider in both directions shows several slices."""

_KINDS = ("MR", "OT", "")
_USUAL_FACTORS = (2, 4)  # of interpolation
_ECHO_PLANAR = ("EP", "ep", "*ep")  # how sequences that are stored so are called


def describe_mosaic_sign(header: Slice) -> str:
    """Find the sign that an image shows slices side by side; "" where there is none.

    Example:
        >>> describe_mosaic_sign(header)  # doctest: +SKIP
        '16 by a private element'
    """
    if header.tiles > 1 and header.kind in _KINDS:
        return f"{header.tiles} by a private element"
    if any("MOSAIC" in word.upper().split("_") for word in header.image_type):
        return "ImageType"
    if header.is_called_mosaic:
        return "the private copy of ImageType"
    return _describe_matrix(header) if _is_sheet(header) else ""


def describe_weak_mosaic_sign(header: Slice) -> str:
    """Find a weak sign that an image shows slices side by side; it may also be interpolated."""
    matrix, times = header.acquired, _count_times(header)
    is_usual = times == _USUAL_FACTORS[0] and not matrix.is_by_text
    return (
        _describe_matrix(header) if times > 1 and (not is_usual or _is_echo_planar(header)) else ""
    )


def _count_times(header: Slice) -> int:
    of_kind = header.kind in _KINDS
    return header.acquired.count_times_in(header.rows, header.columns) if of_kind else 0


def _describe_matrix(header: Slice) -> str:
    matrix = f"{header.acquired.rows}*{header.acquired.columns}"
    number = _count_times(header) ** 2
    return f"the image is as large as {number} acquired matrices of {matrix}"


def _is_sheet(header: Slice) -> bool:
    """Whether the acquired matrix fits into an image more often than interpolation explains."""
    if (times := _count_times(header)) < 2:
        return False
    spacing_mm = header.pixel_spacing_mm
    widths_mm = spacing_mm * (header.rows, header.columns) if spacing_mm.size == 2 else [0]
    if min(widths_mm) > WIDEST_MM:
        return True
    if not header.acquired.is_by_text:
        return times not in _USUAL_FACTORS and _is_echo_planar(header)
    return times not in _USUAL_FACTORS or (times > 2 and _is_echo_planar(header))


def _is_echo_planar(header: Slice) -> bool:
    words = header.origin.scanning_sequence.split("\\")
    return "EP" in words or header.origin.sequence_name.startswith(_ECHO_PLANAR)


def is_frame_of_slice(header: Slice, *, places: int, is_alone: bool = False) -> bool:
    """Whether a frame is a slice by the object that it is in, whatever its header says.

    An enhanced object holds slices, one in a file or many at several places. Legacy converted ones
    hold what single files held, sheets too.

    Args:
        header: of one frame.
        places: how many places the frames of its file lie at.
        is_alone: whether it is all there is. It is then no slice where its tiles are counted.
    """
    if header.frame is None:
        return False
    if header.sop_class == LegacyConvertedEnhancedMRImageStorage:
        return 1 < header.frames == places
    is_sheet = is_alone and (header.tiles > 1 or _is_sheet(header))
    return places > 1 or (header.frames == 1 and not is_sheet)


def count_places_of_files(slices: Sequence[Slice]) -> dict[Path, int]:
    """Count the places at which the frames of each file lie."""
    found: dict[Path, set[bytes]] = {}
    for s in slices:
        found.setdefault(s.path, set()).add(s.position.tobytes())
    return {path: len(places) for path, places in found.items()}
