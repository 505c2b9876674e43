"""Memory reader: images that a program holds already, as if they were read from a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813 -- the name its manual uses
from monai.config import PathLike
from monai.data.image_reader import ImageReader
from monai.utils import MetaKeys
from numpy.typing import ArrayLike, NDArray

from medseg.geometry import Geometry
from medseg.ingest.metadata import STATED, make_metadata

NAME = "image"
"""What an image without a file is called in messages."""


class MemoryReader(ImageReader):
    """Gives `LoadImaged` the array that it holds, whatever path it is asked for.

    Example:
        >>> reader = MemoryReader()
        >>> reader.hold(np.zeros((4, 4, 4)), Geometry((4, 4, 4), np.eye(4)))
        >>> LoadImaged("image", reader=reader)({"image": "a name"})  # doctest: +SKIP
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: tuple[NDArray, dict[str, Any]] | None = None

    def hold(
        self, array: NDArray, geometry: Geometry, stated: dict[str, str] | None = None
    ) -> None:
        """Take the array that is given next, and let an earlier one go.

        Args:
            array: (I, J, K), or (C, I, J, K) with channels.
            geometry: its grid.
            stated: what a DICOM header says of it, by the keys of `medseg.ingest.metadata`.
        """
        known = stated or dict.fromkeys(STATED, "")
        channel_dim = 0 if array.ndim == 4 else float("nan")
        self._held = (
            array,
            make_metadata(geometry.shape, affine=geometry.affine, channel_dim=channel_dim) | known,
        )

    def let_go(self) -> None:
        """Hold nothing any more, so that the array does not stay in memory."""
        self._held = None

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Any name will do."""
        return True

    def read(self, data: Sequence[PathLike] | PathLike, **_: Any) -> object:
        """Nothing that matters: `get_data` has the array."""
        return ()

    def get_data(self, img: object) -> tuple[NDArray, dict[str, Any]]:
        """The array and MONAI's metadata.

        Raises:
            RuntimeError: nothing is held.
        """
        if self._held is None:
            raise RuntimeError("the reader holds no image: call hold first")
        return self._held


def read_image(
    reader: ImageReader, path: str | Sequence[str]
) -> tuple[NDArray, Geometry, dict[str, str]]:
    """Read a volume with a reader: its values, its grid, and what its header says.

    Several paths, or several volumes of a file, are channels, where the reader reads them.

    Raises:
        IngestError: see `medseg.ingest.reader.VolumeReader`.
    """
    values, metadata = reader.get_data(reader.read(path))
    i, j, k = (int(n) for n in metadata[MetaKeys.SPATIAL_SHAPE])
    stated = {key: metadata[key] for key in STATED}
    return values, Geometry((i, j, k), metadata[MetaKeys.ORIGINAL_AFFINE]), stated


def take_image(image: Any, affine: ArrayLike | None = None) -> tuple[NDArray, Geometry]:
    """Take an image of another library, or an array, as an array and its geometry.

    Args:
        image: an image of nibabel or SimpleITK; or an array (I, J, K), with an affine. A 2D image
            becomes one slice.
        affine: (4, 4), of an array: from voxel indices to RAS+ millimetres, as in NIfTI.

    Raises:
        TypeError: neither is, an array without an affine, or an image with one.
        ValueError: it has another number of axes or channels, or values that are not finite
            numbers; or the affine is none.

    Example:
        >>> take_image(np.zeros((4, 5, 6), np.float32), np.eye(4))[1].shape
        (4, 5, 6)
    """
    if isinstance(image, np.ndarray):
        if affine is None:
            raise TypeError("an array needs its affine, from voxel indices to RAS+ millimetres")
        array, matrix = image, np.asarray(affine, float)
    elif affine is not None:
        raise TypeError(f"a {type(image).__name__} has an affine of its own: leave affine out")
    elif isinstance(image, nib.spatialimages.SpatialImage):
        array, matrix = np.asanyarray(image.dataobj), np.asarray(image.affine, float)
    elif isinstance(image, sitk.Image):
        return _take_simple_itk(image)
    else:
        raise TypeError(
            f"a {type(image).__name__} is no image: give a path, an image of nibabel or SimpleITK, "
            "or an array with its affine"
        )
    return _check(array, matrix)


def _take_simple_itk(image: sitk.Image) -> tuple[NDArray, Geometry]:
    if image.GetNumberOfComponentsPerPixel() != 1:
        count = image.GetNumberOfComponentsPerPixel()
        raise ValueError(f"the image has {count} values for each voxel: give one channel")
    n = image.GetDimension()
    lps = np.eye(4)
    if n in (2, 3):
        direction = np.reshape(image.GetDirection(), (n, n))
        lps[:n, :n] = direction @ np.diag(image.GetSpacing())
        lps[:n, 3] = image.GetOrigin()
    array = sitk.GetArrayFromImage(image).T
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps
    return _check(array, ras)


def _check(array: NDArray, affine: NDArray[np.float64]) -> tuple[NDArray, Geometry]:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise ValueError(f"an image of shape {array.shape} is no volume: give (I, J, K)")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"an image of {array.dtype} holds no plain numbers: convert it")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("the image holds values that are not finite numbers: replace them")
    i, j, k = array.shape
    return array, Geometry((i, j, k), affine)
