"""Tests of medseg.datasets.own.read_label."""

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medseg.datasets.own.read_label import read_label, to_values
from medseg.ingest import IngestError


def test_a_volume_has_a_grid_and_a_picture_has_none(tmp_path):
    image = nib.Nifti1Image(np.full((2, 3, 4), 7, np.int16), np.eye(4))
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "a.nii.gz")
    label, grid = read_label(tmp_path / "a.nii.gz", "a")
    assert (label.dtype, grid.shape) == (np.uint8, (2, 3, 4))
    Image.fromarray(np.full((2, 3), 9, np.uint8)).save(tmp_path / "a.png")
    label, grid = read_label(tmp_path / "a.png", "a")
    assert (label.tolist(), grid) == ([[9, 9, 9], [9, 9, 9]], None)


def test_what_rounding_made_of_a_whole_number_counts_as_it():
    assert to_values(np.array([0.9999, 2.0]), "a").tolist() == [1, 2]


@pytest.mark.parametrize("value", [0.5, np.nan, -1, 256])
def test_other_values_are_refused(value):
    with pytest.raises(ValueError, match="case a: its label holds"):
        to_values(np.array([0, value]), "a")


def test_a_mask_in_equal_colours_is_grey_and_one_in_other_colours_is_refused(tmp_path):
    grey = np.full((2, 3), 9, np.uint8)
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / "a.png")
    assert read_label(tmp_path / "a.png", "a")[0].tolist() == grey.tolist()
    Image.fromarray(np.stack([grey, grey, 0 * grey], -1)).save(tmp_path / "b.png")
    with pytest.raises(IngestError, match="colours") as refused:
        read_label(tmp_path / "b.png", "b")
    assert "mask" in str(refused.value)


def test_a_mask_as_jpeg_is_refused_whatever_it_holds(tmp_path):
    Image.fromarray(np.full((2, 3), 9, np.uint8)).save(tmp_path / "a.JPG", "JPEG")
    with pytest.raises(ValueError, match=r"case a: its label a.JPG is a JPEG, which changes"):
        read_label(tmp_path / "a.JPG", "a")
