"""Restore: bring the labels that a network found back onto the source grid, slab by slab."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor
from torch.nn import functional

from medseg.base.arguments import check_choice
from medseg.base.class_values import Classes
from medseg.geometry import GRID_TOLERANCE_VOXELS, Geometry
from medseg.inference.outputs.source import get_source_geometry
from medseg.transforms.classes import make_label_map
from medseg.transforms.nnunet.resize import find_nearest
from medseg.transforms.regions import are_regions

SLAB_VOXELS = 2**22
"""Voxels of the source that are interpolated at a time; each takes some 50 bytes."""

OUTSIDE = ("nearest", "background")


class RestoreLabeld(MapTransform):
    """Turns labels or logits on the network's grid into labels on the grid of the source image.

    Where the two grids differ by the order and direction of axes and by whole voxels, as after
    `Orientationd` and crops, voxels are moved and nothing is interpolated. Else logits are
    interpolated linearly and the most likely class is taken, and of labels the class whose voxels
    weigh most around the place, which is the same of logits that are 0 and 1. What lies outside the
    network's grid takes the nearest voxel if it is interpolated, unless `outside` is "background",
    and is background if it is moved.

    Unlike MONAI's `Invertd`, it never holds all logits on the source grid.

    Args:
        keys: labels (1, I, J, K), uint8, or logits (C, I, J, K), on the grid of the image as the
            network saw it; becomes (1, I, J, K), uint8.
        classes: of the task; None if several channels are classes apart.
        image_key: the image as the network saw it, whose meta data know both grids.
        outside: "nearest" or "background", see above.
        slice_axis_key: of the image's meta data, the axis along which the nearest slice is taken
            and nothing is interpolated, -1 for none; None for no such key.

    Example:
        >>> RestoreLabeld("pred", {"liver": [1, 2]})({"pred": logits, "image": image})
    """

    def __init__(
        self,
        keys: KeysCollection,
        classes: Classes | None = None,
        *,
        image_key: str = "image",
        outside: str = "nearest",
        slice_axis_key: str | None = None,
    ) -> None:
        super().__init__(keys)
        self.regions = classes is not None and are_regions(classes)
        self.image_key = image_key
        check_choice("outside", outside, OUTSIDE)
        self.outside = outside
        self.slice_axis_key = slice_axis_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        restored = dict(data)
        image = data[self.image_key]
        source = get_source_geometry(image)
        for key in self.key_iterator(restored):
            found = restored[key].as_subclass(Tensor).cpu()
            label = restore_label(
                found,
                image.affine,
                source=source,
                regions=self.regions,
                outside=self.outside,
                slice_axis=self._find_slice_axis(image),
            )
            restored[key] = MetaTensor(label, affine=torch.from_numpy(source.affine.copy()))
        return restored

    def _find_slice_axis(self, image: MetaTensor) -> int | None:
        along = -1 if self.slice_axis_key is None else int(image.meta[self.slice_axis_key])
        return None if along < 0 else along


def restore_label(
    found: Tensor,
    affine: Tensor | np.ndarray,
    *,
    source: Geometry,
    regions: bool = False,
    outside: str = "nearest",
    slice_axis: int | None = None,
) -> Tensor:
    """Labels (1, I, J, K), uint8, on the `source` grid; see `RestoreLabeld`.

    Args:
        found: labels (1, *spatial), uint8, or logits (C, *spatial).
        affine: of its grid, (4, 4), voxels to millimetres.
        source: the grid of the answer.
        regions: see `make_label_map`.
        outside: see `RestoreLabeld`.
        slice_axis: of `found`, along which the nearest slice is taken; None for none.
    """
    to_found = np.linalg.inv(np.asarray(affine, dtype=float)) @ source.affine
    moves = np.rint(to_found)
    if _measure_largest_shift(to_found - moves, source.shape) < GRID_TOLERANCE_VOXELS:
        label = found if found.dtype == torch.uint8 else make_label_map(found, regions=regions)
        return _move_voxels(label, moves, source.shape)
    label = torch.zeros(1, *source.shape, dtype=torch.uint8)
    for slab in _cut_slabs(source.shape):
        places = _find_places(to_found, source.shape, slab)
        snapped = places
        if slice_axis is not None:
            step = float(np.linalg.norm(to_found[slice_axis, :3]))
            count = found.shape[slice_axis + 1]
            snapped = _snap(places, slice_axis, count=count, step=step)
        part = _interpolate(found, snapped, regions=regions)
        if outside == "background":
            part *= _is_inside(places, found.shape[1:])
        label[0, :, :, slab] = part
    return label


def restore_values(found: Tensor, affine: Tensor | np.ndarray, *, source: Geometry) -> Tensor:
    """Values such as probabilities, (C, I, J, K), float32, on the `source` grid.

    Voxels are moved where the grids allow it, and outside there is 0; else values are interpolated.

    Args:
        found: (C, *spatial), floating point.
        affine: of its grid, (4, 4), voxels to millimetres.
        source: the grid of the answer.
    """
    to_found = np.linalg.inv(np.asarray(affine, dtype=float)) @ source.affine
    moves = np.rint(to_found)
    if _measure_largest_shift(to_found - moves, source.shape) < GRID_TOLERANCE_VOXELS:
        return _move_voxels(found, moves, source.shape).float()
    values = torch.zeros(len(found), *source.shape)
    for slab in _cut_slabs(source.shape):
        grid, part = _make_sampling_grid(found, _find_places(to_found, source.shape, slab))
        values[..., slab] = _sample_linearly(part[None].float(), grid)[0]
    return values


def _measure_largest_shift(difference: np.ndarray, shape: tuple[int, int, int]) -> float:
    """The largest distance between two affine maps of voxels, which is at one of the corners."""
    corners = np.array(list(product(*((0, n - 1) for n in shape), (1,))))
    return float(np.abs(difference[:3] @ corners.T).max())


def _move_voxels(label: Tensor, moves: np.ndarray, shape: tuple[int, int, int]) -> Tensor:
    """Permute, flip and shift the axes of a label map by a matrix of whole numbers."""
    axes = [int(np.abs(moves[:3, axis]).argmax()) for axis in range(3)]  # of the label
    picked = label.permute(0, *(axis + 1 for axis in axes))
    for axis, size in enumerate(shape):
        place = torch.arange(size) * int(moves[axes[axis], axis]) + int(moves[axes[axis], 3])
        length = picked.shape[axis + 1]
        picked = picked.index_select(axis + 1, place.clamp(0, length - 1))
        outside = ((place < 0) | (place >= length)).nonzero().flatten()
        picked = picked.index_fill(axis + 1, outside, 0) if len(outside) else picked
    return picked.contiguous()


def _cut_slabs(shape: tuple[int, int, int]) -> Iterator[slice]:
    """Parts of the last axis, each of few voxels."""
    step = max(SLAB_VOXELS // (shape[0] * shape[1]), 1)
    return (slice(k, min(k + step, shape[2])) for k in range(0, shape[2], step))


def _interpolate(found: Tensor, places: Sequence[Tensor], *, regions: bool) -> Tensor:
    """The labels at some places, see `_find_places`, in their shape."""
    grid, part = _make_sampling_grid(found, places)
    if found.dtype != torch.uint8:
        logits = _sample_linearly(part[None].float(), grid)[0]
        return make_label_map(logits, regions=regions)[0]
    label = torch.zeros(grid.shape[1:4], dtype=torch.uint8)
    best = torch.zeros(grid.shape[1:4])
    for value in part.unique().tolist():
        share = _sample_linearly((part[None] == value).float(), grid)[0, 0]
        label[share > best] = value
        best = torch.maximum(best, share)
    return label


def _sample_linearly(values: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(
        values, grid, mode="bilinear", padding_mode="border", align_corners=True
    )


def _find_places(
    to_found: np.ndarray, shape: tuple[int, int, int], slab: slice
) -> tuple[Tensor, ...]:
    """Where the voxels of a slab of the source lie in the grid that was found, axis by axis."""
    ranges = ((0, shape[0]), (0, shape[1]), (slab.start, slab.stop))
    voxels = torch.meshgrid(
        *(torch.arange(first, stop, dtype=torch.float64) for first, stop in ranges),
        indexing="ij",
    )
    rows = to_found.tolist()[:3]
    return tuple(a * voxels[0] + b * voxels[1] + c * voxels[2] + d for a, b, c, d in rows)


def _snap(places: tuple[Tensor, ...], axis: int, *, count: int, step: float) -> tuple[Tensor, ...]:
    """The same places, in the middle of the nearest voxel along one axis.

    Where two voxels are as near, that of `find_nearest` is taken, whose rounding is nnU-Net's.

    Args:
        places: see `_find_places`.
        axis: the axis.
        count: voxels of the grid along this axis.
        step: its voxels from one voxel of the source to the next.
    """
    nearest = find_nearest(count, max(round(count / step), 1))
    number = ((places[axis] + 0.5) / step - 0.5).round().long()
    snapped = nearest[number.clamp(0, len(nearest) - 1)].double()
    return (*places[:axis], snapped, *places[axis + 1 :])


def _is_inside(places: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Which places lie in a voxel of the grid."""
    inside = torch.ones_like(places[0], dtype=torch.bool)
    for place, size in zip(places, shape, strict=True):
        inside &= (place > -0.5) & (place < size - 0.5)
    return inside


def _make_sampling_grid(found: Tensor, places: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Positions for `grid_sample`, and the part of `found` around them."""
    grid, part = [], found
    for axis, size in enumerate(found.shape[1:]):
        place = places[axis].clamp(0, size - 1)
        first = int(place.min().floor())
        stop = int(place.max().ceil()) + 1
        part = part.narrow(axis + 1, first, stop - first)
        grid.append((2 * (place - first) / max(stop - first - 1, 1) - 1).float())
    return torch.stack(grid[::-1], dim=-1)[None], part
