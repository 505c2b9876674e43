"""Tests of medseg.ingest.channels: volumes of one case on one grid."""

import nibabel as nib
import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.ingest import IngestError
from medseg.ingest.channels import load_channels, resample_onto, stack_channels


def save(path, array, affine=None):
    image = nib.Nifti1Image(np.asarray(array), np.eye(4) if affine is None else affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


RANDOM = np.random.default_rng(0)
A, B = (RANDOM.integers(0, 99, (6, 5, 4)).astype(np.int16) for _ in "ab")


def test_files_are_channels_in_their_order(tmp_path):
    paths = [save(tmp_path / "a.nii", A), save(tmp_path / "b.nii", B)]
    array, grid, done = load_channels(paths)
    np.testing.assert_array_equal(array, [A, B])
    assert (grid.shape, done) == ((6, 5, 4), "")


def test_the_volumes_of_a_file_are_channels_with_its_scaling(tmp_path):
    image = nib.Nifti1Image(np.stack([A, B], axis=-1), np.eye(4))
    image.header.set_slope_inter(2, 1)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "ab.nii.gz")
    expected = np.moveaxis(nib.load(tmp_path / "ab.nii.gz").get_fdata(), -1, 0)
    np.testing.assert_allclose(load_channels([tmp_path / "ab.nii.gz"])[0], expected, rtol=1e-6)


def test_a_channel_on_another_grid_is_refused_or_laid_onto_the_first(tmp_path):
    fine = save(tmp_path / "fine.nii", np.add.outer(np.arange(8.0), np.zeros((4, 4))))
    affine = np.diag([2.0, 1, 1, 1])
    coarse = save(tmp_path / "coarse.nii", np.add.outer(np.arange(4.0), np.zeros((4, 4))), affine)
    with pytest.raises(IngestError, match=r"lie on different grids, shape .*--resample_channels"):
        load_channels([fine, coarse])
    array, _, done = load_channels([fine, coarse], resample=True)
    assert array[1, :7, 0, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert done == "channel 2 onto the grid of the first, 100% covered"


def test_a_line_in_the_world_stays_one_on_a_turned_and_shifted_grid():
    own = Geometry(
        (9, 8, 7), np.array([[0, 0, 2, -3], [1.5, 0, 0, 1], [0, -1, 0, 9], [0, 0, 0, 1.0]])
    )
    target = Geometry(
        (3, 3, 3), np.diag([1.0, 2, 1, 1]) + np.eye(4, 4, 3) @ np.diag([0, 0, 0, 1.0])
    )
    line = np.array([2.0, -1, 3])

    def evaluate(grid):
        return grid.voxel_to_world(np.moveaxis(np.indices(grid.shape), 0, -1)) @ line

    laid = resample_onto(evaluate(own), own, target)
    inside = own.world_to_voxel(target.voxel_to_world(np.moveaxis(np.indices((3, 3, 3)), 0, -1)))
    within = ((inside >= 0) & (inside <= np.array(own.shape) - 1)).all(axis=-1)
    assert within.sum() > 5
    np.testing.assert_allclose(laid[within], evaluate(target)[within], atol=1e-4)


def test_where_a_channel_does_not_reach_it_has_its_lowest_value():
    own = Geometry((4, 1, 1), np.eye(4))
    target = Geometry((7, 1, 1), np.eye(4))
    laid = resample_onto(np.array([5.0, 6, 7, 8]).reshape(4, 1, 1), own, target)
    assert laid.ravel().tolist() == [5, 6, 7, 8, 8, 5, 5]


def test_a_channel_of_another_place_is_refused(tmp_path):
    far = np.eye(4)
    far[0, 3] = 4
    grids = [Geometry((6, 5, 4), np.eye(4)), Geometry((6, 5, 4), far)]
    with pytest.raises(IngestError, match=r"b covers only 33% of a: check that both are of one"):
        stack_channels([A, B], grids, names=["a", "b"], resample=True)


def test_a_file_of_several_volumes_is_no_channel_among_others(tmp_path):
    paths = [save(tmp_path / "a.nii", A), save(tmp_path / "ab.nii", np.stack([A, B], -1))]
    with pytest.raises(IngestError, match="has 2 volumes, and is one of 2 channels"):
        load_channels(paths)


def test_a_channel_with_the_same_voxels_along_other_axes_is_turned_without_being_asked(tmp_path):
    flipped = np.diag([-1.0, 1, 1, 1])
    flipped[0, 3] = 5
    paths = [save(tmp_path / "a.nii", A), save(tmp_path / "b.nii", B[::-1], flipped)]
    array, _, done = load_channels(paths)
    np.testing.assert_array_equal(array, [A, B])
    assert (array.dtype, done) == (np.int16, "")
