"""Source: the files that an image was read from, their grid, and the name of the case."""

import os
from pathlib import Path

import numpy as np
from monai.data import MetaTensor
from torch import Tensor

from medseg.geometry import Geometry
from medseg.ingest.formats import strip_suffix


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

    Links are not followed: the name is the one that the user sees.

    Example:
        >>> get_case_name(Path("study/ct.nii.gz"))
        'ct'
    """
    name = os.path.basename(os.path.abspath(path))
    return name if os.path.isdir(path) else strip_suffix(name)


def get_source_geometry(image: MetaTensor) -> Geometry:
    """The grid of the file that an image came from, whatever was done to it since."""
    affine = np.asarray(image.meta["original_affine"], dtype=float)
    i, j, k = (int(n) for n in image.meta["spatial_shape"])
    return Geometry((i, j, k), affine)
