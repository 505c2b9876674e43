"""Tests of medseg.ingest.volumes.file: a header is believed only when it makes sense."""

from __future__ import annotations

import gzip
import logging

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  # its own idiom
from ingest.volumes.nifti_files import AFFINE, image, refusal, spoil, volume
from nibabel.processing import resample_to_output

from medseg.ingest import IngestError, Reason, Verdict, inspect, load
from medseg.ingest.formats import is_volume_file
from medseg.ingest.volumes.file import load_file


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".NII"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_array_and_affine_are_those_that_were_saved(suffix, kind, dtype, tmp_path):
    path = tmp_path / f"case{suffix}"
    nib.save(image(volume(dtype), kind=kind), path)
    array, geometry = load(path)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, volume())
    np.testing.assert_allclose(geometry.affine, AFFINE, atol=1e-5)
    assert geometry.orientation == "LPS"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((4, 6, 5, 1), (4, 6, 5)), ((4, 6, 5, 1, 1), (4, 6, 5)), ((4, 6), (4, 6, 1))],
)
def test_axes_of_length_one_are_dropped_and_2d_is_one_slice(shape, expected, tmp_path):
    nib.save(image(volume(shape=shape)), tmp_path / "case.nii")
    array, geometry = load(tmp_path / "case.nii")
    assert array.shape == geometry.shape == expected


@pytest.mark.parametrize("form", ["sform", "qform"])
def test_either_form_alone_is_enough(form, tmp_path):
    nib.save(image(**{form: None}), tmp_path / "case.nii")
    np.testing.assert_allclose(load(tmp_path / "case.nii")[1].affine, AFFINE, atol=1e-5)


def test_4d_is_refused(tmp_path):
    error = refusal(image(volume(shape=(4, 6, 5, 2))), tmp_path)
    assert error.code is Reason.NOT_3D
    assert "shape (4, 6, 5, 2)" in str(error)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_voxels_that_are_not_finite_are_refused(bad, tmp_path):
    data = volume(np.float32)
    data[1, 2, 3] = bad
    error = refusal(image(data), tmp_path)
    assert error.code is Reason.NON_FINITE
    assert "of 120 voxels" in str(error)


