"""Tests of medseg.datasets.own.dicom.segmentation_object: a SEG is read voxel for voxel."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from export.test_segmentation import ALGORITHM, KINDS, LABELS, draw_mask, write_kind

from medseg.datasets.own.dicom.segmentation_object import read_segment_names, read_segments
from medseg.export import write_seg
from medseg.geometry import Geometry
from medseg.ingest import find_series, load

NAMES = ["liver", "a thing that has no code"]


def save(folder, kind="axial", **options):
    """A series with a SEG: the geometry, the mask and the path."""
    series = write_kind(kind, folder / "ct")
    mask, path = draw_mask(series.geometry.shape), folder / "seg.dcm"
    about = {"source": series, "labels": LABELS, "algorithm": ALGORITHM}
    write_seg(mask, path, geometry=series.geometry, **about, **options)
    return series.geometry, mask, path


@pytest.mark.parametrize("segmentation_type", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_segment_has_its_voxels(tmp_path, kind, segmentation_type):
    geometry, mask, path = save(tmp_path, kind, segmentation_type=segmentation_type)
    assert read_segment_names(path) == NAMES
    found = read_segments(path, geometry)
    assert list(found) == NAMES
    for value, name in enumerate(NAMES, start=1):
        np.testing.assert_array_equal(found[name], mask == value)


def test_a_fractional_one_counts_from_half_on(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    probabilities = np.zeros((2, *series.geometry.shape))
    probabilities[0, 2:5], probabilities[0, 6:8] = 0.6, 0.4
    write_seg(
        probabilities,
        tmp_path / "seg.dcm",
        source=series,
        geometry=series.geometry,
        labels=LABELS,
        algorithm=ALGORITHM,
        segmentation_type="FRACTIONAL",
    )
    found = read_segments(tmp_path / "seg.dcm", series.geometry)["liver"]
    assert found[2:5].all()
    assert found.sum() == found[2:5].size


def test_another_grid_is_refused(tmp_path):
    geometry, _, path = save(tmp_path)
    moved = geometry.affine.copy()
    moved[0, 3] += 0.4 * geometry.spacing_mm[0]
    with pytest.raises(ValueError, match="lies on another grid"):
        read_segments(path, Geometry(geometry.shape, moved))


def test_voxels_outside_the_series_are_refused(tmp_path):
    geometry, _, path = save(tmp_path)
    smaller = Geometry((*geometry.shape[:2], geometry.shape[2] - 2), geometry.affine)
    with pytest.raises(ValueError, match="voxels of the segmentation lie outside the series"):
        read_segments(path, smaller)


def test_frames_without_a_place_are_refused(tmp_path):
    geometry, _, path = save(tmp_path)
    seg = pydicom.dcmread(path)
    for groups in seg.PerFrameFunctionalGroupsSequence:
        del groups.PlanePositionSequence
    seg.save_as(path)
    with pytest.raises(ValueError, match="do not say where they lie"):
        read_segments(path, geometry)


@pytest.mark.realdata
def test_dcmqi_and_this_reader_find_the_same_voxels(data_root):
    folder = data_root / "dicom" / "dcmqi_ct_liver_seg"
    series = next(s for s in find_series(folder / "ct-3slice") if s.geometry is not None)
    found = read_segments(folder / "liver.dcm", series.geometry)
    (mask,) = found.values()
    truth, grid = load(folder / "liver_seg.nrrd")
    assert grid.describe_difference(series.geometry) in (None, "")
    np.testing.assert_array_equal(mask, truth > 0)
