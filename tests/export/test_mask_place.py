"""Tests of medseg.export.mask_place: a mask on a wrong grid is refused, and on another one not."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from export.test_segmentation import ALGORITHM, LABELS, draw_mask, read_by_highdicom, write_kind
from ingest.dicom_writer import make_series, write_series

from medseg.export import describe_source, write_parametric_map, write_rtstruct, write_seg
from medseg.export.mask_place import check_place, find_high
from medseg.geometry import Geometry
from medseg.ingest import find_series

WRITERS = {
    "seg": partial(write_seg, labels=LABELS),
    "fractional": partial(write_seg, labels=LABELS, segmentation_type="FRACTIONAL"),
    "rtstruct": partial(write_rtstruct, labels=LABELS),
    "map": write_parametric_map,
}


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return write_kind("oblique", tmp_path_factory.mktemp("place") / "ct")


def shift(geometry, mm):
    affine = geometry.affine.copy()
    affine[:3, 3] += mm
    return Geometry(geometry.shape, affine)


def mirror(geometry):
    """The grid of an array that was turned round along its first axis."""
    affine = geometry.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (geometry.shape[0] - 1)
    affine[:3, 0] *= -1
    return Geometry(geometry.shape, affine)


def mirror_about_the_first_voxel(geometry):
    affine = geometry.affine.copy()
    affine[:3, 0] *= -1
    return Geometry(geometry.shape, affine)


WRONG = {
    "forgotten": lambda grid: shift(Geometry(grid.shape, np.eye(4)), 0),
    "5 m away": partial(shift, mm=5000),
    "500 mm away": partial(shift, mm=500),
    "mirrored": mirror_about_the_first_voxel,
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_mask_outside_its_images_is_refused_and_not_written(series, kind, wrong, tmp_path):
    mask = draw_mask(series.geometry.shape)
    mask[0, 0, 0] = 0
    values = {"map": mask * 0.4, "fractional": np.stack([mask == 1, mask == 2]) * 0.9}
    with pytest.raises(ValueError, match=r"% of the mask lies outside .*: give the geometry"):
        WRITERS[kind](
            values.get(kind, mask),
            tmp_path / "made.dcm",
            source=series,
            geometry=WRONG[wrong](series.geometry),
            algorithm=ALGORITHM,
        )
    assert not (tmp_path / "made.dcm").exists()


def find_images_at(folder, origin):
    """The images of a CT of 40 x 48 x 60 mm, in voxels of 2 x 2 x 5 mm."""
    stored = np.zeros((12, 24, 20), np.int16)
    slices = make_series(stored, origin=origin, pixel_spacing_mm=(2.0, 2.0), step_mm=5.0)
    slices[0].StudyInstanceUID = "1.2.840.1"
    write_series(folder, slices)
    (series,) = find_series(folder)
    return describe_source(series)


@pytest.fixture(scope="module")
def in_a_scanner(tmp_path_factory):
    """Images around 0, 0, 0 mm, as those of scanners are."""
    return find_images_at(tmp_path_factory.mktemp("scanner") / "ct", (-19.5, -23.5, -10.0))


LAST = np.diag([0.0, 0, 0, 1])
FORGOTTEN = {
    "identity": lambda grid: (grid.shape, np.eye(4)),
    "of ITK": lambda grid: (grid.shape, np.diag([-1.0, -1, 1, 1])),
    "turned": lambda grid: (grid.shape[::-1], np.eye(4)),
    "spacing alone": lambda grid: (grid.shape, np.diag([*grid.spacing_mm, 1])),
    "all but the origin": lambda grid: (grid.shape, grid.affine * [1, 1, 1, 0] + LAST),
}


@pytest.mark.parametrize("forgotten", FORGOTTEN)
def test_a_forgotten_affine_within_the_images_is_refused(in_a_scanner, forgotten):
    grid = Geometry(*FORGOTTEN[forgotten](in_a_scanner.geometry))
    mask = np.zeros(grid.shape, np.uint8)
    mask[:4, :4, :2] = 1
    with pytest.raises(ValueError, match=r"begins at 0, 0, 0 mm, .*: give the geometry"):
        check_place(mask, grid, in_a_scanner)


def test_other_grids_within_images_of_a_scanner_are_accepted(in_a_scanner):
    grid = in_a_scanner.geometry
    around_zero = grid.affine.copy()
    around_zero[:3, 3] = 0
    i, j, k = grid.shape
    fine = grid.affine @ np.diag([0.5, 0.5, 0.2, 1])
    angle = np.radians(20)
    oblique = grid.affine.copy()
    oblique[:3, :3] = [
        [-np.cos(angle) * 2, np.sin(angle) * 2, 0],
        [-np.sin(angle) * 2, -np.cos(angle) * 2, 0],
        [0, 0, 5],
    ]
    turned = grid.affine[:, [2, 1, 0, 3]]
    for kept in (
        mirror(grid),
        Geometry((k, j, i), turned),
        Geometry((5, 6, 4), around_zero),
        Geometry((2 * i, 2 * j, 5 * k), fine),
        Geometry((8, 8, 8), np.diag([1.0, 1, 1, 1])),
        Geometry(grid.shape, oblique),
    ):
        check_place(np.ones(kept.shape, np.uint8), kept, in_a_scanner)


def test_images_that_begin_at_zero_may_have_masks_that_begin_there(tmp_path):
    images = find_images_at(tmp_path / "ct", (0.0, 0.0, 0.0))
    grid = images.geometry
    half = Geometry(grid.shape, grid.affine @ np.diag([0.5, 0.5, 0.5, 1]))
    check_place(np.ones(grid.shape), half, images)


@pytest.mark.parametrize("wrong", ["forgotten", "5 m away", "500 mm away"])
def test_an_empty_mask_beside_its_images_is_refused(series, wrong):
    mask = np.zeros(series.geometry.shape, np.uint8)
    with pytest.raises(ValueError, match="100 % of the mask"):
        check_place(mask, WRONG[wrong](series.geometry), describe_source(series))


def test_a_mirrored_mask_on_its_own_grid_is_written_in_its_place(series, tmp_path):
    mask = draw_mask(series.geometry.shape)
    write_seg(
        mask[::-1],
        tmp_path / "seg.dcm",
        source=series,
        geometry=mirror(series.geometry),
        labels=LABELS,
        algorithm=ALGORITHM,
    )
    np.testing.assert_array_equal(read_by_highdicom(tmp_path / "seg.dcm", series.geometry), mask)


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_half_of_a_mask_may_lie_outside(series, share):
    n = series.geometry.shape[0]
    mask = np.zeros(series.geometry.shape, np.uint8)
    mask[:, 3, 1] = 1
    mask[-1, 0, 0] = 2
    moved = shift(series.geometry, series.geometry.affine[:3, 0] * round(share * n))
    if share < 0.5:
        check_place(mask, moved, describe_source(series))
    else:
        with pytest.raises(ValueError, match="% of the mask lies outside"):
            check_place(mask, moved, describe_source(series))


def test_cropped_padded_finer_and_empty_masks_are_accepted(series):
    images, grid = describe_source(series), series.geometry
    i, j, k = grid.shape
    padded = shift(grid, -3 * grid.affine[:3, :3].sum(axis=1))
    check_place(np.ones((2, 3, 1)), Geometry((2, 3, 1), grid.affine), images)
    background = np.full((i + 6, j + 6, k + 6), 1e-6)
    background[5:9, 5:9, 4:6] = 0.8
    check_place(find_high(background), Geometry(background.shape, padded.affine), images)
    fine = grid.affine @ np.diag([0.5, 0.5, 0.5, 1])
    check_place(np.ones((2 * i, 2 * j, 2 * k)), Geometry((2 * i, 2 * j, 2 * k), fine), images)
    check_place(np.zeros((4, 4, 4)), Geometry((4, 4, 4), grid.affine), images)
