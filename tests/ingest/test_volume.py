"""Tests of medseg.ingest.volume, on real data against SimpleITK, references and declared facts."""

from __future__ import annotations

import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  # its documentation's own alias
from ingest.dicom_writer import make_series, write_series

from medseg.geometry import Geometry
from medseg.ingest import IngestError, Reason, Verdict, find_series, load

WG04_IMAGES = ["CT1", "CT2", "MR1", "MR2", "MR3", "MR4"]


def read_with_simpleitk(files):
    """(I, J, K) array and geometry of SimpleITK, given the files in slice order."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    image = reader.Execute()
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).transpose(2, 1, 0), Geometry.from_lps(
        image.GetSize(), affine
    )


def test_ingest_does_not_import_torch():
    code = "import sys, medseg.ingest; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_suffix_decides_between_nifti_and_dicom(tmp_path):
    write_series(tmp_path / "ct", make_series())
    array, geometry = load(tmp_path / "ct")
    nib.save(nib.Nifti1Image(array, geometry.affine), tmp_path / "ct.nii.gz")
    again, same = load(str(tmp_path / "ct.nii.gz"))
    np.testing.assert_array_equal(array, again)
    assert same.same_grid(geometry)


@pytest.mark.realdata
@pytest.mark.parametrize("image", WG04_IMAGES)
@pytest.mark.parametrize("codec", ["J2KR", "JLSL", "JPLL", "RLE"])
def test_lossless_files_equal_their_reference_pixel_for_pixel(data_root, codec, image):
    folder = data_root / "dicom" / "dicom_wg04_compressed"
    expected, grid = load(folder / "REF" / f"{image}_UNC")
    array, geometry = load(folder / codec / f"{image}_{codec}")
    np.testing.assert_array_equal(array, expected)
    assert geometry == grid
    assert array.dtype == expected.dtype


@pytest.mark.realdata
@pytest.mark.parametrize("image", WG04_IMAGES)
@pytest.mark.parametrize("codec", ["REF", "J2KI", "JLSN", "JPLY"])
def test_other_files_equal_what_simpleitk_decodes(data_root, codec, image):
    suffix = "UNC" if codec == "REF" else codec
    file = data_root / "dicom" / "dicom_wg04_compressed" / codec / f"{image}_{suffix}"
    if not file.is_file():
        pytest.skip(f"{image} does not come in {codec}")
    expected, _ = read_with_simpleitk([file])
    array, _ = load(file)
    is_padding = (array == -1024) & (expected < -1024)
    np.testing.assert_allclose(np.where(is_padding, expected, array), expected, atol=1e-3)


@pytest.mark.realdata
@pytest.mark.parametrize(
    "folder",
    [
        "lidc/LIDC-IDRI-0314",
        "ct_small/example_ct_dicom",
        "dicom/dcmqi_ct_liver_seg/ct-3slice",
        "dicom/dcmqi_ct_liver_seg/23x38x3/image",
        "dicom/rt_utils_dicom/oriented_data",
    ],
)
def test_real_series_equal_simpleitk_in_values_and_in_the_world(data_root, folder):
    (series,) = find_series(data_root / folder)
    assert series.verdict is not Verdict.REFUSE
    array, geometry = load(data_root / folder)
    expected, grid = read_with_simpleitk(series.files)
    assert geometry.same_grid(grid), geometry.difference(grid)
    is_padding = (array == -1024) & (expected < -1024)
    np.testing.assert_allclose(np.where(is_padding, expected, array), expected, rtol=1e-6)


@pytest.mark.realdata
def test_lidc_is_in_hounsfield_units_of_16_bits(data_root):
    array, geometry = load(data_root / "lidc" / "LIDC-IDRI-0314")
    assert array.dtype == np.int16
    assert geometry.shape == (512, 512, 96)
    assert geometry.spacing_mm == pytest.approx((0.78125, 0.78125, 1.0))
    assert -1000 <= np.median(array) <= 100


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("MR_truncated.dcm", Reason.TRUNCATED),
        ("emri_small.dcm", Reason.MULTI_FRAME),
        ("emri_small_jpeg_2k_lossless.dcm", Reason.MULTI_FRAME),
        ("eCT_Supplemental.dcm", Reason.MULTI_FRAME),
        ("rtdose.dcm", Reason.NOT_AN_IMAGE),
        ("liver.dcm", Reason.NOT_AN_IMAGE),
        ("ExplVR_BigEnd.dcm", Reason.COLOUR),
        ("no_meta.dcm", Reason.UNREADABLE),
        ("meta_missing_tsyntax.dcm", Reason.UNREADABLE),
    ],
)
def test_what_is_not_supported_is_refused(data_root, file, reason):
    with pytest.raises(IngestError) as caught:
        load(data_root / "dicom" / "dicom_pydicom_misc" / file)
    assert caught.value.code is reason


@pytest.mark.realdata
@pytest.mark.parametrize(
    "variant",
    ["", "_RLE", "_bigendian", "_implicit", "_padded", "_jp2klossless", "_jpeg_ls_lossless"],
)
def test_every_encoding_of_one_slice_gives_the_same_volume(data_root, variant):
    folder = data_root / "dicom" / "dicom_pydicom_misc"
    expected, _ = load(folder / "MR_small.dcm")
    np.testing.assert_array_equal(load(folder / f"MR_small{variant}.dcm")[0], expected)


@pytest.mark.realdata
@pytest.mark.parametrize(
    "pattern", ["ct_small/*.nii.gz", "hippocampus/imagesTr/hippocampus_00*.nii.gz"]
)
def test_real_nifti_equals_nibabel(data_root, pattern):
    files = sorted(data_root.glob(pattern))[:6]
    assert files
    for file in files:
        array, geometry = load(file)
        image = nib.load(file)
        np.testing.assert_array_equal(array, np.asarray(image.dataobj))
        np.testing.assert_allclose(geometry.affine, image.affine)
