"""Tests of medseg.ingest.dicom.resample: a field that is linear in the patient is kept exactly."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from ingest.dicom_writer import AXIAL, OBLIQUE, SAGITTAL, make_series, write_series
from pydicom.uid import MRImageStorage

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.reader import VolumeReader

ORIENTATIONS = {"axial": AXIAL, "sagittal": SAGITTAL, "oblique": OBLIQUE}
SHAPE = (9, 12, 10)
GRADIENT = np.array([3.0, -2.0, 5.0])  # values per millimetre along LPS+
VALUE_OFFSET = 20000.0
STEP_MM = 1.25


def field(points_lps):
    return points_lps @ GRADIENT + VALUE_OFFSET


def make_field(*, orientation=AXIAL, moves_mm=None, shape=SHAPE):
    """A series whose slices, moved in millimetres, sample the field where they then lie.

    Stored values are whole numbers, in steps of 1/64.
    """
    slices = make_series(np.zeros(shape, np.uint16), orientation=orientation, step_mm=STEP_MM)
    moves_mm = np.zeros((shape[0], 3)) if moves_mm is None else moves_mm
    for dataset, move in zip(slices, moves_mm, strict=True):
        position = np.array(dataset.ImagePositionPatient, dtype=float) + move
        dataset.ImagePositionPatient = [round(float(v), 6) for v in position]
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.015625", "19000"
        values = field(pixel_centres(dataset))
        stored = np.round((values - 19000) * 64).astype(np.uint16)
        dataset.PixelData = stored.tobytes()
    return slices


def pixel_centres(dataset):
    between_rows, between_columns = map(float, dataset.PixelSpacing)
    rows, columns = np.mgrid[: dataset.Rows, : dataset.Columns]
    cosines = np.array(dataset.ImageOrientationPatient, dtype=float)
    along_row = cosines[:3] * between_columns * columns[..., None]
    along_column = cosines[3:] * between_rows * rows[..., None]
    return np.array(dataset.ImagePositionPatient, dtype=float) + along_row + along_column


def tilt(orientation, degrees):
    drift = STEP_MM * np.tan(np.radians(degrees))
    return np.arange(SHAPE[0])[:, None] * np.array(orientation[3:]) * drift


def check_field(array, geometry, *, fill=-1024.0):
    """Every voxel that lies in the slices has the field's value; returns how many do."""
    voxels = np.argwhere(np.ones(geometry.shape, dtype=bool))
    points_lps = geometry.voxel_to_world(voxels) * (-1, -1, 1)
    expected, values = field(points_lps), array[tuple(voxels.T)]
    inside = values != fill
    np.testing.assert_allclose(values[inside], expected[inside], atol=0.02)  # 1/64 and rounding
    return int(inside.sum())


@pytest.mark.parametrize("degrees", [12, -25])
@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_a_tilted_gantry_is_made_upright(orientation, degrees, tmp_path):
    write_series(tmp_path, make_field(orientation=orientation, moves_mm=tilt(orientation, degrees)))
    array, geometry = load(tmp_path, resample=True)
    assert geometry.is_orthogonal
    assert geometry.spacing_mm == pytest.approx((0.75, 0.5, STEP_MM))
    assert array.dtype == np.float32
    inside = check_field(array, geometry)
    # each slice loses less than one of its 12 rows to interpolation between rows
    assert inside >= SHAPE[0] * (SHAPE[1] - 1) * SHAPE[2]


def test_a_tilt_of_whole_pixels_moves_values_and_makes_none(tmp_path):
    slices = make_field(moves_mm=np.arange(9)[:, None] * np.array([0, 0.5, 0]))
    write_series(tmp_path, slices)
    array, geometry = load(tmp_path, resample=True)
    assert geometry.shape == (10, 12 + 8, 9)
    for k, dataset in enumerate(slices):
        stored = np.frombuffer(dataset.PixelData, np.uint16).reshape(12, 10)
        np.testing.assert_array_equal(array[:, k : k + 12, k], stored.T / 64 + 19000)
    assert (array[:, :8, 8] == -1024).all()
    assert (array[:, 12:, 0] == -1024).all()


@pytest.mark.parametrize("missing", [[4], [1, 5], [3, 4]])
def test_missing_slices_are_interpolated(missing, tmp_path):
    slices = [s for k, s in enumerate(make_field()) if k not in missing]
    write_series(tmp_path, slices)
    array, geometry = load(tmp_path, resample=True)
    assert geometry.shape == (10, 12, 9)
    assert geometry.spacing_mm == pytest.approx((0.75, 0.5, STEP_MM))
    assert check_field(array, geometry) == array.size


