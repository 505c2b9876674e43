"""Segmentation object: the segments of a DICOM SEG, on the grid of its series."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from medseg.datasets.own.dicom.planes import draw_plane, find_voxel_step
from medseg.geometry import Geometry

_MOST_VOXELS = 2**33


def read_segment_names(path: Path) -> list[str]:
    """The labels of the segments, in their order; the background of a label map is none."""
    header = dcmread(path, stop_before_pixels=True)
    return [name for _, name in _list_segments(header)]


def read_segments(path: Path, geometry: Geometry) -> dict[str, NDArray[np.bool_]]:
    """Read the segments of a Segmentation, each as a mask on the grid of its series.

    Binary and label map segmentations are read as they are, fractional ones from half of their
    maximum on. Frames that are not stored are empty. Two segments of one label are united.

    Args:
        path: of the object.
        geometry: of the series; each frame must lie on it.

    Raises:
        ValueError: a frame does not lie on the grid, voxels lie outside it, or the frames do not
            say where they lie.

    Source: DICOM PS3.3, sections A.51 and C.8.20.
    """
    seg = dcmread(path)
    frames = np.asarray(seg.pixel_array)
    frames = frames[None] if frames.ndim == 2 else frames
    kind = str(seg.get("SegmentationType", "BINARY"))
    segments = _list_segments(seg)
    found = {name: np.zeros(geometry.shape, np.bool_) for _, name in segments}
    outside = 0
    for number, plane, step in _place_frames(seg, frames, geometry):
        for segment, name in segments:
            if kind == "LABELMAP":
                drawn = plane == segment
            elif number == segment:
                half = float(seg.get("MaximumFractionalValue", 1)) / 2
                drawn = plane >= half if kind == "FRACTIONAL" else plane > 0
            else:
                continue
            outside += draw_plane(drawn, found[name], step)
    if outside:
        raise ValueError(f"{outside} voxels of the segmentation lie outside the series")
    return found


def _list_segments(seg: Dataset) -> list[tuple[int, str]]:
    """Number and label of each segment."""
    is_map = str(seg.get("SegmentationType", "")) == "LABELMAP"
    return [
        (int(one.SegmentNumber), str(one.get("SegmentLabel", "")).strip() or f"segment {n}")
        for n, one in enumerate(seg.get("SegmentSequence", ()), start=1)
        if not (is_map and int(one.SegmentNumber) == 0)
    ]


def _place_frames(
    seg: Dataset, frames: NDArray[Any], geometry: Geometry
) -> Iterator[tuple[int, NDArray[Any], Any]]:
    """The segment number of each frame, its pixels and where they lie in the volume."""
    shared = next(iter(seg.get("SharedFunctionalGroupsSequence", ())), Dataset())
    own = seg.get("PerFrameFunctionalGroupsSequence", ())
    if len(own) != len(frames):
        raise ValueError(f"the segmentation has {len(frames)} frames, and states {len(own)}")
    for groups, plane in zip(own, frames, strict=True):
        position = _get(groups, shared, "PlanePositionSequence", "ImagePositionPatient")
        orientation = _get(groups, shared, "PlaneOrientationSequence", "ImageOrientationPatient")
        spacing = _get(groups, shared, "PixelMeasuresSequence", "PixelSpacing")
        if position is None or orientation is None or spacing is None:
            raise ValueError("the frames of the segmentation do not say where they lie")
        step = find_voxel_step(
            geometry, position=position, orientation=orientation, spacing_mm=spacing
        )
        if step is None:
            raise ValueError("the segmentation lies on another grid than the series")
        number = _get(groups, shared, "SegmentIdentificationSequence", "ReferencedSegmentNumber")
        yield int(number or 0), plane, step


def _get(groups: Dataset, shared: Dataset, sequence: str, keyword: str) -> Any:
    """A value of the functional groups of a frame, or of those that all frames share."""
    for place in (groups, shared):
        for item in place.get(sequence, ()):
            if (value := item.get(keyword)) is not None:
                return value
    return None
