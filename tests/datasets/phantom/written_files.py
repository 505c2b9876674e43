"""Read the files of a phantom in tests."""

import nibabel as nib
import numpy as np
import pydicom
from PIL import Image

CASES, TEST_CASES, SIZE, SLICES = 3, 2, 64, 24  # of the fixture ct_root


def read_picture(path):
    return np.asarray(Image.open(path))


def find_files(ct_root, kind):
    """The volumes of a CT phantom, of kind "images" or "labels"."""
    return sorted([*ct_root.glob(f"{kind}Tr/*.nii.gz"), *ct_root.glob(f"{kind}Ts/*.nii.gz")])


def load_ras(path):
    """A volume in RAS+ order, and its affine."""
    image = nib.as_closest_canonical(nib.load(path))
    return np.asanyarray(image.dataobj), image.affine


def load_pairs(ct_root):
    """The image and the labels of each case of a CT phantom, in RAS+ order."""
    images, labels = find_files(ct_root, "images"), find_files(ct_root, "labels")
    return [(load_ras(a)[0], load_ras(b)[0]) for a, b in zip(images, labels, strict=True)]


def read_headers(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
