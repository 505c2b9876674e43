"""Measure: volume, diameters, surface and intensities of the structures of a label map."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import pdist

from medseg.base.masks import find_box
from medseg.geometry import Geometry
from medseg.labels import MORPHOLOGY, Label, LabelTable
from medseg.report.diameters import (
    Diameters,
    find_hull,
    find_outline,
    measure_diameters,
    measure_long_axis,
)
from medseg.report.lesions import number_lesions
from medseg.report.surface import measure_surface

PERCENTILES = (5, 25, 50, 75, 95)
CLEARLY_THICKER = 1.2
"""A voxel so much longer along one axis shows along which axis the slices were acquired."""

_OF_UPRIGHT_GRIDS = ("long_axis_mm", "perpendicular_mm", "width_mm")
_LENGTHS = (*_OF_UPRIGHT_GRIDS, "largest_diameter_mm")
_OF_ALL_GRIDS = (
    "surface_mm2",
    "centroid_mm",
    "largest_diameter_mm",
    "is_at_edge",
    "intensities",
)
_EMPTY = "no voxel of the mask"
_NO_IMAGE = "the values of the image are not at hand"
_NO_CONFIDENCE = "the probabilities of the network are not at hand"
_OF_WHOLE = "it is of whole structures"
_IN_PIECES = "its pieces are measured one by one"
_SHEARED = "the axes of the grid are not at right angles"


@dataclass(frozen=True)
class Intensities:
    """The values of the image within a structure, in the unit of the image, HU for CT."""

    mean: float
    standard_deviation: float
    minimum: float
    maximum: float
    percentiles: dict[str, float]


@dataclass(frozen=True)
class Measurement:
    """What was measured of one structure or lesion.

    What cannot be measured is None, and `reasons` says why, by the name of the attribute.

    Attributes:
        name: of the label; of one that encloses others, of the whole, which is measured.
        value: of the label in the mask.
        lesion: number of the lesion among those of its label, from 1; 0 for a whole structure.
        voxels: how many the structure has.
        volume_ml: their volume.
        surface_mm2: area of the surface, of a mesh, see `medseg.report.surface`.
        centroid_mm: the centre of gravity, in RAS+ millimetres.
        long_axis_mm, perpendicular_mm, width_mm: in the slice where the long axis is longest, see
            `medseg.report.diameters`.
        slice_index: which slice that is, counted from 0 along `slice_axis`.
        slice_axis: 0, 1 or 2, the axis of the array along which the slices lie.
        largest_diameter_mm: the longest straight line between two points of the surface, in 3D.
        confidence: the Dice that the network's own probabilities let expect, see
            `medseg.inference.tiles.expected_dice`; of whole structures alone. It is not calibrated.
        is_at_edge: whether the structure reaches the edge of the image, and may go on behind it.
        intensities: the values of the image within.
    """

    name: str
    value: int
    lesion: int
    voxels: int
    volume_ml: float
    surface_mm2: float | None = None
    centroid_mm: tuple[float, float, float] | None = None
    long_axis_mm: float | None = None
    perpendicular_mm: float | None = None
    width_mm: float | None = None
    slice_index: int | None = None
    slice_axis: int | None = None
    largest_diameter_mm: float | None = None
    is_at_edge: bool | None = None
    confidence: float | None = None
    intensities: Intensities | None = None
    reasons: dict[str, str] = field(default_factory=dict)


def measure_structures(
    mask: NDArray,
    geometry: Geometry,
    labels: LabelTable,
    *,
    image: NDArray | None = None,
    confidence: Mapping[int, float] | None = None,
    pieces_of: Collection[str] | None = None,
) -> list[Measurement]:
    """Measure each structure of a label map, and each lesion by itself.

    A label that encloses others, such as a liver with its tumours, is measured with them and named
    after the whole: "liver". The labels that stand for lesions by their code are also measured
    piece by piece, the largest first; pieces that touch at a corner are one. Where there are
    several, the whole has no lengths, which would run between them.

    Args:
        mask: (I, J, K), label values.
        geometry: its grid.
        labels: what the values mean.
        image: the image on the same grid, for its values; None where they are not at hand.
        confidence: of labels, by their value.
        pieces_of: the names of the labels, of wholes where they enclose others, that are also
            measured piece by piece; None for those that stand for lesions by their code.

    Returns:
        One for each label but the background, in their order, also for those that the mask lacks;
        behind a label of lesions, one for each lesion.

    Raises:
        ValueError: the image or the geometry has another shape than the mask.

    Example:
        >>> mask = np.zeros((10, 10, 10), np.uint8)
        >>> mask[2:7, 2:7, 2:7] = 1
        >>> (cube,) = measure_structures(mask, Geometry(mask.shape, np.eye(4)), make_table(["x"]))
        >>> cube.volume_ml, cube.centroid_mm
        (0.125, (4.0, 4.0, 4.0))
    """
    if mask.shape != geometry.shape or (image is not None and image.shape != mask.shape):
        shapes = f"{mask.shape}, {geometry.shape}{'' if image is None else f', {image.shape}'}"
        raise ValueError(f"mask, grid and image have the shapes {shapes}: give those of one image")
    measured = (
        found
        for label in labels.foreground
        for found in _measure_label(mask, label, geometry, image, pieces_of)
    )
    return [_add_confidence(one, confidence or {}) for one in measured]


def _add_confidence(found: Measurement, confidence: Mapping[int, float]) -> Measurement:
    if not found.lesion and found.voxels and found.value in confidence:
        return replace(found, confidence=confidence[found.value])
    why = _OF_WHOLE if found.lesion else _NO_CONFIDENCE if found.voxels else _EMPTY
    return replace(found, reasons={**found.reasons, "confidence": why})


def find_slice_axis(geometry: Geometry) -> int:
    """The axis of an array along which its slices lie: 0, 1 or 2.

    It is the one along which voxels are clearly longest. Where none is, as in an isotropic volume,
    it is the one that runs most from head to feet, so that slices are axial.
    """
    spacing = np.asarray(geometry.spacing_mm)
    order = np.argsort(spacing)
    if spacing[order[2]] >= CLEARLY_THICKER * spacing[order[1]]:
        return int(order[2])
    return int(np.abs(geometry.direction[2]).argmax())


def find_voxels(mask: NDArray, label: Label) -> NDArray[np.bool_]:
    """The voxels of a label in a label map, with those of the labels that it encloses."""
    within: NDArray[np.bool_] = mask == label.index
    for inner in label.members or ():
        within |= mask == inner
    return within


def _measure_label(
    mask: NDArray,
    label: Label,
    geometry: Geometry,
    image: NDArray | None,
    pieces_of: Collection[str] | None,
) -> Iterator[Measurement]:
    within = find_voxels(mask, label)
    if not within.any():
        reasons = dict.fromkeys((*_OF_UPRIGHT_GRIDS, *_OF_ALL_GRIDS), _EMPTY)
        yield Measurement(label.whole_name, label.index, 0, 0, 0.0, reasons=reasons)
        return
    box = find_box(within)
    whole = _measure(within[box], box, label, 0, geometry, image)
    if label.category != MORPHOLOGY if pieces_of is None else label.whole_name not in pieces_of:
        yield whole
        return
    pieces, count = number_lesions(within[box])
    yield _leave_out_lengths(whole) if count > 1 else whole
    for number, inner in enumerate(ndimage.find_objects(pieces), start=1):
        outer = tuple(
            slice(o.start + i.start, o.start + i.stop) for o, i in zip(box, inner, strict=True)
        )
        yield _measure(pieces[inner] == number, outer, label, number, geometry, image)


def _leave_out_lengths(whole: Measurement) -> Measurement:
    """A structure of several lesions without lengths: these would run between the lesions."""
    nothing: dict[str, None] = dict.fromkeys((*_LENGTHS, "slice_index", "slice_axis"))
    reasons = {**whole.reasons, **dict.fromkeys(_LENGTHS, _IN_PIECES)}
    return replace(whole, **nothing, reasons=reasons)  # type: ignore[arg-type]


def _measure(
    part: NDArray[np.bool_],
    box: tuple[slice, ...],
    label: Label,
    lesion: int,
    geometry: Geometry,
    image: NDArray | None,
) -> Measurement:
    """Measure a structure that fills a box of the image."""
    start = np.array([one.start for one in box])
    voxels = int(np.count_nonzero(part))
    centroid = geometry.voxel_to_world(np.argwhere(part).mean(axis=0) + start)
    reasons: dict[str, str] = {}
    longest, axis = None, find_slice_axis(geometry)
    if geometry.is_orthogonal:
        longest = _find_longest(part, axis, geometry)
    else:
        reasons |= dict.fromkeys(_OF_UPRIGHT_GRIDS, _SHEARED)
    if image is None:
        reasons["intensities"] = _NO_IMAGE
    return Measurement(
        name=label.whole_name,
        value=label.index,
        lesion=lesion,
        voxels=voxels,
        volume_ml=voxels * geometry.voxel_volume_ml,
        surface_mm2=measure_surface(part, geometry.affine),
        centroid_mm=(float(centroid[0]), float(centroid[1]), float(centroid[2])),
        long_axis_mm=None if longest is None else longest[1].long_axis_mm,
        perpendicular_mm=None if longest is None else longest[1].perpendicular_mm,
        width_mm=None if longest is None else longest[1].width_mm,
        slice_index=None if longest is None else longest[0] + int(start[axis]),
        slice_axis=None if longest is None else axis,
        largest_diameter_mm=_measure_largest(part, geometry),
        is_at_edge=_is_at_edge(box, geometry),
        intensities=None if image is None else _measure_intensities(image[box][part]),
        reasons=reasons,
    )


def _is_at_edge(box: tuple[slice, ...], geometry: Geometry) -> bool:
    ends = zip(box, geometry.shape, strict=True)
    return any(one.start == 0 or one.stop == n for one, n in ends if n > 1)


def _find_longest(part: NDArray[np.bool_], axis: int, geometry: Geometry) -> tuple[int, Diameters]:
    """The slice with the longest axis, and its diameters."""
    first, second = (geometry.spacing_mm[other] for other in range(3) if other != axis)
    slices = np.moveaxis(part, axis, 0)
    lengths = [
        measure_long_axis(plane, (first, second)) if plane.any() else 0.0 for plane in slices
    ]
    longest = int(np.argmax(lengths))
    return longest, measure_diameters(slices[longest], (first, second))


def _measure_largest(part: NDArray[np.bool_], geometry: Geometry) -> float:
    """The longest distance of two points of the surface."""
    return float(pdist(find_hull(find_outline(part) @ geometry.affine[:3, :3].T)).max())


def _measure_intensities(values: NDArray) -> Intensities:
    values = values.astype(np.float64)
    return Intensities(
        mean=float(values.mean()),
        standard_deviation=float(values.std()),
        minimum=float(values.min()),
        maximum=float(values.max()),
        percentiles={
            str(p): float(v)
            for p, v in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)
        },
    )
