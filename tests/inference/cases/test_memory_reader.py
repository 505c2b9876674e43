"""Tests of medseg.inference.cases.memory_reader: an image in memory is taken with its grid."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from monai.transforms import EnsureChannelFirstd, LoadImaged

from medseg.geometry import Geometry
from medseg.inference.cases.memory_reader import MemoryReader, take_image
from medseg.ingest import load

AFFINE = np.array(
    [[0.0, 0.8, 0.0, -20.0], [-0.7, 0.0, 0.0, 31.0], [0.0, 0.0, 2.5, -400.0], [0, 0, 0, 1]]
)
ARRAY = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


@pytest.fixture
def file(tmp_path):
    image = nib.Nifti1Image(ARRAY, AFFINE)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "a.nii.gz")
    return tmp_path / "a.nii.gz"


@pytest.mark.parametrize("read", [nib.load, lambda f: SimpleITK.ReadImage(str(f))])
def test_an_image_of_another_library_is_what_its_file_is(read, file):
    array, geometry = take_image(read(file))
    expected, grid = load(file)
    np.testing.assert_array_equal(array, expected)
    assert geometry.same_grid(grid)


def test_a_picture_in_memory_is_one_slice():
    assert take_image(ARRAY[:, :, 0], AFFINE)[1].shape == (4, 5, 1)
    assert take_image(SimpleITK.GetImageFromArray(ARRAY[0]))[0].shape == (6, 5, 1)


@pytest.mark.parametrize(
    ("image", "affine", "error"),
    [
        (SimpleITK.Image([3, 3, 3], SimpleITK.sitkVectorUInt8, 3), None, ValueError),
        (SimpleITK.Image([3, 3, 3, 2], SimpleITK.sitkUInt8), None, ValueError),
        (nib.Nifti1Image(np.zeros((2, 2, 2, 3)), np.eye(4)), None, ValueError),
        (nib.Nifti1Image(ARRAY, AFFINE), np.eye(4), TypeError),
        (ARRAY.tolist(), AFFINE, TypeError),
    ],
)
def test_what_is_no_volume_is_refused(image, affine, error):
    with pytest.raises(error):
        take_image(image, affine)


def test_load_imaged_gets_what_is_held_and_nothing_afterwards():
    reader = MemoryReader()
    transform = LoadImaged("image", reader=reader)
    reader.hold(ARRAY, Geometry(ARRAY.shape, AFFINE))
    image = transform({"image": "any name"})["image"]
    np.testing.assert_array_equal(image.numpy(), ARRAY)
    np.testing.assert_allclose(image.affine.numpy(), AFFINE)
    reader.let_go()
    with pytest.raises(RuntimeError, match="holds no image"):
        reader.get_data(())


def test_channels_that_are_held_stay_channels():
    reader = MemoryReader()
    array = np.arange(48, dtype=np.float32).reshape(2, 2, 3, 4)
    reader.hold(array, Geometry((2, 3, 4), np.diag([1, 2, 3, 1.0])))
    image = EnsureChannelFirstd("image")(LoadImaged("image", reader=reader)({"image": "x"}))
    np.testing.assert_array_equal(image["image"].numpy(), array)
