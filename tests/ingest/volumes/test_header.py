"""Tests of medseg.ingest.volumes.header: units, detached files and grids of any format."""

import logging

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 -- the name its manual uses
from ingest.volumes.nifti_files import AFFINE, image, refusal, spoil, volume
from nibabel import save

from medseg.geometry import Geometry
from medseg.ingest import IngestError, Reason, load
from medseg.ingest.volumes.file import load_file
from medseg.ingest.volumes.file import read_file_header as read_header
from medseg.ingest.volumes.header import VolumeHeader, find_detached_file, make_grid


@pytest.mark.parametrize(("unit", "name"), [("meter", "metres"), ("micron", "micrometres")])
def test_other_units_than_millimetres_are_refused(unit, name, tmp_path):
    made = image()
    made.header.set_xyzt_units(unit)
    error = refusal(made, tmp_path)
    assert error.code is Reason.NOT_MILLIMETRES
    assert f"is in {name}" in str(error)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("micron", 0.001)])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_stated_units_are_converted_on_request_as_simpleitk_does(
    unit, factor, form, tmp_path, caplog
):
    made = image(**{form: None})
    made.header.set_xyzt_units(unit)
    nib.save(made, tmp_path / "case.nii")
    with caplog.at_level(logging.WARNING):
        array, geometry = load_file(tmp_path / "case.nii", units="stated")
    np.testing.assert_array_equal(array, volume())
    np.testing.assert_allclose(geometry.affine[:3], AFFINE[:3] * factor, rtol=1e-6)
    assert f"scaled by {factor:g}" in caplog.text
    reference = sitk.ReadImage(str(tmp_path / "case.nii"))
    np.testing.assert_allclose(geometry.spacing_mm, reference.GetSpacing(), rtol=1e-5)


def test_a_file_in_millimetres_is_not_said_to_be_converted(tmp_path, caplog):
    nib.save(image(), tmp_path / "case.nii")
    _, geometry = load_file(tmp_path / "case.nii", units="stated")
    np.testing.assert_allclose(geometry.affine, AFFINE, atol=1e-5)
    assert not caplog.text
    assert read_header(tmp_path / "case.nii").notes == ()


def test_an_unstated_unit_is_millimetres_and_an_unknown_one_is_refused(tmp_path):
    nib.save(image(), tmp_path / "case.nii")
    spoil(tmp_path / "case.nii", {"xyzt_units": 0})
    np.testing.assert_allclose(load(tmp_path / "case.nii")[1].affine, AFFINE, atol=1e-5)
    spoil(tmp_path / "case.nii", {"xyzt_units": 5})
    with pytest.raises(IngestError, match="unit 5") as caught:
        load_file(tmp_path / "case.nii", units="stated")
    assert caught.value.code is Reason.NOT_MILLIMETRES


def test_a_choice_that_is_none_is_refused(tmp_path):
    save(image(), tmp_path / "case.nii")
    with pytest.raises(ValueError, match="affine is 'both': choose one of sform, qform"):
        load(tmp_path / "case.nii", affine="both")
    with pytest.raises(ValueError, match="units is 'inch': choose one of mm, cm, m, micron"):
        load(tmp_path / "case.nii", units="inch")


@pytest.mark.parametrize(
    ("stated", "units", "factor"),
    [("micron", "stated", 1e-3), ("micron", "mm", 1), ("mm", "micron", 1e-3), ("mm", "m", 1e3)],
)
def test_a_declared_unit_counts_whatever_the_header_states(stated, units, factor, tmp_path):
    made = image()
    made.header.set_xyzt_units(stated)
    save(made, tmp_path / "case.nii")
    affine = load(tmp_path / "case.nii", units=units)[1].affine
    np.testing.assert_allclose(affine[:3], AFFINE[:3] * factor, rtol=1e-5)


@pytest.mark.parametrize("name", ["a.raw", "sub/a.raw", "./sub/../a.raw", "{folder}/a.raw"])
def test_a_detached_file_is_found_in_the_folder_of_its_header_or_below(tmp_path, name):
    (tmp_path / "sub").mkdir()
    for path in ("a.raw", "sub/a.raw"):
        (tmp_path / path).touch()
    found = find_detached_file(tmp_path / "a.nhdr", name.format(folder=tmp_path))
    assert found == tmp_path / ("sub/a.raw" if name == "sub/a.raw" else "a.raw")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", Reason.UNSAFE_PATH),
        ("a\0.raw", Reason.UNSAFE_PATH),
        ("../a.raw", Reason.UNSAFE_PATH),
        ("sub/../../a.raw", Reason.UNSAFE_PATH),
        ("/etc/hostname", Reason.UNSAFE_PATH),
        ("a.raw", Reason.NOT_FOUND),
        (".", Reason.NOT_FOUND),
    ],
)
def test_a_detached_file_elsewhere_or_nowhere_is_refused(tmp_path, name, code):
    with pytest.raises(IngestError) as caught:
        find_detached_file(tmp_path / "a.nhdr", name)
    assert caught.value.code is code


def test_the_grid_of_an_image_has_an_axis_of_one_slice(tmp_path):
    assert make_grid((4, 5), np.eye(4), path=tmp_path).shape == (4, 5, 1)
    with pytest.raises(IngestError) as caught:
        make_grid((4, 5, 6), np.zeros((4, 4)), path=tmp_path)
    assert caught.value.code is Reason.INVALID_GEOMETRY


def test_a_header_counts_its_volumes_and_bytes(tmp_path):
    header = VolumeHeader(
        path=tmp_path,
        format="NRRD",
        shape=(3, 4, 5, 6, 2),
        geometry=Geometry((4, 5, 6), np.eye(4)),
        dtype=np.dtype(">i2"),
        offset=100,
        axes=(1, 2, 3),
        files=(tmp_path / "a", tmp_path / "b"),
    )
    assert header.volumes == 3 * 2
    assert header.size == 3 * 4 * 5 * 6 * 2 * 2
    assert header.end == 100 + header.size // 2
    assert header.grid is header.geometry
