"""Metadata: what MONAI is told of an image beside its values, and the keys that medseg adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.utils import MetaKeys, SpaceKeys

MODALITY, BODY_PART, CONTRADICTION = "modality", "body_part", "contradiction"
"""Keys of what a DICOM header says of an image, empty where it says nothing. The last is what SOP
class and Modality say against each other."""

EXIF_ORIENTATION = "exif_orientation"
"""Key of the EXIF orientation of a picture, see `medseg.ingest.pictures.orientation`."""


def metadata(
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
