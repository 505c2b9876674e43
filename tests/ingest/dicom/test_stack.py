"""Tests of medseg.ingest.dicom.stack: order, grid and the regularity of a stack of slices."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from highdicom.image import get_volume_from_series
from ingest.dicom_writer import AXIAL, CORONAL, OBLIQUE, SAGITTAL, make_series, ramp, write_series

from medseg.ingest import Reason, Verdict, find_series, load
from medseg.ingest.dicom.stack import ROUNDING_MM

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
    """Steps 0 1 2 5 6 7 lie 2/3 about the line of slope 5/3 through (0, 0) and (3, 5), shifted."""
    slices = make_series(ramp((8, 6, 4)))
    del slices[3:5]
    series = verdict_of(slices, tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.MISSING_SLICES)
    assert series.message == (
        "slice spacing varies from 1.25 to 3.75 mm, slices lie up to 0.833 mm off a regular grid "
        f"(tolerance 0.05 mm) in series {slices[0].SeriesInstanceUID}: slices are missing; "
        "export it again from its source, or pass --resample True to "
        "interpolate"
    )
    assert series.geometry is None


def test_uneven_spacing_is_refused_with_the_gaps(tmp_path):
    slices = make_series()
    shift(slices[2], (0, 0, 0.3))
    series = verdict_of(slices, tmp_path)
    assert series.reason is Reason.UNEVEN_SPACING
    assert "from 0.95 to 1.55 mm" in series.message


def rounded(dataset, decimals):
    """Write the position with fewer decimals, halves away from zero as C's printf of x.5 may."""
    texts = [Decimal(str(v)) for v in dataset.ImagePositionPatient]
    unit = Decimal(1).scaleb(-decimals)
    dataset.ImagePositionPatient = [str(v.quantize(unit, ROUND_HALF_UP)) for v in texts]


@pytest.mark.parametrize("origin_mm", [(0, 0, 0), (-10.0, 20.0, -30.0), (1.7, 0.3, 12.5)])
@pytest.mark.parametrize(("step_mm", "decimals"), [(0.625, 2), (1.25, 1), (0.75, 1), (0.45, 1)])
def test_positions_written_with_few_decimals_are_regular(step_mm, decimals, origin_mm, tmp_path):
    """An even number of steps ends on a written decimal, so the mean step is exact."""
    slices = make_series(ramp((41, 2, 2)), step_mm=step_mm, origin=origin_mm)
    for dataset in slices:
        rounded(dataset, decimals)
    series = verdict_of(slices, tmp_path)
    assert (series.verdict, series.notes) == (Verdict.ACCEPT, ())
    assert series.geometry.spacing_mm[2] == pytest.approx(step_mm, abs=1e-9)
    assert series.geometry.origin_mm[2] == pytest.approx(origin_mm[2], abs=ROUNDING_MM)


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
@pytest.mark.parametrize("step_mm", [1 / 3, 1.2345])
def test_no_slice_is_farther_off_than_its_coordinates_are_rounded(orientation, step_mm, tmp_path):
    """Steps that beat with the last decimal in every way."""
    slices = make_series(ramp((90, 2, 2)), step_mm=step_mm, orientation=orientation)
    for dataset in slices:
        rounded(dataset, 2)
    series = verdict_of(slices, tmp_path)
    assert series.verdict is Verdict.ACCEPT
    places = series.geometry.voxel_to_world([(0, 0, k) for k in range(90)]) * (-1, -1, 1)
    written = [s.position for s in series.slices]
    assert np.abs(places - written).max() <= ROUNDING_MM
    assert series.geometry.spacing_mm[2] == pytest.approx(step_mm, abs=2 * 0.005 / 89 * np.sqrt(3))


def test_a_grid_through_the_first_and_last_slice_gives_way_to_the_nearest_one(tmp_path):
    """The ends are 0.04 mm up and the others as much down: a line through the ends is 0.08 off."""
    slices = make_series()
    for dataset, mm in zip(slices, (0.04, -0.04, -0.04, -0.04, 0.04), strict=True):
        shift(dataset, (0, 0, mm))
    series = verdict_of(slices, tmp_path)
    assert series.verdict is Verdict.ACCEPT
    assert series.geometry.spacing_mm[2] == pytest.approx(1.25)
    assert series.geometry.origin_mm[2] == pytest.approx(-30)


@pytest.mark.parametrize("decimals", [1, 2])
def test_a_missing_slice_of_rounded_positions_is_still_missing(decimals, tmp_path):
    slices = make_series(ramp((12, 2, 2)))
    for dataset in slices:
        rounded(dataset, decimals)
    del slices[5]
    assert verdict_of(slices, tmp_path).reason is Reason.MISSING_SLICES


def at(depths_mm):
    """One slice at each depth, as written."""
    slices = make_series(ramp((len(depths_mm), 2, 2)))
    for dataset, z in zip(slices, depths_mm, strict=True):
        dataset.ImagePositionPatient = ["0", "0", str(z)]
    return slices


@pytest.mark.parametrize(
    "depths_mm",
    [
        (0, 0.7, 1.3, 2.7, 3.3),  # 2/3 mm to one decimal without 2.0
        (0, 0.8, 3.0, 3.8),  # 0.75 mm without 1.5 and 2.3
        (0, 1.3, 5.0, 6.3),  # 1.25 mm without 2.5 and 3.8
        (0, 3.8, 15.0, 18.8),  # 3.75 mm without 7.5 and 11.3
        (0, 0.6, 1.3, 1.9, 2.5, 3.1, 15.0, 15.6, 16.3),  # 0.625 mm without 18 slices
        (0, 0.7, 2.1, 2.8, 4.2, 4.9),  # 0.7 mm, every third is missing
    ],
)
def test_a_gap_in_rounded_positions_is_a_whole_number_of_steps(depths_mm, tmp_path):
    """A single short gap is off the step by up to 0.1 mm, and so is what a wide one is taken by."""
    assert verdict_of(at(depths_mm), tmp_path).reason is Reason.MISSING_SLICES


