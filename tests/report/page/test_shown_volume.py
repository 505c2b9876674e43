"""Tests of medseg.report.page.shown_volume: a smaller volume shows each place where it was."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.report.page.shown_volume import HU_RANGE, MOST_STEPS, shrink_volume

OBLIQUE = np.array(
    [[-0.78, 0.1, 0.3, 40.0], [0.15, 0.79, -0.4, -60.0], [-0.1, 0.25, 1.9, 12.0], [0, 0, 0, 1.0]]
)

TURNED = np.array([[0.8, -0.6, 0, 9.0], [0.6, 0.8, 0, -7.0], [0, 0, -1, 3.0], [0, 0, 0, 1.0]])


def unpack(file):
    return nib.Nifti1Image.from_bytes(gzip.decompress(file))


def make(shape, *, affine=None, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(-900, 900, shape).astype(np.int16)
    return (
        image,
        np.zeros(shape, np.uint8),
        Geometry(shape, np.eye(4) if affine is None else affine),
    )


def test_a_small_volume_comes_back_as_it_is():
    image, mask, geometry = make((7, 6, 5), affine=OBLIQUE)
    mask[1:3, 2, 3] = 2
    shown = shrink_volume(image, mask, geometry, unit="HU")
    assert shown.shrink == (1, 1, 1)
    np.testing.assert_array_equal(unpack(shown.image).get_fdata(), image)
    np.testing.assert_array_equal(np.asarray(unpack(shown.mask).dataobj), mask)
    for file in (shown.image, shown.mask):
        np.testing.assert_allclose(unpack(file).affine, geometry.affine, atol=1e-5)
        assert int(unpack(file).header["vox_offset"]) in (0, 352)
        raw = gzip.decompress(file)
        assert np.frombuffer(raw[108:112], "<f4")[0] == 352
    assert shown.kept == {0, 2}


def test_a_block_becomes_its_mean_in_its_middle():
    image, mask, geometry = make((8, 6, 4), affine=TURNED)
    shown = shrink_volume(image, mask, geometry, unit="HU", most_voxels=24)
    assert shown.shrink == (2, 2, 2)
    means = image.reshape(4, 2, 3, 2, 2, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(unpack(shown.image).get_fdata(), means, atol=0.5)
    middle = geometry.voxel_to_world([0.5, 0.5, 0.5])
    np.testing.assert_allclose(shown.geometry.origin_mm, middle)


@pytest.mark.parametrize("most_voxels", [1000, 300, 100, 30])
@pytest.mark.parametrize("affine", [np.eye(4), OBLIQUE, np.diag([-1, 1, 3, 1.0])])
def test_a_structure_keeps_its_place_within_half_a_shown_voxel(most_voxels, affine):
    image, mask, geometry = make((20, 22, 18), affine=affine)
    mask[4:13, 6:16, 3:14] = 1
    shown = shrink_volume(image, mask, geometry, most_voxels=most_voxels)
    small = unpack(shown.mask)
    assert np.prod(small.shape) <= most_voxels
    before = geometry.voxel_to_world(np.argwhere(mask).mean(axis=0))
    found = np.argwhere(np.asarray(small.dataobj)).mean(axis=0)
    after = shown.geometry.voxel_to_world(found)
    offset = np.linalg.inv(shown.geometry.affine[:3, :3]) @ (after - before)
    assert np.abs(offset).max() <= 0.5


def test_the_last_voxels_are_shown_where_blocks_do_not_fill_a_volume():
    image, mask, geometry = make((5, 4, 4))
    mask[4] = 3
    image[4] = 800
    shown = shrink_volume(image, mask, geometry, unit="HU", most_voxels=20)
    assert unpack(shown.image).shape == (3, 2, 2)
    assert unpack(shown.image).get_fdata()[2].min() == 800
    assert np.asarray(unpack(shown.mask).dataobj)[2].min() == 3


def test_of_two_labels_as_frequent_the_larger_is_shown_and_background_least():
    image, mask, geometry = make((2, 2, 2))
    mask[0] = 2
    shown = shrink_volume(image, mask, geometry, most_voxels=1)
    assert np.asarray(unpack(shown.mask).dataobj).tolist() == [[[2]]]


def test_voxels_are_joined_where_they_are_short():
    image, mask, geometry = make((16, 16, 8), affine=np.diag([0.5, 0.5, 2.0, 1]))
    assert shrink_volume(image, mask, geometry, most_voxels=512).shrink == (2, 2, 1)


def test_a_label_that_is_lost_is_not_among_those_kept():
    image, mask, geometry = make((12, 12, 12))
    mask[:6] = 1
    mask[9, 9, 9] = 2
    shown = shrink_volume(image, mask, geometry, most_voxels=64)
    assert shown.kept == {0, 1}


def test_values_of_a_ct_beyond_its_range_are_shown_as_its_ends():
    image, mask, geometry = make((3, 3, 3))
    image[0], image[1] = -3024, 20000
    found = unpack(shrink_volume(image, mask, geometry, unit="HU").image).get_fdata()
    assert (found[0].max(), found[1].min()) == HU_RANGE


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, np.uint16, np.int32, np.float16, np.int64]
)
def test_values_of_any_kind_come_back_within_a_step(dtype):
    rng = np.random.default_rng(1)
    values = np.linspace(0, 60000, 30**3)
    image = rng.permutation(values).reshape(30, 30, 30).astype(dtype)
    mask, geometry = np.zeros(image.shape, np.uint8), Geometry(image.shape, np.eye(4))
    found = unpack(shrink_volume(image, mask, geometry).image).get_fdata()
    within = (image > 100) & (image < 59900)
    step = 60000 / MOST_STEPS
    assert np.abs(found - image)[within].max() <= step


@pytest.mark.parametrize("value", [0.0, -7.5, 1e6, 3e-5])
def test_a_constant_image_is_shown(value):
    image, mask = np.full((4, 4, 4), value), np.zeros((4, 4, 4), np.uint8)
    shown = shrink_volume(image, mask, Geometry(image.shape, np.eye(4)))
    np.testing.assert_allclose(unpack(shown.image).get_fdata(), value, rtol=1e-6)


def test_one_bright_voxel_leaves_the_others_apart():
    image = np.linspace(0, 1, 1000).reshape(10, 10, 10)
    image[0, 0, 0] = 1e9
    mask, geometry = np.zeros(image.shape, np.uint8), Geometry(image.shape, np.eye(4))
    found = unpack(shrink_volume(image, mask, geometry).image).get_fdata()
    assert len(np.unique(found)) > 900


def test_a_volume_that_packs_badly_becomes_coarser():
    image, mask, geometry = make((24, 24, 24))
    fine = shrink_volume(image, mask, geometry)
    most = len(fine.image) // 3
    coarse = shrink_volume(image, mask, geometry, most_bytes=most)
    assert len(coarse.image) + len(coarse.mask) <= most
    assert max(coarse.shrink) > 1


def test_the_3d_view_has_the_box_of_the_structures_in_its_place():
    image, mask, geometry = make((30, 28, 26), affine=OBLIQUE)
    mask[10:14, 20:23, 4:9] = 3
    solid = unpack(shrink_volume(image, mask, geometry).solid)
    found = np.argwhere(np.asarray(solid.dataobj) == 3)
    assert len(found) == 4 * 3 * 5
    assert solid.shape == (8, 7, 9)
    before = geometry.voxel_to_world([10, 20, 4])
    np.testing.assert_allclose(nib.affines.apply_affine(solid.affine, found[0]), before, atol=1e-4)


def test_without_a_structure_there_is_no_3d_view():
    image, mask, geometry = make((4, 4, 4))
    assert shrink_volume(image, mask, geometry).solid is None


def test_a_single_slice_is_shown():
    image, mask, geometry = make((30, 30, 1))
    assert unpack(shrink_volume(image, mask, geometry, most_voxels=300).image).shape[2] == 1


def test_volumes_of_two_shapes_are_refused():
    image, mask, geometry = make((3, 3, 3))
    with pytest.raises(ValueError, match="give those of one image"):
        shrink_volume(image[1:], mask, geometry)
