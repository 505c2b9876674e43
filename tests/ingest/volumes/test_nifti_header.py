"""Tests of medseg.ingest.volumes.nifti_header: a header is read as it is, or refused, never
mended."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from ingest.volumes.nifti_files import AFFINE, image, spoil, volume

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.volumes.file import read_file_header


@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "header_kind", "offset"),
    [(nib.Nifti1Image, nib.Nifti1Header, 352), (nib.Nifti2Image, nib.Nifti2Header, 544)],
)
def test_a_header_tells_where_the_voxels_are(kind, header_kind, offset, endianness, tmp_path):
    raw = header_kind(endianness=endianness)
    raw.set_data_dtype(np.int16)
    nib.save(kind(volume(shape=(4, 6, 5, 2)), AFFINE, header=raw), tmp_path / "case.nii")
    header = read_file_header(tmp_path / "case.nii")
    assert header.shape == (4, 6, 5, 2)
    assert header.geometry.shape == (4, 6, 5)
    assert header.volumes == 2
    assert header.dtype == np.dtype(f"{endianness}i2")
    assert header.offset == offset
    assert header.end == offset + 4 * 6 * 5 * 2 * 2 == (tmp_path / "case.nii").stat().st_size
    assert header.scaling is None


def test_scaling_is_told_apart_from_none(tmp_path):
    made = image()
    made.header.set_slope_inter(0.5, -3)
    nib.save(made, tmp_path / "case.nii")
    assert read_file_header(tmp_path / "case.nii").scaling == (0.5, -3.0)


@pytest.mark.parametrize("intercept", [9, np.nan, np.inf])
@pytest.mark.parametrize("slope", [0, -0.0, np.nan])
def test_a_slope_of_zero_or_nan_means_no_scaling_whatever_the_intercept(slope, intercept, tmp_path):
    nib.save(image(), tmp_path / "case.nii")
    spoil(tmp_path / "case.nii", {"scl_slope": slope, "scl_inter": intercept})
    array, _ = load(tmp_path / "case.nii")
    assert array.dtype == np.int16
    np.testing.assert_array_equal(array, volume())


@pytest.mark.parametrize(
    "scaling", [(np.inf, 0), (-np.inf, 0), (2, np.nan), (2, np.inf), (1, np.nan)]
)
def test_a_scaling_that_is_not_finite_is_refused(scaling, tmp_path):
    nib.save(image(), tmp_path / "case.nii")
    spoil(tmp_path / "case.nii", {"scl_slope": scaling[0], "scl_inter": scaling[1]})
    with pytest.raises(IngestError, match="states the scaling") as caught:
        load(tmp_path / "case.nii")
    assert caught.value.code is Reason.UNREADABLE


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"dim": [9, 4, 6, 5, 1, 1, 1, 1]}, Reason.UNREADABLE, "states 9 axes"),
        ({"dim": [3, 4, -6, 5, 1, 1, 1, 1]}, Reason.NOT_3D, r"shape \(4, -6, 5\)"),
        ({"dim": [1, 120, 1, 1, 1, 1, 1, 1]}, Reason.NOT_3D, "holds no volume"),
        ({"datatype": 77}, Reason.UNREADABLE, "unknown data type 77"),
        ({"datatype": 1}, Reason.VOXEL_TYPE, "voxels of type"),
        ({"datatype": 16}, Reason.UNREADABLE, "states 16 bits for a voxel of type float32"),
        ({"vox_offset": 0}, Reason.UNREADABLE, "start at byte 0, before 352"),
        ({"vox_offset": np.nan}, Reason.UNREADABLE, "start at byte nan"),
        ({"vox_offset": np.inf}, Reason.UNREADABLE, "start at byte inf"),
        ({"vox_offset": 3e38}, Reason.TRUNCATED, "holds at most 592"),
        ({"qform_code": 77}, Reason.INVALID_GEOMETRY, "qform_code 77 is not an orientation code"),
        ({"pixdim": [1, 0, 1, 1, 1, 1, 1, 1]}, Reason.INVALID_GEOMETRY, "must be invertible"),
        ({"pixdim": [1, -2, 1, 1, 1, 1, 1, 1]}, Reason.INVALID_GEOMETRY, "positive"),
        ({"quatern_b": 9}, Reason.INVALID_GEOMETRY, "case.nii"),
    ],
)
def test_a_header_is_not_mended_but_refused(fields, code, words, tmp_path):
    nib.save(image(sform=None), tmp_path / "case.nii")
    spoil(tmp_path / "case.nii", fields)
    with pytest.raises(IngestError, match=words) as caught:
        load(tmp_path / "case.nii")
    assert caught.value.code is code


def test_a_qfac_of_zero_means_one(tmp_path):
    nib.save(image(sform=None, qform=np.diag([2, 3, 4, 1])), tmp_path / "case.nii")
    spoil(tmp_path / "case.nii", {"pixdim": [0, 2, 3, 4, 1, 1, 1, 1]})
    np.testing.assert_allclose(load(tmp_path / "case.nii")[1].affine, np.diag([2, 3, 4, 1]))
