"""LIDC patch: a cube of the CT around a nodule, resampled, and its axial planes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from medseg.geometry import Geometry
from medseg.ingest.dicom.pixels.rescale import CT_PADDING_HU

_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True, eq=False)
class Patch:
    """An image in HU and its label, 0 or 1, on one RAS+ grid with the affine (4, 4)."""

    image: NDArray[np.int16]
    label: NDArray[np.uint8]
    affine: NDArray[np.float64]


def cut(
    volume: NDArray[np.generic],
    mask: NDArray[np.uint8],
    geometry: Geometry,
    *,
    centre_mm: tuple[float, float, float],
    size: int,
    spacing_mm: float,
) -> Patch:
    """Resample the cube of `size` voxels a side around a point.

    Both are interpolated linearly; the label is 1 where the interpolated mask is at least one half.
    Nothing is smoothed before, also where the patch is coarser than the CT. Outside the CT a patch
    holds `CT_PADDING_HU`.

    Args:
        volume: the CT in HU, on the grid of `geometry`.
        mask: 0 and 1, on the same grid.
        geometry: the grid of the CT, its axes in any direction.
        centre_mm: RAS+ centre of the cube.
        size: voxels a side.
        spacing_mm: distance of the voxels along each axis.
    """
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = np.round(np.array(centre_mm) - (size - 1) / 2 * spacing_mm, 3)
    to_volume = np.linalg.inv(geometry.affine) @ affine
    image, label = (
        affine_transform(
            array, to_volume, output_shape=(size,) * 3, output=np.float32, order=1, cval=outside
        )
        for array, outside in ((volume, CT_PADDING_HU), (mask, 0))
    )
    hu = np.clip(np.rint(image), _INT16.min, _INT16.max).astype(np.int16)
    return Patch(hu, (label >= 0.5).astype(np.uint8), affine)


def list_planes(patch: Patch) -> Iterator[tuple[int, Patch]]:
    """List the axial planes of a patch with a label in them: (number, patch of one plane)."""
    for k in np.flatnonzero(patch.label.any(axis=(0, 1))):
        affine = patch.affine.copy()
        affine[:3, 3] += k * affine[:3, 2]
        plane = slice(int(k), int(k) + 1)
        yield int(k), Patch(patch.image[:, :, plane], patch.label[:, :, plane], affine)
