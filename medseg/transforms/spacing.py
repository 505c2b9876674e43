"""Spacing: MONAI's resampling to voxels of one size, beside any other entries of a case.

The configs of bundles name the class, and no other transform needs it.
"""

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Spacingd


class ResampleSpacingd(Spacingd):
    """MONAI's `Spacingd`, which is shown its own keys alone.

    For NIfTI, MONAI 1.6.1 writes the new meta data into every entry whose name starts with that of
    the image and an underscore. MONAI Label has the path of the image there, as `image_path`, which
    is no dictionary. Everything else, the inverse included, is MONAI's.

    Args: as `monai.transforms.Spacingd`.

    Example:
        >>> ResampleSpacingd("image", pixdim=[1.0, 1.0, 2.5])  # doctest: +ELLIPSIS
        <medseg.transforms.spacing.ResampleSpacingd object at ...>
    """

    def __call__(
        self, data: Mapping[Hashable, Any], lazy: bool | None = None
    ) -> dict[Hashable, Any]:
        """Resample the keys; the other entries of the case stay as they are."""
        own = {key: data[key] for key in self.key_iterator(data)}
        return {**data, **super().__call__(own, lazy)}
