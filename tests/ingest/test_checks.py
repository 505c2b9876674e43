"""Tests of medseg.ingest.checks: image and label must fit each other."""

from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.base import memory
from medseg.geometry import Geometry
from medseg.ingest import (
    IngestError,
    Reason,
    check_finite,
    check_labels,
    check_same_grid,
    checks,
    load,
)
from medseg.ingest.checks import check_room, round_labels, to_labels
from medseg.ingest.pictures.load import COPIES, PictureReader

GRID = Geometry((4, 5, 6), np.diag([1, 1, 2, 1]))


def test_the_same_grid_passes():
    assert check_same_grid(GRID, Geometry((4, 5, 6), np.diag([1, 1, 2, 1]))) is None


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Geometry((4, 5, 7), GRID.affine), r"shape \(4, 5, 6\) against \(4, 5, 7\)"),
        (Geometry((4, 5, 6), np.diag([1, 1, 3, 1])), r"spacing \(1, 1, 2\) against \(1, 1, 3\) mm"),
        (Geometry((4, 5, 6), np.diag([-1, 1, 2, 1])), "orientation RAS against LAS"),
    ],
)
def test_different_grids_are_refused_by_name(other, words):
    with pytest.raises(IngestError, match=f"a.nii and b.nii .*{words}") as caught:
        check_same_grid(GRID, other, names=("a.nii", "b.nii"))
    assert caught.value.code is Reason.DIFFERENT_GRIDS


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_declared_labels_pass_in_any_type(dtype):
    assert check_labels(np.array([[0, 1], [1, 0]], dtype=dtype), (0, 1, 2)) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 3, 3, 7], r"holds 3 \(2 voxels\), 7 \(1 voxels\), outside the declared \[0, 1, 2\]"),
        ([0, 0.5, 1], r"0.5 \(1 voxels\)"),
        ([0, np.nan], r"nan \(1 voxels\)"),
        ([-1, 0], r"-1 \(1 voxels\)"),
        (range(20), r"7 \(1 voxels\) and 12 more, outside"),
    ],
)
def test_undeclared_labels_are_refused_with_their_counts(values, words):
    with pytest.raises(IngestError, match=f"mask.nii {words}|mask.nii holds .*{words}") as caught:
        check_labels(np.array(values), (2, 1, 0), name="mask.nii")
    assert caught.value.code is Reason.UNDECLARED_LABELS


def test_nan_and_infinity_are_counted():
    with pytest.raises(IngestError, match="2 NaN and 1 infinite of 4 voxels") as caught:
        check_finite(np.array([np.nan, np.nan, -np.inf, 0]))
    assert caught.value.code is Reason.NON_FINITE
    check_finite(np.array([1.0, 2.0]))
    check_finite(np.array([1, 2]))


@pytest.mark.parametrize("factor", [0.9999999, 1.0000001, 0.99999994, 0.9998])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_near_whole_numbers_are_these(factor, dtype):
    drifted = (np.array([[0, 1], [2, 3]]) * factor).astype(dtype)
    labels = to_labels(drifted, (0, 1, 2, 3), name="mask.nii")
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(("value", "shown"), [(0.998, "0.998"), (1.0021, "1.0021"), (0.5, "0.5")])
def test_a_value_beyond_the_tolerance_is_refused_with_all_its_digits(value, shown):
    for dtype in (np.float32, np.float64):
        with pytest.raises(IngestError, match=rf"holds {shown} \(1 voxels\), outside"):
            to_labels(np.array([0, 1, value], dtype=dtype), (0, 1), name="mask.nii")


def test_a_small_map_interpolated_between_labels_is_refused():
    """Linear interpolation of 0 0 0 1 at thousandths: most lie beyond the tolerance."""
    between = np.interp(np.arange(0, 3, 0.001), [0, 1, 2, 3], [0, 0, 0, 1])
    with pytest.raises(IngestError) as caught:
        check_labels(between, (0, 1))
    assert caught.value.code is Reason.UNDECLARED_LABELS


