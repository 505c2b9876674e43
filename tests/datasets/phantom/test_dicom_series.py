"""Tests of medseg.datasets.phantom.dicom_series: one regular CT series of the voxels given."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 -- the name its manual uses
from datasets.phantom.written_files import SIZE, SLICES, load_ras, read_headers


@pytest.mark.parametrize("case", ["liver_003", "liver_004"])
def test_the_dicom_series_holds_the_voxels_and_the_places_of_the_nifti(ct_root, case):
    folder = ct_root / "dicom" / case
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    series = sitk.ReadImage(names)
    nifti = sitk.ReadImage(str(ct_root / "imagesTs" / f"{case}.nii.gz"))
    nifti = sitk.DICOMOrient(nifti, "LPS")
    assert np.array_equal(sitk.GetArrayFromImage(series), sitk.GetArrayFromImage(nifti))
    np.testing.assert_allclose(series.GetOrigin(), nifti.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(series.GetSpacing(), nifti.GetSpacing(), atol=1e-4)
    np.testing.assert_allclose(series.GetDirection(), nifti.GetDirection(), atol=1e-6)


def test_highdicom_reads_the_series_as_one_regular_volume(ct_root):
    highdicom = pytest.importorskip("highdicom")
    folder = ct_root / "dicom" / "liver_003"
    volume = highdicom.get_volume_from_series(read_headers(folder))
    array, affine = load_ras(ct_root / "imagesTs" / "liver_003.nii.gz")
    ras = volume.to_patient_orientation("LPS")
    assert np.array_equal(np.asarray(ras.array).astype(int), array[::-1, ::-1])
    corner = affine @ [SIZE - 1, SIZE - 1, 0, 1]
    np.testing.assert_allclose(ras.affine[:3, 3], corner[:3] * [-1, -1, 1], atol=1e-3)


def test_the_order_of_the_dicom_files_is_not_the_order_of_the_slices(ct_root):
    headers = read_headers(ct_root / "dicom" / "liver_003")
    heights = [header.ImagePositionPatient[2] for header in headers]
    assert heights != sorted(heights)
    assert heights != sorted(heights, reverse=True)
    by_number = sorted(headers, key=lambda header: header.InstanceNumber)
    gaps = np.diff([float(header.ImagePositionPatient[2]) for header in by_number])
    np.testing.assert_allclose(gaps, 5)


def test_dicom_uids_are_one_per_image_and_differ_between_cases(ct_root):
    first, second = (read_headers(ct_root / "dicom" / case) for case in ("liver_003", "liver_004"))
    assert len({header.SOPInstanceUID for header in first + second}) == 2 * SLICES
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({header[keyword].value for header in first}) == 1
        assert first[0][keyword].value != second[0][keyword].value


def test_the_dicom_patient_is_plainly_synthetic(ct_root):
    header = read_headers(ct_root / "dicom" / "liver_003")[0]
    assert header.PatientID == "PHANTOM-7-003"
    assert "Synthetic" in str(header.PatientName)
    assert header.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert (header.RescaleIntercept, header.RescaleSlope) == (-1024, 1)
