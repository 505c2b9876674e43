"""Source: the files that an image was read from, their grid, and the name of the case."""

import os
from pathlib import Path

import numpy as np
from monai.data import MetaTensor
from torch import Tensor

from medseg.geometry import Geometry
from medseg.ingest.formats import find_suffix, strip_suffix

FIRST_CHANNEL = "_0000"
"""What nnU-Net adds to the name of a case in the name of the file of its first channel."""


CASE_NAME = "case_name"
"""The key of an image's meta data with the name of its case."""


def list_files(images: Tensor) -> list[str]:
    """The paths in the meta data of a `MetaTensor`, one per image; none for a plain tensor.

    Example:
        >>> list_files(torch.zeros(1, 1, 8, 8))
        []
    """
    files = getattr(images, "meta", {}).get("filename_or_obj", ())
    return [files] if isinstance(files, str) else list(map(str, files))


def get_case_name(path: Path) -> str:
    """The name of a folder, or of a file without the suffix of a volume or of DICOM.

    A volume file that ends in `_0000`, the first channel of a case by the names of nnU-Net, has the
    name of the case, so that its label map has the name that nnU-Net's evaluation looks for. Links
    are not followed: the name is the one that the user sees.

    Example:
        >>> get_case_name(Path("study/ct.nii.gz")), get_case_name(Path("imagesTs/ct_0000.nii.gz"))
        ('ct', 'ct')
    """
    name = os.path.basename(os.path.abspath(path))
    if os.path.isdir(path):
        return name
    stem = strip_suffix(name)
    return (stem.removesuffix(FIRST_CHANNEL) or stem) if find_suffix(name) else stem


def keep_case_name(image: Tensor, name: str) -> None:
    """Keep the name of its case with an image; a plain tensor keeps none."""
    if hasattr(image, "meta"):
        image.meta[CASE_NAME] = name


def find_case_name(images: Tensor) -> str:
    """The name of the case of an image, or of the only one of a batch: that it keeps, else that of
    its file, which it has to know."""
    kept = images.meta.get(CASE_NAME)  # type: ignore[attr-defined]
    if kept is None:
        return get_case_name(Path(list_files(images)[0]))
    return kept if isinstance(kept, str) else str(kept[0])


def get_source_geometry(image: MetaTensor) -> Geometry:
    """The grid of the file that an image came from, whatever was done to it since."""
    affine = np.asarray(image.meta["original_affine"], dtype=float)
    i, j, k = (int(n) for n in image.meta["spatial_shape"])
    return Geometry((i, j, k), affine)
