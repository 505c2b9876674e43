"""NRRD segments: what 3D Slicer adds to a NRRD of a segmentation (`.seg.nrrd`).

Each segment has a name, a value and a layer; segments of one layer do not overlap. The voxels may
be cropped to what is not empty; the grid of the image is then among the parameters.

Source: 3D Slicer, "Segmentations file format",
https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from medseg.geometry import LPS_TO_RAS, Geometry
from medseg.ingest.reasons import IngestError, Note, Reason
from medseg.ingest.volumes.header import Segment

_KEY = re.compile(r"Segment(\d+)_(Name|LabelValue|Layer)")
_REFERENCE = re.compile(r"Reference image geometry(?:\||\"[^-\d]*)([-+.;\de]+)")
_NUMBERS_OF_REFERENCE = 22  # a matrix (4, 4) and the first and last index of each axis


def read_segments(
    keys: Mapping[str, str], path: Path
) -> tuple[tuple[Segment, ...], tuple[Note, ...]]:
    """The segments among the keys and values of a header, and a note that names them.

    Without LabelValue, as in the files of old versions, each segment is a layer of its own, stored
    as 1; the segments then get the values 1, 2, ... in their order.

    Raises:
        IngestError: "unreadable" for a value or a layer that is no whole number.
    """
    found: dict[int, dict[str, str]] = {}
    for key, value in keys.items():
        if match := _KEY.fullmatch(key):
            found.setdefault(int(match[1]), {})[match[2]] = value.strip()
    try:
        segments = tuple(
            Segment(
                name=_make_printable(each.get("Name", f"segment {number}")),
                value=int(each.get("LabelValue", number + 1)),
                layer=int(each.get("Layer", 0 if "LabelValue" in each else number)),
                stored=int(each.get("LabelValue", 1)),
            )
            for number, each in sorted(found.items())
        )
    except ValueError as error:
        finding = f"{path} has a segment whose value or layer is not a whole number"
        raise IngestError(Reason.UNREADABLE, finding) from error
    if not segments:
        return (), ()
    return segments, ((Reason.SEGMENTS, f"in {path} {describe_segments(segments)}"),)


def describe_segments(segments: Iterable[Segment]) -> str:
    """The value and the name of each."""
    return ", ".join(f"{each.value} is {each.name}" for each in segments)


def find_uncropped_grid(
    keys: Mapping[str, str], grid: Geometry
) -> tuple[Geometry, tuple[int, int, int]] | None:
    """The grid that a segmentation is a part of, and the index of its first voxel in it.

    None where the header does not say so, or says what its own grid contradicts.
    """
    match = _REFERENCE.search(keys.get("Segmentation_ConversionParameters", ""))
    try:
        stated = [float(word) for word in (match[1] if match else "").split(";") if word]
    except ValueError:
        return None
    if len(stated) != _NUMBERS_OF_REFERENCE:
        return None
    affine, extent = np.array(stated[:16]).reshape(4, 4), np.array(stated[16:]).reshape(3, 2)
    affine[:3, 3] += affine[:3, :3] @ extent[:, 0]
    shape = extent[:, 1] - extent[:, 0] + 1
    found = (_find_place(shape, world @ affine, grid) for world in (np.eye(4), LPS_TO_RAS))
    return next((place for place in found if place), None)


def _find_place(
    shape: np.ndarray, affine: np.ndarray, part: Geometry
) -> tuple[Geometry, tuple[int, int, int]] | None:
    """A grid and where a part of it starts; None where it is no part of it."""
    try:
        whole = Geometry((int(shape[0]), int(shape[1]), int(shape[2])), affine)
    except ValueError:
        return None
    i, j, k = (int(n) for n in np.round(whole.world_to_voxel(part.origin_mm)))
    if min(i, j, k) < 0 or (np.add((i, j, k), part.shape) > whole.shape).any():
        return None
    moved = whole.affine.copy()
    moved[:3, 3] = whole.voxel_to_world((i, j, k))
    return (whole, (i, j, k)) if Geometry(part.shape, moved).same_grid(part) else None


def join_layers(layers: np.ndarray, segments: tuple[Segment, ...], *, path: Path) -> np.ndarray:
    """One label map of the layers (I, J, K, layers) of a segmentation.

    Raises:
        IngestError: "overlapping-segments" where segments of two layers share a value or a voxel.
    """
    owners: dict[int, Segment] = {}
    for segment in segments:
        other = owners.setdefault(segment.value, segment)
        if other.layer != segment.layer:
            finding = f"{other.name} and {segment.name} of {path} both have the value {other.value}"
            raise IngestError(Reason.OVERLAPPING_SEGMENTS, finding)
        if not 0 <= segment.layer < layers.shape[-1]:
            finding = f"{segment.name} of {path} lies in layer {segment.layer}, which is not there"
            raise IngestError(Reason.UNREADABLE, finding)
        if segment.stored != segment.value:
            layer = layers[..., segment.layer]
            layers[..., segment.layer] = np.where(layer == segment.stored, segment.value, layer)
    if shared := int((np.count_nonzero(layers, axis=-1) > 1).sum()):
        finding = f"segments of {path} overlap in {shared} voxels"
        raise IngestError(Reason.OVERLAPPING_SEGMENTS, finding)
    return layers.max(axis=-1)


def _make_printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:80]
