"""Tests of medseg.export.parametric_map: numbers come back exactly, in their place."""

from __future__ import annotations

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK
from export.judges import find_errors, needs_dciodvfy, needs_dcmqi, read_map_by_dcmqi
from export.test_segmentation import ALGORITHM, KINDS, write_kind

from medseg.export import Algorithm, write_parametric_map


def write(series, path, values=None, **options):
    if values is None:
        values = np.random.default_rng(0).random(series.geometry.shape).astype(np.float32)
    write_parametric_map(
        values,
        path,
        source=series,
        geometry=series.geometry,
        **{"algorithm": ALGORITHM, **options},
    )
    return values


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_comes_back_in_its_place(kind, tmp_path):
    series = write_kind(kind, tmp_path / "ct")
    values = write(series, tmp_path / "map.dcm")
    found = hd.imread(tmp_path / "map.dcm").get_volume(apply_real_world_transform=False)
    if series.geometry.shape[2] == 1:
        np.testing.assert_array_equal(found.array.transpose(2, 1, 0), values)
        return
    grid = hd.Volume(
        np.zeros(series.geometry.shape[::-1], np.float32),
        series.geometry.affine_lps[:, [2, 1, 0, 3]],
        coordinate_system="PATIENT",
    )
    np.testing.assert_array_equal(found.match_geometry(grid).array.transpose(2, 1, 0), values)


@needs_dcmqi
@pytest.mark.parametrize("kind", ["axial", "oblique", "sagittal", "descending", "multi-frame"])
def test_dcmqi_reads_every_number_in_its_place(kind, tmp_path):
    series = write_kind(kind, tmp_path / "ct")
    values = write(series, tmp_path / "map.dcm")
    image = read_map_by_dcmqi(tmp_path / "map.dcm", tmp_path / "read")
    array = SimpleITK.GetArrayFromImage(image)
    assert array.size == values.size
    for voxel in ((0, 0, 0), (3, 1, 2), tuple(n - 1 for n in values.shape)):
        place = series.geometry.voxel_to_world(voxel) * (-1, -1, 1)
        i, j, k = image.TransformPhysicalPointToIndex(place)
        assert array[k, j, i] == values[voxel]


@needs_dciodvfy
@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error(kind, tmp_path):
    write(write_kind(kind, tmp_path / "ct"), tmp_path / "map.dcm")
    assert find_errors(tmp_path / "map.dcm") == []


@needs_dciodvfy
@pytest.mark.parametrize("name", ["left\\right", "a\tname", "x" * 70, "Änne " * 20])
def test_any_names_give_a_valid_object(name, tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    write(series, tmp_path / "map.dcm", name=name, algorithm=Algorithm(name, name))
    assert find_errors(tmp_path / "map.dcm") == []


def test_it_says_what_it_is_of(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    write(series, tmp_path / "map.dcm", quantity="uncertainty", name="liver")
    found = pydicom.dcmread(tmp_path / "map.dcm")
    assert found.SeriesDescription == "liver, uncertainty of liver"
    assert found.StudyInstanceUID == "1.2.840.1"


@pytest.mark.parametrize("wrong", [-0.1, 1.5, np.nan, np.inf])
def test_numbers_that_are_no_probability_are_refused(wrong, tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    values = np.full(series.geometry.shape, 0.5, np.float32)
    values[0, 0, 0] = wrong
    with pytest.raises(ValueError, match="goes from 0 to 1"):
        write(series, tmp_path / "map.dcm", values)
    assert not (tmp_path / "map.dcm").exists()


def test_numbers_of_another_shape_are_refused(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    with pytest.raises(ValueError, match="give the geometry"):
        write(series, tmp_path / "map.dcm", np.zeros((2, 3, 4), np.float32))
