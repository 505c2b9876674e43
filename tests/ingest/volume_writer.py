"""Volumes for tests: the same voxels and grid in every format, written by SimpleITK and nibabel."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813  # its own idiom

from medseg.geometry import LPS_TO_RAS

DIRECTION = np.array([[0, -0.8, -0.6], [0, -0.6, 0.8], [-1, 0, 0]])
"""Of the axes in LPS, as columns: none along an axis of the patient twice."""

SPACING, ORIGIN = (0.75, 0.5, 1.25), (-1.0, -2.0, -3.0)

AFFINE_LPS = np.eye(4)
AFFINE_LPS[:3, :3] = DIRECTION * SPACING
AFFINE_LPS[:3, 3] = ORIGIN
AFFINE = LPS_TO_RAS @ AFFINE_LPS


def voxels(dtype=np.int16, shape=(4, 6, 5)):
    """Every voxel has a value of its own."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def itk_image(array):
    """SimpleITK's image of (I, J, K), on the grid of this module."""
    made = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    made.SetSpacing(SPACING)
    made.SetOrigin(ORIGIN)
    made.SetDirection(DIRECTION.ravel())
    return made


def write_volume(path, array=None, *, packed=False):
    """Write (I, J, K) in the format of the suffix; returns the path."""
    array = voxels() if array is None else array
    name = path.name.lower()
    if name.endswith((".mgz", ".mgh")):
        nib.save(nib.MGHImage(array, AFFINE), path)
    elif name.endswith((".hdr", ".img")):
        nib.save(nib.Nifti1Pair(array, AFFINE), path)
    else:
        sitk.WriteImage(itk_image(array), str(path), packed)
    return path


def edit(path, *changes, encoding="latin-1"):
    """Replace parts of a text header, and leave the voxels as they are."""
    content = path.read_bytes()
    for old, new in changes:
        assert old.encode(encoding) in content
        content = content.replace(old.encode(encoding), new.encode(encoding), 1)
    path.write_bytes(content)
    return path
