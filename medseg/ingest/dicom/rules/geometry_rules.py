"""Geometry rules: what slices must state about their place and size to be one volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medseg.geometry import ORTHOGONALITY_TOLERANCE
from medseg.ingest.dicom.consistency.consistency import is_uid_per_file
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.rules.value_rules import list_several

ORIENTATION_TOLERANCE = 1e-4
"""Direction cosines of one series may differ by this much (rounding of decimal strings)."""

PIXEL_SPACING_TOLERANCE_MM = 1e-4
"""In-plane spacings of one series may differ by this much (rounding of decimal strings)."""

LONGEST_MM = 1e9
"""No coordinate or spacing is larger: a thousand kilometres; beyond that numbers overflow."""

SHORTEST_MM = 1e-9
"""No spacing is smaller: a millionth of a micrometre."""


def describe_mixed_size(slices: Sequence[Slice]) -> str:
    """Say which matrix sizes the slices have, where they have several; else ""."""
    return list_several({f"{s.rows}x{s.columns}" for s in slices}, "matrix sizes (rows x columns)")


def describe_missing_geometry(slices: Sequence[Slice]) -> str:
    """Say what the first slice without a complete position lacks; "" where none lacks any."""
    found = (
        f"{s.name} lacks {', '.join(absent)}" for s in slices if (absent := list_absent_geometry(s))
    )
    return next(found, "")


def list_absent_geometry(header: Slice) -> list[str]:
    """List the elements of geometry that a slice lacks, or states with too few or many values."""
    vectors = {
        "ImagePositionPatient": (header.position.size, 3),
        "ImageOrientationPatient": (header.orientation.size, 6),
        "PixelSpacing": (header.pixel_spacing_mm.size, 2),
    }
    absent = [
        f"{keyword} of {wanted} values ({found} are stated)" if found else keyword
        for keyword, (found, wanted) in vectors.items()
        if found != wanted
    ]
    return absent if header.rows > 0 and header.columns > 0 else [*absent, "Rows and Columns"]


def describe_invalid_geometry(slices: Sequence[Slice]) -> str:
    """Say which slice has a position, orientation or spacing that cannot be; else ""."""
    for s in slices:
        if not np.isfinite(np.concatenate([s.position, s.orientation, s.pixel_spacing_mm])).all():
            return f"{s.name} has a position, orientation or spacing that is not finite"
        if np.abs(s.position).max() > LONGEST_MM:
            return f"{s.name} lies at {s.position.tolist()} mm"
        low_mm, high_mm = s.pixel_spacing_mm.min(), s.pixel_spacing_mm.max()
        if low_mm < SHORTEST_MM or high_mm > LONGEST_MM:
            return f"{s.name} has pixel spacing {s.pixel_spacing_mm.tolist()} mm"
        axes = s.orientation.reshape(2, 3)
        if np.abs(axes @ axes.T - np.eye(2)).max() > ORTHOGONALITY_TOLERANCE:
            return f"{s.name} has direction cosines {s.orientation.tolist()}"
    return ""


def describe_mixed_frame_of_reference(slices: Sequence[Slice]) -> str:
    """Say which frames of reference the slices state, where there are several; else ""."""
    if is_uid_per_file((s.path, s.frame_of_reference) for s in slices):
        return ""
    return list_several({s.frame_of_reference for s in slices} - {""}, "frames of reference")


def describe_mixed_orientation(slices: Sequence[Slice]) -> str:
    """Say by how much direction cosines differ, where it is more than rounding; else ""."""
    cosines = np.array([s.orientation for s in slices])
    spread = np.abs(cosines - cosines[0]).max()
    if spread <= ORIENTATION_TOLERANCE:
        return ""
    return f"direction cosines differ by up to {spread:.4g} (tolerance {ORIENTATION_TOLERANCE:g})"


def describe_mixed_spacing(slices: Sequence[Slice]) -> str:
    """Say in which range pixel spacings lie, where they differ; else ""."""
    spacings = np.array([s.pixel_spacing_mm for s in slices])
    if np.ptp(spacings, axis=0).max() <= PIXEL_SPACING_TOLERANCE_MM:
        return ""
    return f"pixel spacing varies from {spacings.min():.6g} to {spacings.max():.6g} mm"