def test_uneven_slices_are_interpolated(tmp_path):
    moves = np.zeros((9, 3))
    moves[[2, 5], 2] = (0.3, -0.4)
    write_series(tmp_path, make_field(moves_mm=moves))
    array, geometry = load(tmp_path, resample=True)
    assert geometry.shape == (10, 12, 9)
    assert check_field(array, geometry) == array.size


def test_tilted_slices_with_a_gap_are_mended_at_once(tmp_path):
    slices = make_field(moves_mm=tilt(AXIAL, 12))
    del slices[4]
    write_series(tmp_path, slices)
    array, geometry = load(tmp_path, resample=True)
    assert geometry.is_orthogonal
    assert geometry.shape[2] == 9
    assert check_field(array, geometry) > 0.8 * 9 * 12 * 10


def test_a_regular_series_is_left_as_it_is(tmp_path):
    write_series(tmp_path, make_series())
    (series,) = find_series(tmp_path, resample=True)
    assert (series.verdict, series.resampling) == (Verdict.ACCEPT, None)
    np.testing.assert_array_equal(load(tmp_path, resample=True)[0], load(tmp_path)[0])


def test_what_was_done_is_recorded_with_numbers(tmp_path, caplog):
    slices = make_field()
    del slices[4]
    write_series(tmp_path, slices)
    with caplog.at_level(logging.WARNING):
        load(tmp_path, resample=True)
    words = "resampled linearly from 8 slices to 9 of 10x12, 1.25 mm apart, 1 of them between two"
    assert words in caplog.text
    assert "slice spacing varies from 1.25 to 2.5 mm" in caplog.text
    (series,) = find_series(tmp_path, resample=True)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.RESAMPLED)


def test_why_it_was_done_is_said_in_a_few_words_without_a_name(tmp_path):
    gap = make_field()
    del gap[4]
    uneven = make_field()
    uneven[4].ImagePositionPatient[2] += 0.4
    tilted = make_field(moves_mm=tilt(AXIAL, 12))
    said = []
    for name, slices in {"gap": gap, "uneven": uneven, "tilted": tilted}.items():
        write_series(tmp_path / name, slices)
        (series,) = find_series(tmp_path / name, resample=True)
        said.append(series.resampling.why)
    assert said == [
        "1 slice missing",
        "slice spacing varies from 0.85 to 1.65 mm, slices lie up to 0.2 mm off a regular grid",
        "slices are stacked 12 degrees off their normal",
    ]


def test_by_default_nothing_is_resampled(tmp_path):
    slices = make_field()
    del slices[4]
    write_series(tmp_path, slices)
    with pytest.raises(IngestError, match=r"pass --resample True to interpolate") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.MISSING_SLICES


def test_a_wide_gap_is_refused_all_the_same(tmp_path):
    slices = make_field()
    del slices[3:6]
    write_series(tmp_path, slices)
    with pytest.raises(IngestError, match="a gap of 4 median gaps is too wide") as caught:
        load(tmp_path, resample=True)
    assert caught.value.code is Reason.MISSING_SLICES


def test_positions_that_blow_up_the_grid_are_refused(tmp_path):
    write_series(tmp_path, make_field(moves_mm=tilt(AXIAL, 60)))
    with pytest.raises(IngestError, match=r"times the voxels \(limit 2\)") as caught:
        load(tmp_path, resample=True)
    assert caught.value.code is Reason.TILTED_STACK


def test_outside_of_other_modalities_is_zero(tmp_path):
    slices = make_field(moves_mm=tilt(AXIAL, 12))
    for dataset in slices:
        dataset.SOPClassUID, dataset.Modality = MRImageStorage, "MR"
    write_series(tmp_path, slices)
    array, geometry = load(tmp_path, resample=True)
    assert array.min() == 0
    check_field(array, geometry, fill=0)


def test_the_reader_resamples_images_and_never_labels(tmp_path):
    slices = make_field()
    del slices[4]
    write_series(tmp_path, slices)
    array, _ = VolumeReader(resample=True).get_data([tmp_path])
    assert array.shape == (10, 12, 9)
    with pytest.raises(ValueError, match="labels cannot be read with resample=True"):
        VolumeReader(labels=(0, 1), resample=True)