def test_complex_and_colour_voxels_are_refused(tmp_path):
    assert refusal(image(volume(np.complex64)), tmp_path).code is Reason.VOXEL_TYPE
    rgb = np.zeros((4, 6, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    error = refusal(image(rgb), tmp_path)
    assert error.code is Reason.VOXEL_TYPE
    assert "one file for each colour" in str(error)


def test_no_orientation_is_refused(tmp_path):
    assert refusal(image(sform=None, qform=None), tmp_path).code is Reason.NO_ORIENTATION


def test_disagreeing_forms_are_refused_with_the_distance(tmp_path):
    other = AFFINE.copy()
    other[0, 3] += 7
    error = refusal(image(qform=other), tmp_path)
    assert error.code is Reason.CONFLICTING_ORIENTATION
    assert "up to 7 mm apart" in str(error)


def test_a_sheared_affine_is_refused(tmp_path):
    sheared = AFFINE.copy()
    sheared[1, 2] = 0.3
    error = refusal(image(sform=sheared, qform=None), tmp_path)
    assert error.code is Reason.SHEARED_AFFINE
    assert "has shear: resample it onto an orthogonal grid with another tool" in str(error)


def test_the_tool_named_for_a_sheared_affine_mends_it(tmp_path):
    sheared = AFFINE.copy()
    sheared[1, 2] = 0.3
    upright = resample_to_output(image(sform=sheared, qform=None), order=1)
    nib.save(upright, tmp_path / "upright.nii.gz")
    assert load(tmp_path / "upright.nii.gz")[1].is_orthogonal


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_an_affine_that_cannot_be_inverted_is_refused(bad, tmp_path):
    path = tmp_path / "case.nii"
    nib.save(image(qform=None), path)
    content = bytearray(path.read_bytes())
    content[312:328] = np.array([0, 0, bad, 0], dtype="<f4").tobytes()  # srow_z of NIfTI-1
    path.write_bytes(content)
    with pytest.raises(IngestError) as caught:
        load(path)
    assert caught.value.code is Reason.INVALID_GEOMETRY


# ---- units


# ---- independent readers


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("scaling", [(1, 0), (0.5, -3), (2, -1024), (-1.5, 7)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32])
def test_values_and_grid_are_those_of_nibabel_and_simpleitk(suffix, scaling, dtype, tmp_path):
    turned = AFFINE @ np.array([[0, 0, 1, 0], [0.8, 0.6, 0, 0], [-0.6, 0.8, 0, 0], [0, 0, 0, 1]])
    turned[:3, :3] = np.linalg.qr(turned[:3, :3])[0] * [0.5, 0.75, 2]  # oblique, orthogonal
    path = tmp_path / f"case{suffix}"
    made = image(volume(dtype), sform=turned, qform=turned)
    made.header.set_slope_inter(*scaling)
    nib.save(made, path)
    array, geometry = load(path)

    theirs = nib.load(path)
    np.testing.assert_allclose(array, theirs.get_fdata(), rtol=1e-6)
    np.testing.assert_allclose(geometry.affine, theirs.affine, atol=1e-5)

    reference = sitk.ReadImage(str(path))
    np.testing.assert_allclose(array.T, sitk.GetArrayFromImage(reference), rtol=1e-6)
    lps = np.diag([-1, -1, 1])
    np.testing.assert_allclose(lps @ geometry.origin_mm, reference.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(geometry.spacing_mm, reference.GetSpacing(), rtol=1e-5)
    direction = np.reshape(reference.GetDirection(), (3, 3))
    np.testing.assert_allclose(lps @ geometry.direction, direction, atol=1e-5)


# ---- one volume of several


# ---- files that are not what they say


@pytest.mark.parametrize("suffix", [".hdr", ".hdr.gz", ".HDR"])
def test_a_header_without_its_image_is_refused_with_the_way_out(suffix, tmp_path):
    nib.save(nib.Nifti1Pair(volume(), AFFINE), tmp_path / "case.img")
    content = (tmp_path / "case.hdr").read_bytes()
    (tmp_path / "case.img").unlink()
    (tmp_path / "case.hdr").unlink()
    path = tmp_path / f"case{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    assert is_volume_file(path)
    with pytest.raises(IngestError, match=r"one half of .*: put the other half beside") as caught:
        load(path)
    assert caught.value.code is Reason.PAIRED_FILES


def test_an_img_without_its_hdr_may_be_dicom(tmp_path):
    (tmp_path / "scan.img").touch()
    assert not is_volume_file(tmp_path / "scan.img")


@pytest.mark.parametrize("half", [".hdr", ".img"])
@pytest.mark.parametrize("kind", [nib.Nifti1Pair, nib.Nifti2Pair])
def test_a_pair_is_read_by_either_half_as_nibabel_and_simpleitk_read_it(kind, half, tmp_path):
    made = image(kind=kind)
    made.header.set_slope_inter(0.5, -3)
    nib.save(made, tmp_path / "case.img")
    array, geometry = load(tmp_path / f"case{half}")
    np.testing.assert_array_equal(array, volume() * 0.5 - 3)
    np.testing.assert_allclose(geometry.affine, AFFINE, atol=1e-5)
    if kind is nib.Nifti1Pair:
        theirs = sitk.ReadImage(str(tmp_path / "case.hdr"))
        np.testing.assert_allclose(array.T, sitk.GetArrayFromImage(theirs))
        np.testing.assert_allclose(geometry.affine_lps[:3, 3], theirs.GetOrigin(), atol=1e-5)


def test_a_packed_pair_is_read_and_cut_short_is_refused(tmp_path):
    nib.save(image(kind=nib.Nifti1Pair), tmp_path / "case.img.gz")
    assert (tmp_path / "case.hdr.gz").exists()
    np.testing.assert_array_equal(load(tmp_path / "case.hdr.gz")[0], volume())
    content = (tmp_path / "case.img.gz").read_bytes()
    (tmp_path / "case.img.gz").write_bytes(content[:-9])
    with pytest.raises(IngestError) as caught:
        load(tmp_path / "case.hdr.gz")
    assert caught.value.code is Reason.TRUNCATED


def test_the_image_of_a_pair_holds_exactly_what_its_header_promises(tmp_path):
    nib.save(image(kind=nib.Nifti1Pair), tmp_path / "case.img")
    content = (tmp_path / "case.img").read_bytes()
    for spoilt, code in ((content[:-2], Reason.TRUNCATED), (content * 2, Reason.TRAILING_BYTES)):
        (tmp_path / "case.img").write_bytes(spoilt)
        with pytest.raises(IngestError) as caught:
            load(tmp_path / "case.hdr")
        assert caught.value.code is code


def test_the_header_of_a_pair_is_known_under_any_name(tmp_path):
    nib.save(nib.Nifti1Pair(volume(), AFFINE), tmp_path / "case.img")
    (tmp_path / "case.hdr").rename(tmp_path / "case.nii")
    with pytest.raises(IngestError) as caught:
        load(tmp_path / "case.nii")
    assert caught.value.code is Reason.PAIRED_FILES


def test_analyze_is_read_as_nibabel_reads_it_with_a_note(tmp_path, caplog):
    made = nib.AnalyzeImage(volume(), np.diag([-2, 3, 4, 1]))
    nib.save(made, tmp_path / "case.img")
    with caplog.at_level(logging.WARNING):
        array, geometry = load(tmp_path / "case.hdr")
    theirs = nib.load(tmp_path / "case.hdr")
    np.testing.assert_array_equal(array, np.asarray(theirs.dataobj))
    np.testing.assert_allclose(geometry.affine, theirs.affine)
    assert geometry.spacing_mm == (2, 3, 4)
    assert "Analyze 7.5, which states no orientation: read as LAS" in caplog.text
    (row,) = inspect(tmp_path)
    assert (row.verdict, row.reason) == (Verdict.REPAIR, Reason.ASSUMED_ORIENTATION)
    assert row.files == 2


def test_analyze_that_states_an_orientation_of_its_own_is_refused(tmp_path):
    nib.save(nib.AnalyzeImage(volume(), np.eye(4)), tmp_path / "case.img")
    content = bytearray((tmp_path / "case.hdr").read_bytes())
    content[252] = 3
    (tmp_path / "case.hdr").write_bytes(content)
    with pytest.raises(IngestError, match="orient 3") as caught:
        load(tmp_path / "case.hdr")
    assert caught.value.code is Reason.NO_ORIENTATION


def test_an_analyze_header_is_not_taken_for_nifti(tmp_path):
    nib.save(nib.AnalyzeImage(volume(), np.eye(4)), tmp_path / "case.img")
    content = (tmp_path / "case.hdr").read_bytes() + b"0000" + (tmp_path / "case.img").read_bytes()
    (tmp_path / "case.nii").write_bytes(content)
    with pytest.raises(IngestError, match="lacks the signature of NIfTI") as caught:
        load(tmp_path / "case.nii")
    assert caught.value.code is Reason.UNREADABLE


# ---- sform and pixdim


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("factor", [0.5, 1.02])
def test_a_pixdim_that_contradicts_the_sform_alone_is_refused(axis, factor, tmp_path):
    path = tmp_path / "case.nii"
    nib.save(image(qform=None), path)
    pixdim = np.array([1, 0.75, 0.5, 1.25, 0, 0, 0, 0])
    pixdim[axis] *= factor
    spoil(path, {"pixdim": pixdim})
    with pytest.raises(IngestError, match=r"its sform one of 0\.75 x 0\.5 x 1\.25:") as caught:
        load(path)
    assert caught.value.code is Reason.CONFLICTING_ORIENTATION
    assert f"{pixdim[axis]:.6g}" in str(caught.value)


@pytest.mark.parametrize("pixdim", [(0.752, 0.498, 1.25), (0, 0, 0), (-0.75, 0.5, 1.25)])
def test_a_pixdim_that_is_rounded_unset_or_signed_is_none(pixdim, tmp_path):
    path = tmp_path / "case.nii"
    nib.save(image(qform=None), path)
    spoil(path, {"pixdim": [1, *pixdim, 0, 0, 0, 0]})
    np.testing.assert_allclose(load(path)[1].affine, AFFINE, atol=1e-5)


def test_pixdim_of_an_axis_that_is_not_there_is_not_asked(tmp_path):
    path = tmp_path / "case.nii"
    nib.save(image(volume(shape=(4, 6)), qform=None), path)
    spoil(path, {"pixdim": [1, 0.75, 0.5, 7, 0, 0, 0, 0]})
    assert load(path)[1].spacing_mm == pytest.approx((0.75, 0.5, 1.25))


def test_pixdim_is_compared_in_the_unit_of_the_file(tmp_path):
    path = tmp_path / "case.nii"
    made = image(qform=None)
    made.header.set_xyzt_units("micron")
    nib.save(made, path)
    load_file(path, units="stated")
    spoil(path, {"pixdim": [1, 0.75, 0.5, 5, 0, 0, 0, 0]})
    with pytest.raises(IngestError, match=r"0\.75 x 0\.5 x 5, its sform") as caught:
        load_file(path, units="stated")
    assert caught.value.code is Reason.CONFLICTING_ORIENTATION


# ---- bounded memory


def test_a_file_that_is_no_nifti_is_refused(tmp_path):
    path = tmp_path / "case.nii"
    path.write_bytes(b"x" * 1000)
    with pytest.raises(IngestError, match="no NIfTI header") as caught:
        load(path)
    assert caught.value.code is Reason.UNREADABLE


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(IngestError, match="no such file") as caught:
        load(tmp_path / "case.nii")
    assert caught.value.code is Reason.NOT_FOUND


@pytest.mark.realdata
def test_real_files_are_read_as_nibabel_and_simpleitk_read_them(data_root):
    hippocampus = sorted((data_root / "hippocampus" / "imagesTr").glob("[!.]*.nii.gz"))[:10]
    files = sorted((data_root / "ct_small").glob("*.nii.gz")) + hippocampus
    assert len(files) >= 15
    for path in files:
        array, geometry = load(path)
        theirs = nib.load(path)
        np.testing.assert_array_equal(array, np.squeeze(theirs.get_fdata(dtype=np.float32)))
        np.testing.assert_allclose(geometry.affine, theirs.affine, atol=1e-4)
        reference = sitk.ReadImage(str(path))
        np.testing.assert_array_equal(array.T, sitk.GetArrayFromImage(reference))
        origin_lps = geometry.affine_lps[:3, 3]
        np.testing.assert_allclose(origin_lps, reference.GetOrigin(), atol=1e-3)
        np.testing.assert_allclose(geometry.spacing_mm, reference.GetSpacing(), rtol=1e-4)
