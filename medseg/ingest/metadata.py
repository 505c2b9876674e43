"""Metadata: what MONAI knows of an image beside its values, and the keys that medseg adds."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data.meta_tensor import MetaTensor
from monai.utils import ImageMetaKey, MetaKeys, SpaceKeys, ensure_tuple

from medseg.geometry import Geometry

MODALITY, BODY_PART, CONTRADICTION = "modality", "body_part", "contradiction"
"""Keys of what a DICOM header says of an image, empty where it says nothing. The last is what SOP
class and Modality say against each other."""

VALUE_UNIT = "value_unit"
"""Key of the unit that a CT header states for its values where that is not HU; empty otherwise."""

STATED = (MODALITY, BODY_PART, CONTRADICTION, VALUE_UNIT)

RESAMPLED = "resampled"
"""Key of why the slices of a DICOM series were laid onto another grid, empty where they were not:
such as "3 slices missing", see `medseg.ingest.dicom.resample`."""

EXIF_ORIENTATION = "exif_orientation"
"""Key of the EXIF orientation of a picture, see `medseg.ingest.pictures.orientation`."""


def list_paths(names: Sequence[PathLike] | PathLike) -> list[Path]:
    """The paths of one case, which MONAI hands to a reader as one name or as several."""
    return [Path(name) for name in ensure_tuple(names)]


def make_metadata(
    shape: Sequence[int], *, affine: np.ndarray, channel_dim: float = float("nan")
) -> dict[str, Any]:
    """MONAI's metadata of an image.

    Args:
        shape: spatial shape, without the channels.
        affine: (4, 4), voxel indices to RAS+ millimetres.
        channel_dim: the axis of the channels; NaN where there is none.
    """
    return {
        MetaKeys.AFFINE: affine.copy(),
        MetaKeys.ORIGINAL_AFFINE: affine.copy(),
        MetaKeys.SPATIAL_SHAPE: np.asarray(shape),
        MetaKeys.SPACE: SpaceKeys.RAS,
        MetaKeys.ORIGINAL_CHANNEL_DIM: channel_dim,
    }


def find_grid(volume: MetaTensor) -> Geometry:
    """The grid of a loaded image; a picture (I, J) is a volume of one slice."""
    axes = len(volume.meta.get(MetaKeys.SPATIAL_SHAPE, (0, 0, 0)))
    i, j, k = (*volume.shape[-axes:], 1)[:3]
    return Geometry((i, j, k), volume.affine.cpu().numpy())


def find_orientation(volume: MetaTensor) -> int:
    """The EXIF orientation of a loaded image; 1 where it states none."""
    return int(volume.meta.get(EXIF_ORIENTATION, 1))


def find_name(volume: MetaTensor, key: Hashable) -> str:
    """What to call a loaded image in messages: its file, or its key."""
    return str(volume.meta.get(ImageMetaKey.FILENAME_OR_OBJ, key))
