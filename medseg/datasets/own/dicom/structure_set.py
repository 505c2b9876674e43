"""Structure set: the structures of an RT Structure Set, on the grid of its series."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from skimage.draw import polygon

from medseg.base.text import count_noun
from medseg.geometry import Geometry

IN_SLICE_VOXELS = 0.5
"""A contour belongs to the slice that it is nearest to, at most this far away."""

FLAT_VOXELS = 0.1
"""The points of a contour may lie so far from its plane."""

_SNAP = 1e-3  # voxels; coordinates are rounded texts, and points on a border must stay there


def read_structure_names(path: Path) -> tuple[list[str], list[str]]:
    """The names of the structures that have closed contours, and of those without, as points are.

    Both are in the order of the object.
    """
    header = dcmread(path)
    drawn = [name for name, _ in _list_structures(header)]
    return drawn, [name for name in _name_structures(header).values() if name not in drawn]


def read_structures(
    path: Path, geometry: Geometry
) -> tuple[dict[str, NDArray[np.bool_]], list[tuple[str, str]]]:
    """Read the structures of an RT Structure Set, each as a mask on the grid of its series.

    A voxel is within a structure if its centre is within an outline. Outlines within each other
    cut holes, islands in these are within again, and a channel to a hole (a keyhole) cuts it too.

    Args:
        path: of the object.
        geometry: of the series.

    Returns:
        The masks by name, and what is doubtful, with the name of the structure: slices without an
        outline between others, and contours that enclose no voxel.

    Raises:
        ValueError: a contour does not lie in a slice of the series or is outside it, or its points
            are damaged.

    Source: DICOM PS3.3, section C.8.8.6.
    """
    header = dcmread(path)
    found: dict[str, NDArray[np.bool_]] = {}
    doubts: list[tuple[str, str]] = []
    to_voxel = np.linalg.inv(geometry.affine_lps)
    for name, contours in _list_structures(header):
        mask = found.setdefault(name, np.zeros(geometry.shape, np.bool_))
        drawn = []
        for points in contours:
            at = points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
            axis, index = _find_slice(at, geometry, name)
            drawn.append((axis, index))
            _draw(at, mask, axis, index)
        doubts += _list_doubts(name, drawn, mask)
    return found, doubts


def _list_structures(header: Dataset) -> Iterator[tuple[str, list[NDArray[np.float64]]]]:
    """Name and closed planar contours of each structure that has some."""
    names = _name_structures(header)
    for roi in header.get("ROIContourSequence", ()):
        number = int(roi.ReferencedROINumber)
        contours = [
            _read_points(one, names.get(number, f"structure {number}"))
            for one in roi.get("ContourSequence", ())
            if str(one.get("ContourGeometricType", "")).startswith("CLOSED")
        ]
        if contours:
            yield names.get(number, f"structure {number}"), contours


def _name_structures(header: Dataset) -> dict[int, str]:
    """The name of each structure, by its number."""
    return {
        int(roi.ROINumber): str(roi.get("ROIName", "")).strip() or f"structure {int(roi.ROINumber)}"
        for roi in header.get("StructureSetROISequence", ())
    }


def _read_points(contour: Dataset, name: str) -> NDArray[np.float64]:
    values = np.asarray(contour.get("ContourData") or [], float)
    if len(values) < 9 or len(values) % 3 or not np.isfinite(values).all():
        raise ValueError(f"a contour of {name} has {len(values)} coordinates, not 3 for each point")
    return values.reshape(-1, 3)


def _find_slice(at: NDArray[np.float64], geometry: Geometry, name: str) -> tuple[int, int]:
    """Axis and index of the slice that a contour lies in."""
    spread = np.ptp(at, axis=0)
    axis = 2 if spread[2] <= FLAT_VOXELS else int(spread.argmin())  # slices lie along the third
    if spread[axis] > FLAT_VOXELS:
        raise ValueError(f"a contour of {name} does not lie in a slice of the series")
    place = float(at[:, axis].mean())
    index = round(place)
    if abs(place - index) > IN_SLICE_VOXELS or not 0 <= index < geometry.shape[axis]:
        raise ValueError(
            f"a contour of {name} lies outside the series, at slice {place:.1f} of "
            f"{geometry.shape[axis]}"
        )
    return axis, index


def _draw(at: NDArray[np.float64], mask: NDArray[np.bool_], axis: int, index: int) -> None:
    """Put what a contour encloses into a slice; what was within already becomes a hole."""
    across = [other for other in range(3) if other != axis]
    rows, columns = np.round(at[:, across] / _SNAP).T * _SNAP
    plane = np.moveaxis(mask, axis, 0)[index]
    plane[polygon(rows, columns, plane.shape)] ^= True


def _list_doubts(
    name: str, drawn: list[tuple[int, int]], mask: NDArray[np.bool_]
) -> Iterator[tuple[str, str]]:
    for axis in {axis for axis, _ in drawn}:
        indices = {index for each, index in drawn if each == axis}
        gaps = set(range(min(indices), max(indices))) - indices
        if gaps:
            number = count_noun(len(gaps), "slice")
            yield name, f"{name} has no outline in {number} between others: they stay empty"
    if not mask.any():
        yield name, f"{name} encloses the centre of no voxel: it stays empty"
