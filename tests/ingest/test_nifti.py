"""Tests of medseg.ingest.nifti: a header is believed only when it makes sense."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from medseg.ingest import IngestError, Reason, load

AFFINE = np.array([[-0.75, 0, 0, 10], [0, -0.5, 0, -20], [0, 0, 1.25, -30], [0, 0, 0, 1]])


def volume(dtype=np.int16, shape=(4, 6, 5)):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def image(data=None, *, sform=AFFINE, qform=AFFINE, kind=nib.Nifti1Image):
    made = kind(volume() if data is None else data, AFFINE)
    made.set_sform(sform, code=int(sform is not None))
    made.set_qform(qform, code=int(qform is not None))
    made.header.set_xyzt_units("mm")
    return made


def refusal(made, tmp_path):
    path = tmp_path / "case.nii.gz"
    nib.save(made, path)
    with pytest.raises(IngestError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


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


def test_a_big_endian_file_reads_the_same(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    made = nib.Nifti1Image(volume(), AFFINE, header=header)
    nib.save(made, tmp_path / "case.nii")
    array, _ = load(tmp_path / "case.nii")
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, volume())


def test_scaling_is_applied_in_single_precision(tmp_path):
    made = image()
    made.header.set_slope_inter(0.5, -3)
    nib.save(made, tmp_path / "case.nii")
    array, _ = load(tmp_path / "case.nii")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, volume() * 0.5 - 3)


def test_double_precision_becomes_single(tmp_path):
    nib.save(image(volume(np.float64)), tmp_path / "case.nii")
    assert load(tmp_path / "case.nii")[0].dtype == np.float32


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
    assert refusal(image(volume(np.complex64)), tmp_path).code is Reason.PIXEL_FORMAT
    rgb = np.zeros((4, 6, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert refusal(image(rgb), tmp_path).code is Reason.PIXEL_FORMAT


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
    assert error.code is Reason.INVALID_GEOMETRY
    assert "shear" in str(error)


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


def test_other_units_than_millimetres_are_refused(tmp_path):
    made = image()
    made.header.set_xyzt_units("micron")
    assert refusal(made, tmp_path).code is Reason.NOT_MILLIMETRES


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(suffix, part, tmp_path):
    path = tmp_path / f"case{suffix}"
    nib.save(image(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(IngestError) as caught:
        load(path)
    assert caught.value.code is Reason.TRUNCATED


def test_a_gzip_whose_checksum_fails_is_refused(tmp_path):
    path = tmp_path / "case.nii.gz"
    nib.save(image(), path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(IngestError, match=r"gzip stream of .* is damaged") as caught:
        load(path)
    assert caught.value.code is Reason.UNREADABLE


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


@pytest.mark.parametrize("content", [b"plain text, not a scan", b"x"])
def test_a_file_that_is_no_gzip_is_not_called_damaged(tmp_path, content):
    path = tmp_path / "text.nii.gz"
    path.write_bytes(content)
    with pytest.raises(IngestError, match=r"text\.nii\.gz is no gzip file") as caught:
        load(path)
    assert caught.value.code is Reason.UNKNOWN_FORMAT
