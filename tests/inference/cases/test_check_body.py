"""Tests of medseg.inference.cases.check_body: a CT is that of a patient, and of the right part."""

import numpy as np
import pytest
import torch
from inference.cases.test_check_image import checked, image
from plausibility.scans import make_scan

from medseg.inference import CheckImaged
from medseg.inference.outputs.notes import read_notes


def test_a_chest_is_no_abdomen_and_an_abdomen_with_lungs_is_one():
    """40 slices of 2.5 mm; a stack too low to say is a warning."""
    with pytest.raises(ValueError, match="a CT of the chest: in 100 mm every slice shows lung"):
        checked(make_scan(lungs=40), body_part=["ABDOMEN"])
    checked(make_scan(lungs=40), body_part=["CHEST"])
    assert not read_notes(checked(make_scan(lungs=30), body_part=["ABDOMEN"]))
    low = checked(make_scan(lungs=40)[..., -19:], body_part=["ABDOMEN"])
    assert "every slice shows lung" in read_notes(low)[0]


def test_half_a_chest_is_refused_and_a_scan_in_lung_coloured_air_is_none():
    with pytest.raises(ValueError, match="in 60 mm every slice shows lung"):
        checked(make_scan(lungs=40)[..., -24:], body_part=["ABDOMEN"])
    air = np.where(make_scan() < -500, -850, make_scan())
    assert not read_notes(checked(air, body_part=["ABDOMEN"]))


def test_a_ct_of_impossible_size_is_refused_as_it_lies_in_its_file():
    meters = np.diag([0.001, 0.001, 0.0025, 1])
    header = {"original_affine": meters, "spatial_shape": np.array([32, 32, 40])}
    with pytest.raises(ValueError, match=r"stated in another unit: .* 0\.001 mm"):
        checked(make_scan(), header=header)


@pytest.mark.parametrize(
    ("times", "words"), [(28, "4516 cm2, more than 3500 cm2"), (1, "24 mm wide")]
)
def test_a_body_of_impossible_size_is_refused_with_its_size(times, words):
    """24 voxels wide."""
    grid = np.diag([times, times, 2.5, 1.0])
    values = image(make_scan(), original_affine=grid, spatial_shape=np.array([32, 32, 40]))
    values.affine = torch.tensor(grid)
    with pytest.raises(ValueError, match=f"in another unit: .*{words}"):
        CheckImaged("image", modality="CT", body_part=["ABDOMEN"])({"image": values})


def test_shifted_values_thick_slices_and_a_turned_patient_are_warned_of():
    assert "the median of the body is 2" in read_notes(checked(make_scan() + 200))[0]
    thick = {"original_affine": np.diag([1.0, 1, 16, 1]), "spatial_shape": np.array([32, 32, 40])}
    assert "16 mm apart" in read_notes(checked(make_scan(), header=thick))[0]
    spine = make_scan()
    spine[:, 14:18, 20:24] = 1000  # at the front
    for parts in (["ABDOMEN"], ["CHEST"]):
        assert "front and back" in read_notes(checked(spine, body_part=parts))[0]
        assert not read_notes(checked(spine[:, :, ::-1], body_part=parts))
    assert not read_notes(checked(spine, body_part=["HEAD"]))