@pytest.mark.parametrize(
    "depths_mm",
    [
        (0, 1, 2, 3.5, 4.5, 5.5),  # a gap of one and a half
        (0, 1, 2, 3.7, 4.7, 5.7),  # 0.3 mm short of two: a line shares it, 0.075 mm each
        (0, 0.75, 2.5, 3.25, 5.0, 5.75),  # 0.75 and 1.75 mm in turn, 1.25 mm shaken by a fifth
        (0, 10, 20, 45, 55, 65),  # two and a half
        (0, 1, 2.1, 3.3, 4.6, 6.0, 7.5),  # ever wider
        (0, 2, 5, 7, 10),  # 2 and 3 mm in turn
    ],
)
def test_gaps_that_are_no_whole_number_of_steps_are_uneven(depths_mm, tmp_path):
    assert verdict_of(at(depths_mm), tmp_path).reason is Reason.UNEVEN_SPACING


def test_a_duplicate_of_rounded_positions_is_still_a_duplicate(tmp_path):
    slices = make_series(ramp((12, 2, 2)), step_mm=0.45)
    slices[6].ImagePositionPatient = slices[5].ImagePositionPatient
    for dataset in slices:
        rounded(dataset, 1)
    assert verdict_of(slices, tmp_path).reason is Reason.DUPLICATE_POSITIONS


@pytest.mark.parametrize("step_mm", [0.2, 1.25, 5.0])
def test_a_jitter_of_a_fifth_is_no_rounding(step_mm, tmp_path):
    slices = make_series(ramp((12, 2, 2)), step_mm=step_mm)
    for k, dataset in enumerate(slices):
        shift(dataset, (0, 0, 0.2 * step_mm * (-1) ** k))
    series = verdict_of(slices, tmp_path)
    assert series.reason is Reason.UNEVEN_SPACING
    assert f"{0.2 * step_mm:.3g} mm off a regular grid" in series.message


@pytest.mark.parametrize(
    ("step_mm", "moved_mm", "reason"),
    [
        (1.25, 0.09, Reason.OK),
        (1.25, 0.11, Reason.UNEVEN_SPACING),
        (10.0, 0.19, Reason.OK),
        (10.0, 0.21, Reason.UNEVEN_SPACING),
        (0.2, 0.039, Reason.OK),
        (0.2, 0.041, Reason.UNEVEN_SPACING),
    ],
)
def test_a_moved_slice_is_shared_by_the_grid_up_to_its_tolerance(
    step_mm, moved_mm, reason, tmp_path
):
    """The nearest grid is off by half of it: 0.05 mm, 1 % of a thick step, 10 % of a thin one."""
    slices = make_series(ramp((9, 2, 2)), step_mm=step_mm)
    shift(slices[4], (0, 0, moved_mm))
    assert verdict_of(slices, tmp_path).reason is reason


def test_a_drift_is_refused_though_each_gap_is_nearly_right(tmp_path):
    """Each gap is within 1 %, yet the middle is 60 * 0.0055 / 2 mm off a line through the ends."""
    slices = make_series(ramp((121, 2, 2)))
    for k, dataset in enumerate(slices):
        shift(dataset, (0, 0, 0.0055 * max(0, k - 60)))
    series = verdict_of(slices, tmp_path)
    assert series.reason is Reason.UNEVEN_SPACING
    assert "0.0825 mm off a regular grid" in series.message


def test_slices_that_scatter_sideways_are_off_the_grid(tmp_path):
    slices = make_series()
    for k, dataset in enumerate(slices):
        shift(dataset, (0.1 * (-1) ** k, 0, 0))
    series = verdict_of(slices, tmp_path)
    assert series.reason is Reason.UNEVEN_SPACING
    assert series.message.startswith("slices lie up to 0.1 mm off a regular grid (tolerance 0.05")


def test_two_phases_under_one_uid_are_refused(tmp_path):
    slices = make_series(uid="1.2.3") + make_series(ramp() + 1, uid="1.2.3")
    for dataset in slices:
        dataset.FrameOfReferenceUID = slices[0].FrameOfReferenceUID
    series = verdict_of(slices, tmp_path)
    assert series.reason is Reason.DUPLICATE_POSITIONS
    said = "10 slices at 5 positions, 2 at -30 mm that differ in pixels in series 1.2.3"
    assert said in series.message


def test_two_slices_at_one_position_are_told_so(tmp_path):
    pair = make_series(uid="1.2.3")[:2]
    pair[1].ImagePositionPatient = pair[0].ImagePositionPatient
    assert "2 slices at 1 position, 2 at" in verdict_of(pair, tmp_path).message


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


@pytest.mark.parametrize("thickness", [None, "0", "-1", "1e200", "1e-200"])
def test_one_slice_without_usable_thickness_is_refused(thickness, tmp_path):
    slices = make_series(ramp((1, 6, 4)))
    slices[0].SliceThickness = thickness
    assert verdict_of(slices, tmp_path).reason is Reason.NO_SLICE_SPACING
