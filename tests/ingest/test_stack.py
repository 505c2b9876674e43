"""Tests of medseg.ingest.stack: order, grid and the regularity of a stack of slices."""

from __future__ import annotations

import numpy as np
import pytest
from highdicom.image import get_volume_from_series
from ingest.dicom_writer import AXIAL, CORONAL, OBLIQUE, SAGITTAL, make_series, ramp, write_series

from medseg.ingest import Reason, Verdict, find_series, load

ORIENTATIONS = {"axial": AXIAL, "sagittal": SAGITTAL, "coronal": CORONAL, "oblique": OBLIQUE}


def verdict_of(slices, tmp_path):
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    return series


def shift(dataset, millimetres):
    """Move a slice along x, y, z."""
    position = np.array(dataset.ImagePositionPatient, dtype=float) + millimetres
    dataset.ImagePositionPatient = [round(float(v), 6) for v in position]


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_every_voxel_lies_where_highdicom_puts_it(orientation, tmp_path):
    slices = make_series(orientation=orientation)
    write_series(tmp_path, slices)
    array, geometry = load(tmp_path)
    oracle = get_volume_from_series(slices)

    voxels = np.argwhere(np.ones(array.shape, dtype=bool))
    world_lps = geometry.voxel_to_world(voxels) * (-1, -1, 1)
    indices = oracle.map_reference_to_indices(world_lps)
    np.testing.assert_allclose(indices, indices.round(), atol=1e-4)
    theirs = oracle.array[tuple(indices.round().astype(int).T)]
    np.testing.assert_array_equal(array[tuple(voxels.T)], theirs)


def test_the_affine_is_that_of_the_standard(tmp_path):
    """PS3.3 C.7.6.2.1.1 by hand: first index along a row, second down a column; LPS to RAS."""
    series = verdict_of(make_series(), tmp_path)
    expected = np.array([[-0.75, 0, 0, 10], [0, -0.5, 0, -20], [0, 0, 1.25, -30], [0, 0, 0, 1]])
    np.testing.assert_allclose(series.geometry.affine, expected)
    assert series.geometry.shape == (4, 6, 5)
    assert series.geometry.orientation == "LPS"


def test_position_orders_the_slices_not_instance_number_or_file_name(tmp_path):
    slices = make_series()
    for number, dataset in zip((3, 1, 5, 2, 2), slices, strict=True):
        dataset.InstanceNumber = number
    paths = write_series(tmp_path, slices, shuffle_seed=3)
    (series,) = find_series(tmp_path)
    assert list(series.files) == paths
    np.testing.assert_array_equal(load(tmp_path)[0], ramp().transpose(2, 1, 0) - 1024)


@pytest.mark.parametrize("number", [None, 1])
def test_instance_numbers_that_are_absent_or_all_alike_do_not_matter(number, tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.InstanceNumber = number
        if number is None:
            del dataset.InstanceNumber
    write_series(tmp_path, slices)
    np.testing.assert_array_equal(load(tmp_path)[0], ramp().transpose(2, 1, 0) - 1024)


def test_slices_written_downwards_give_the_same_volume(tmp_path):
    """The normal decides; a stack that was acquired feet first is not mirrored."""
    slices = make_series()
    write_series(tmp_path / "up", slices)
    write_series(tmp_path / "down", slices[::-1], shuffle_seed=None)
    up, down = load(tmp_path / "up"), load(tmp_path / "down")
    np.testing.assert_array_equal(up[0], down[0])
    assert up[1] == down[1]


def test_a_missing_slice_is_refused_with_the_gaps(tmp_path):
    slices = make_series(ramp((8, 6, 4)))
    del slices[3:5]
    series = verdict_of(slices, tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.MISSING_SLICES)
    assert series.message == (
        "slice spacing varies from 1.25 to 3.75 mm (tolerance 1%) in series "
        f"{slices[0].SeriesInstanceUID}: slices are missing; export it again from its "
        "source, or pass resample=True to interpolate"
    )
    assert series.geometry is None


def test_uneven_spacing_is_refused_with_the_gaps(tmp_path):
    slices = make_series()
    shift(slices[2], (0, 0, 0.3))
    series = verdict_of(slices, tmp_path)
    assert series.reason is Reason.UNEVEN_SPACING
    assert "from 0.95 to 1.55 mm" in series.message


def test_one_percent_of_jitter_is_accepted_and_more_is_not(tmp_path):
    for name, jitter, reason in [("in", 0.006, Reason.OK), ("out", 0.014, Reason.UNEVEN_SPACING)]:
        slices = make_series()
        shift(slices[2], (0, 0, jitter))
        assert verdict_of(slices, tmp_path / name).reason is reason


def test_a_change_of_spacing_within_the_jitter_still_has_to_stay_on_the_grid(tmp_path):
    """Each gap is within 1 %, yet the middle drifts by 60 * 0.0055 / 2 mm from an even grid."""
    slices = make_series(ramp((121, 2, 2)))
    for k, dataset in enumerate(slices):
        shift(dataset, (0, 0, 0.0055 * max(0, k - 60)))
    series = verdict_of(slices, tmp_path)
    assert series.reason is Reason.UNEVEN_SPACING
    assert "0.165 mm off a regular grid" in series.message


def test_two_phases_under_one_uid_are_refused(tmp_path):
    slices = make_series(uid="1.2.3") + make_series(uid="1.2.3")
    for dataset in slices:
        dataset.FrameOfReferenceUID = slices[0].FrameOfReferenceUID
    series = verdict_of(slices, tmp_path)
    assert series.reason is Reason.DUPLICATE_POSITIONS
    assert "10 slices at 5 positions, 2 at -30 mm in series 1.2.3" in series.message


def test_a_duplicated_slice_is_refused(tmp_path):
    slices = make_series()
    slices[3].ImagePositionPatient = slices[2].ImagePositionPatient
    assert verdict_of(slices, tmp_path).reason is Reason.DUPLICATE_POSITIONS


@pytest.mark.parametrize("orientation", [AXIAL, OBLIQUE])
def test_a_tilted_gantry_is_refused_with_its_angle(orientation, tmp_path):
    slices = make_series(orientation=orientation)
    along_columns = np.array(orientation[3:])
    for k, dataset in enumerate(slices):
        shift(dataset, along_columns * k * 1.25 * np.tan(np.radians(12)))
    series = verdict_of(slices, tmp_path)
    assert series.reason is Reason.TILTED_STACK
    assert "12 degrees off their normal" in series.message


def test_rounding_of_positions_is_no_tilt(tmp_path):
    """0.2 degrees, but only 0.005 mm in all, a hundredth of a pixel."""
    slices = make_series(ramp((2, 6, 4)))
    shift(slices[1], (0.005, 0, 0))
    assert verdict_of(slices, tmp_path).verdict is Verdict.ACCEPT


def test_one_slice_is_repaired_with_its_thickness(tmp_path):
    series = verdict_of(make_series(ramp((1, 6, 4))), tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.SINGLE_SLICE)
    assert series.geometry.shape == (4, 6, 1)
    assert series.geometry.spacing_mm == pytest.approx((0.75, 0.5, 1.25))


def test_one_slice_without_thickness_is_refused(tmp_path):
    slices = make_series(ramp((1, 6, 4)))
    slices[0].SliceThickness = None
    assert verdict_of(slices, tmp_path).reason is Reason.NO_SLICE_SPACING
