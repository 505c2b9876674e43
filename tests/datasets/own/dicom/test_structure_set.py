"""Tests of medseg.datasets.own.dicom.structure_set: outlines become the voxels they enclose."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from export.test_segmentation import ALGORITHM, KINDS, LABELS, draw_mask, write_kind

from medseg.datasets.own.dicom.structure_set import (
    read_structure_names,
    read_structures,
)
from medseg.export import write_rtstruct

NAMES = ["liver", "a thing that has no code"]


def save(folder, kind="axial", mask=None):
    """A series with a Structure Set: the geometry, the mask and the path."""
    series = write_kind(kind, folder / "ct")
    mask = draw_mask(series.geometry.shape) if mask is None else mask(series.geometry.shape)
    about = {"source": series, "labels": LABELS, "algorithm": ALGORITHM}
    write_rtstruct(mask, folder / "rt.dcm", geometry=series.geometry, **about)
    return series.geometry, mask, folder / "rt.dcm"


def draw_ring(shape):
    """A ring with an island in its hole."""
    mask = np.zeros(shape, np.uint8)
    mask[1:9, 1:11, 1] = 1
    mask[3:7, 3:9, 1] = 0
    mask[4:6, 5:7, 1] = 1
    mask[1:3, 1:3, 3] = 2
    return mask


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "resampled"])
def test_each_structure_has_its_voxels(tmp_path, kind):
    geometry, mask, path = save(tmp_path, kind)
    found, doubts = read_structures(path, geometry)
    assert (list(found), []) == read_structure_names(path)
    for value, each in enumerate(found.values(), start=1):
        np.testing.assert_array_equal(each, mask == value)
    assert not doubts


def test_structures_without_a_closed_contour_are_known_by_name(tmp_path):
    _, _, path = save(tmp_path)
    assert read_structure_names(path) == (NAMES, [])
    header = pydicom.dcmread(path)
    for contour in header.ROIContourSequence[0].ContourSequence:
        contour.ContourGeometricType = "POINT"
    del header.ROIContourSequence[1].ContourSequence
    header.save_as(path)
    assert read_structure_names(path) == ([], NAMES)


def test_a_keyhole_cuts_a_hole_and_an_island_lies_in_it(tmp_path):
    geometry, mask, path = save(tmp_path, mask=draw_ring)
    found, _ = read_structures(path, geometry)
    np.testing.assert_array_equal(next(iter(found.values())), mask == 1)


def test_outlines_within_each_other_cut_a_hole(tmp_path):
    geometry, _, path = save(tmp_path, mask=lambda shape: draw_box(shape, (1, 9)))
    _, _, other = save(tmp_path / "b", mask=lambda shape: draw_box(shape, (3, 6)))
    outer_set, inner_set = pydicom.dcmread(path), pydicom.dcmread(other)
    hole = inner_set.ROIContourSequence[0].ContourSequence[0]
    outer_set.ROIContourSequence[0].ContourSequence.append(hole)
    outer_set.save_as(path)
    found, _ = read_structures(path, geometry)
    mask = draw_box(geometry.shape, (1, 9)) ^ draw_box(geometry.shape, (3, 6))
    np.testing.assert_array_equal(next(iter(found.values())), mask > 0)


def draw_box(shape, ends):
    mask = np.zeros(shape, np.uint8)
    mask[slice(*ends), slice(*ends), 2] = 1
    return mask


def change_first(path, change):
    found = pydicom.dcmread(path)
    contour = found.ROIContourSequence[0].ContourSequence[0]
    points = np.asarray(contour.ContourData, float).reshape(-1, 3)
    change(points)
    contour.ContourData = [f"{value:.8g}" for value in points.ravel()]
    found.save_as(path)


def test_a_slice_without_an_outline_between_others_is_doubtful(tmp_path):
    def skip(shape):
        mask = np.zeros(shape, np.uint8)
        mask[2:5, 2:5, [0, 1, 4]] = 1
        return mask

    geometry, _, path = save(tmp_path, mask=skip)
    _, doubts = read_structures(path, geometry)
    said = [text for name, text in doubts if name == "liver"]
    assert said == ["liver has no outline in 2 slices between others: they stay empty"]


def test_a_contour_outside_the_series_or_across_its_slices_is_refused(tmp_path):
    geometry, _, path = save(tmp_path)
    original = path.read_bytes()
    change_first(path, lambda points: points.__iadd__([0, 0, 500]))
    with pytest.raises(ValueError, match="lies outside the series, at slice"):
        read_structures(path, geometry)
    path.write_bytes(original)

    def tilt(points):
        points[:, 2] += 0.6 * (points[:, 0] - points[0, 0])
        points[:, 1] += 0.7 * (points[:, 0] - points[0, 0])

    change_first(path, tilt)
    with pytest.raises(ValueError, match="does not lie in a slice of the series"):
        read_structures(path, geometry)


def test_a_contour_with_half_a_point_is_refused(tmp_path):
    geometry, _, path = save(tmp_path)
    found = pydicom.dcmread(path)
    contour = found.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = list(contour.ContourData)[:-1]
    found.save_as(path)
    with pytest.raises(ValueError, match="not 3 for each point"):
        read_structures(path, geometry)