def test_integers_are_not_copied_and_not_rounded():
    labels = np.array([0, 1, 2], np.uint8)
    assert round_labels(labels) is labels


@pytest.mark.parametrize("order", ["C", "F"])
def test_labels_are_judged_in_parts_as_the_whole_is(order, monkeypatch):
    monkeypatch.setattr(checks, "_BLOCK_VALUES", 4)
    whole = np.asarray(np.arange(24).reshape(2, 3, 4) % 3 * 0.9999999, order=order)
    for array in (whole, whole.transpose(1, 0, 2), whole[:, ::2], whole[..., 1]):
        found = checks.to_labels(array, (0, 1, 2), name="label")
        np.testing.assert_array_equal(found, np.rint(array))
        assert found.dtype == np.uint8
        seven, eight = (int((np.rint(array) == value).sum()) for value in (1, 2))
        listed = checks.describe_undeclared(array + 6 * (array > 0.5), (0,))
        assert listed == f"7 ({seven} voxels), 8 ({eight} voxels)"


@pytest.fixture
def free(monkeypatch):
    def set_free(free_bytes):
        monkeypatch.setattr(memory, "find_available_bytes", lambda: free_bytes)

    return set_free


def test_what_is_not_known_to_be_short_is_not_refused(free, tmp_path):
    free(None)
    check_room(tmp_path, 10**15)
    free(100)
    check_room(tmp_path, 100)


def test_the_message_has_both_numbers_in_one_line(free, tmp_path):
    free(1_500_000_000)
    with pytest.raises(IngestError, match=r"takes 5\.49 GB of memory, 1\.50 GB are free") as caught:
        check_room(tmp_path / "case.nii.gz", 5_488_000_000)
    assert caught.value.code is Reason.NO_MEMORY


def nifti(path, dtype, *, slope=None):
    image = nibabel.Nifti1Image(np.zeros((100, 100, 10), dtype), np.eye(4))
    if slope is not None:
        image.header.set_slope_inter(slope, 0)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize(
    ("dtype", "slope", "needed"),
    [
        (np.uint8, None, 100_000),
        (np.float32, None, 400_000),
        (np.int16, 0.5, 600_000),
        (np.float64, None, 1_200_000),
    ],
)
def test_a_nifti_is_looked_at_against_free_memory(dtype, slope, needed, free, tmp_path):
    path = nifti(tmp_path / "case.nii.gz", dtype, slope=slope)
    free(needed)
    load(path)
    free(needed - 1)
    with pytest.raises(IngestError, match="of memory") as caught:
        load(path)
    assert caught.value.code is Reason.NO_MEMORY


def test_a_nifti_without_room_is_not_inflated(free, tmp_path, monkeypatch):
    path = nifti(tmp_path / "case.nii.gz", np.uint8)
    free(1000)
    read = gzip.GzipFile.read
    total = []
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda file, size=-1: total.append(size) or read(file, size)
    )
    with pytest.raises(IngestError, match="of memory"):
        load(path)
    assert sum(total) <= 348


def test_a_dicom_series_is_looked_at_against_free_memory(free, tmp_path):
    write_series(tmp_path, make_series())
    free(239)  # of 120 voxels of 2 bytes
    with pytest.raises(IngestError, match="of memory") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.NO_MEMORY
    free(240)
    load(tmp_path)


def test_a_picture_is_looked_at_against_free_memory(free, tmp_path):
    from PIL import Image

    path = tmp_path / "slide.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 200), np.uint8)).save(path)
    reader = PictureReader()
    free(300 * 200 * 4 * COPIES - 1)
    with pytest.raises(IngestError, match="of memory") as caught:
        reader.get_data(reader.read(path))
    assert caught.value.code is Reason.NO_MEMORY
    free(300 * 200 * 4 * COPIES)
    reader.get_data(reader.read(path))
