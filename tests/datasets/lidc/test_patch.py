"""Tests of medseg.datasets.lidc.patch."""

import nibabel as nib
import numpy as np
import pytest

from medseg.datasets.lidc.patch import cut, list_planes
from medseg.geometry import Geometry
from medseg.ingest.dicom.pixels.rescale import CT_PADDING_HU

_SHAPE = (40, 36, 20)
_DICOM = np.array([[-0.8, 0, 0, 12], [0, -0.8, 0, 9], [0, 0, 2.5, -700], [0, 0, 0, 1.0]])


def _ramp(affine):
    """A volume whose HU are a linear function of the position."""
    geometry = Geometry(_SHAPE, affine)
    x, y, z = np.moveaxis(geometry.voxel_to_world(np.stack(np.indices(_SHAPE), axis=-1)), -1, 0)
    return np.rint(10 * x - 20 * y + 4 * z).astype(np.int16), geometry


def _centre(geometry):
    x, y, z = geometry.voxel_to_world((np.array(_SHAPE) - 1) / 2)
    return float(x), float(y), float(z)


@pytest.mark.parametrize("affine", [_DICOM, np.diag([0.8, 0.8, 2.5, 1.0])])
def test_a_patch_shows_each_point_of_the_patient_where_the_volume_has_it(affine):
    volume, geometry = _ramp(affine)
    mask = np.zeros(_SHAPE, np.uint8)
    patch = cut(volume, mask, geometry, centre_mm=_centre(geometry), size=16, spacing_mm=1.0)
    i, j, k = np.indices((16, 16, 16))
    x, y, z = (patch.affine[a, 3] + index for a, index in enumerate((i, j, k)))
    assert np.abs(patch.image - (10 * x - 20 * y + 4 * z)).max() <= 1  # each side is rounded
    assert nib.aff2axcodes(patch.affine) == ("R", "A", "S")
    assert patch.image.dtype == np.int16


def test_the_centre_of_the_cube_is_the_point_asked_for():
    volume, geometry = _ramp(_DICOM)
    patch = cut(volume, (volume > 0).astype(np.uint8), geometry, centre_mm=(1.0, 2.0, -680.0),
                size=9, spacing_mm=0.7)  # fmt: skip
    assert np.allclose(patch.affine @ [4, 4, 4, 1], [1, 2, -680, 1])
    assert np.allclose(np.diag(patch.affine), [0.7, 0.7, 0.7, 1])


def test_a_ball_keeps_its_volume_and_its_place():
    geometry = Geometry((64, 64, 40), np.diag([-0.75, -0.75, 1.25, 1.0]))
    centre = geometry.voxel_to_world((31.3, 30.6, 19.8))
    points = geometry.voxel_to_world(np.stack(np.indices(geometry.shape), axis=-1))
    mask = (np.linalg.norm(points - centre, axis=-1) < 9).astype(np.uint8)
    patch = cut(mask, mask, geometry, centre_mm=tuple(centre), size=32, spacing_mm=1.0)
    assert patch.label.sum() == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.02)
    found = patch.affine @ [*np.argwhere(patch.label).mean(axis=0), 1]
    assert np.allclose(found[:3], centre, atol=0.2 * 1.25)  # a fifth of the slice distance


def test_a_patch_on_the_grid_of_the_volume_is_a_crop_of_it():
    rng = np.random.default_rng(0)
    volume = rng.integers(-1000, 3000, _SHAPE).astype(np.int16)
    mask = rng.integers(0, 2, _SHAPE).astype(np.uint8)
    geometry = Geometry(_SHAPE, np.eye(4))
    patch = cut(volume, mask, geometry, centre_mm=(13.5, 13.5, 11.5), size=8, spacing_mm=1.0)
    box = (slice(10, 18), slice(10, 18), slice(8, 16))
    assert np.array_equal(patch.image, volume[box])
    assert np.array_equal(patch.label, mask[box])


def test_outside_the_volume_there_is_air_and_no_label():
    volume, mask = np.full(_SHAPE, 40, np.int16), np.ones(_SHAPE, np.uint8)
    patch = cut(volume, mask, Geometry(_SHAPE, np.eye(4)), centre_mm=(0, 0, 0), size=8,
                spacing_mm=1.0)  # fmt: skip
    outside = np.zeros((8, 8, 8), bool)
    outside[:3], outside[:, :3], outside[:, :, :3] = True, True, True  # centres at -3.5 to -1.5
    assert (patch.image[outside] == CT_PADDING_HU).all()
    assert not patch.label[outside].any()
    assert (patch.image[4:, 4:, 4:] == 40).all()
    assert patch.label[4:, 4:, 4:].all()


def test_values_beyond_int16_are_clipped_not_wrapped():
    volume = np.full(_SHAPE, 1e6, np.float32)
    patch = cut(volume, np.zeros(_SHAPE, np.uint8), Geometry(_SHAPE, np.eye(4)),
                centre_mm=(15, 15, 10), size=8, spacing_mm=1.0)  # fmt: skip
    assert (patch.image == 32767).all()


def test_the_planes_with_a_label_lie_where_they_lie_in_the_patch():
    volume, geometry = _ramp(_DICOM)
    mask = np.zeros(_SHAPE, np.uint8)
    mask[15:25, 15:22, 8:11] = 1
    patch = cut(volume, mask, geometry, centre_mm=_centre(geometry), size=24, spacing_mm=1.0)
    found = dict(list_planes(patch))
    assert list(found) == np.flatnonzero(patch.label.any(axis=(0, 1))).tolist()
    assert 6 <= len(found) <= 8  # three slices of 2.5 mm
    for k, plane in found.items():
        assert plane.image.shape == plane.label.shape == (24, 24, 1)
        assert np.array_equal(plane.image[..., 0], patch.image[:, :, k])
        assert np.array_equal(plane.label[..., 0], patch.label[:, :, k])
        assert np.allclose(plane.affine @ [3, 5, 0, 1], patch.affine @ [3, 5, k, 1])


def test_a_patch_without_a_label_has_no_planes():
    volume, geometry = _ramp(_DICOM)
    empty = np.zeros(_SHAPE, np.uint8)
    patch = cut(volume, empty, geometry, centre_mm=_centre(geometry), size=8, spacing_mm=1.0)
    assert not list(list_planes(patch))
