"""Tests of medseg.export.image_planes: each plane has the images that lie on it."""

from __future__ import annotations

import numpy as np
import pytest
from export.test_segmentation import KINDS, write_kind

from medseg.export import describe_source
from medseg.export.image_planes import find_images
from medseg.geometry import Geometry


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"resampled"}))
def test_slice_k_lies_on_plane_k(kind, tmp_path):
    series = write_kind(kind, tmp_path / "ct")
    found = find_images(describe_source(series), series.geometry)
    assert list(found) == list(range(series.geometry.shape[2]))
    for header, images in zip(series.slices, found.values(), strict=True):
        (image,) = images
        assert image.ReferencedSOPInstanceUID == header.instance
        frame = None if header.frame is None else header.frame + 1
        assert image.get("ReferencedFrameNumber") == frame


def test_planes_between_images_have_none(tmp_path):
    series = write_kind("resampled", tmp_path / "ct")
    assert list(find_images(describe_source(series), series.geometry)) == [0, 1, 3, 4]


def change(geometry, turn):
    """A grid with the same origin, turned or mirrored."""
    affine = geometry.affine.copy()
    affine[:3, :3] = affine[:3, :3] @ turn
    return Geometry(geometry.shape, affine)


def test_planes_across_the_images_have_none(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    across = change(series.geometry, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert find_images(describe_source(series), across) == {}


def test_a_mirrored_grid_has_the_image_of_its_first_plane(tmp_path):
    series = write_kind("oblique", tmp_path / "ct")
    mirrored = change(series.geometry, np.diag([1, 1, -1]))
    (image,) = find_images(describe_source(series), mirrored)[0]
    assert image.ReferencedSOPInstanceUID == series.slices[0].instance


def test_a_grid_beyond_the_images_has_none(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    affine = series.geometry.affine.copy()
    affine[:3, 3] = series.geometry.voxel_to_world([0, 0, 100])
    beyond = Geometry(series.geometry.shape, affine)
    assert find_images(describe_source(series), beyond) == {}
