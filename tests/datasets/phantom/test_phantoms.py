"""Tests of medseg.datasets.phantom."""

import json
from itertools import pairwise

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 -- the name its manual uses
from scipy import ndimage

from medseg.datasets import lits, phantom
from medseg.datasets.phantom import liver_ct

CASES, TEST_CASES, SIZE, SLICES = 3, 2, 64, 24


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A phantom of five small cases."""
    out = tmp_path_factory.mktemp("phantom") / "ct"
    return phantom.write(
        "ct", out, cases=CASES, test_cases=TEST_CASES, seed=7, size=SIZE, slices=SLICES
    )


def _files(root, kind):
    return sorted([*root.glob(f"{kind}Tr/*.nii.gz"), *root.glob(f"{kind}Ts/*.nii.gz")])


def _ras(path):
    image = nib.as_closest_canonical(nib.load(path))
    return np.asanyarray(image.dataobj), image.affine


def _pairs(root):
    images, labels = _files(root, "images"), _files(root, "labels")
    return [(_ras(a)[0], _ras(b)[0]) for a, b in zip(images, labels, strict=True)]


def _headers(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def _centre(mask):
    return np.array(ndimage.center_of_mass(mask))


def test_the_set_is_read_as_task03_liver_and_its_test_cases_carry_labels(root):
    training = lits.cases(root, folds=3) + lits.cases(root, "validation", folds=3)
    assert sorted(item["case"] for item in training) == ["liver_000", "liver_001", "liver_002"]
    assert [item["case"] for item in lits.cases(root, "test", folds=3)] == [
        "liver_003",
        "liver_004",
    ]
    assert all("label" in item for item in lits.cases(root, "test", folds=3))


def test_dataset_json_says_that_the_set_is_synthetic(root):
    content = json.loads((root / "dataset.json").read_text())
    assert content["description"].startswith("synthetic")
    assert content["licence"] == "CC0"
    assert content["labels"] == {"0": "background", "1": "liver", "2": "tumour"}
    assert (content["numTraining"], content["numTest"]) == (CASES, TEST_CASES)


def test_image_and_label_share_one_grid_of_about_380_mm(root):
    for image, label in zip(_files(root, "images"), _files(root, "labels"), strict=True):
        a, b = nib.load(image), nib.load(label)
        assert a.shape == b.shape == (SIZE, SIZE, SLICES)
        assert np.array_equal(a.affine, b.affine)
        assert a.header["qform_code"] == a.header["sform_code"] == 1
        np.testing.assert_allclose(a.get_qform(), a.get_sform(), atol=1e-3)
        x, y, z = a.header.get_zooms()
        assert x == y
        assert x * SIZE == pytest.approx(380, rel=0.05)
        assert z == 5
        assert (a.get_data_dtype(), b.get_data_dtype()) == (np.int16, np.uint8)


def test_cases_differ_in_voxel_order_origin_and_spacing(root):
    affines = [nib.load(path).affine for path in _files(root, "images")]
    orders = ["".join(nib.aff2axcodes(affine)) for affine in affines]
    assert orders == ["LPS", "RAS", "LAS", "LPS", "RAS"]
    assert len({tuple(affine[:3, 3]) for affine in affines}) == 5
    assert len({abs(affine[0, 0]) for affine in affines}) == 5


def test_every_case_holds_liver_and_tumour_and_nothing_else(root):
    for _, label in _pairs(root):
        assert np.unique(label).tolist() == [0, 1, 2]


def test_the_liver_is_one_large_body_of_plausible_volume(root):
    for path in _files(root, "labels"):
        label, affine = _ras(path)
        parts, count = ndimage.label(label > 0)
        sizes = np.bincount(parts.ravel())[1:]
        assert sizes.max() / sizes.sum() > 0.98, count
        volume_ml = (label > 0).sum() * abs(np.linalg.det(affine)) / 1000
        assert 500 < volume_ml < 2500


def test_tumours_lie_within_the_liver_of_the_slices_beside_it(root):
    for _, label in _pairs(root):
        touching = ndimage.binary_dilation(label == 2, iterations=1) & (label != 2)
        assert (label[touching] == 1).mean() > 0.7


def test_ct_numbers_are_those_of_a_portal_venous_phase(root):
    for image, label in _pairs(root):
        assert image[0, 0].mean() == pytest.approx(-1000, abs=20)
        assert 95 < image[ndimage.binary_erosion(label == 1)].mean() < 125
        assert image[label == 2].mean() < image[label == 1].mean() - 20
        assert image.min() >= -1024
        assert image.max() <= 3071
        assert 8 < image[ndimage.binary_erosion(label == 1)].std() < 30


def test_the_liver_is_on_the_right_and_in_front_of_the_spine(root):
    for image, label in _pairs(root):
        middle = SIZE // 2
        spine = image[middle - 8 : middle + 8, :middle] > 250
        spine_x, spine_y, _ = _centre(spine) + np.array([middle - 8, 0, 0])
        liver_x, liver_y, _ = _centre(label > 0)
        assert liver_x > spine_x + 8
        assert liver_y > spine_y + 8


def test_no_window_of_ct_numbers_finds_the_liver(root):
    image, label = _pairs(root)[0]
    smooth, truth = ndimage.gaussian_filter(image.astype(float), 0.7), label > 0
    edges = range(40, 200, 10)
    best = max(
        2 * (found & truth).sum() / (found.sum() + truth.sum())
        for low in edges
        for high in edges
        if low < high
        for found in [(smooth > low) & (smooth < high)]
    )
    assert 0.4 < best < 0.8


def test_the_liver_is_continuous_through_the_slices(root):
    for _, label in _pairs(root):
        filled = np.flatnonzero((label > 0).any(axis=(0, 1)))
        assert np.array_equal(filled, np.arange(filled[0], filled[-1] + 1))
        for k, after in pairwise(filled[2:-2]):
            assert ((label[..., k] > 0) & (label[..., after] > 0)).any()


def test_the_lowest_slice_is_without_liver_in_some_cases_and_not_in_others(tmp_path):
    out = phantom.write("ct", tmp_path / "ct", cases=8, test_cases=0, size=48)
    lowest = [(label[..., 0] > 0).any() for _, label in _pairs(out)]
    assert 0 < sum(lowest) < 8


def test_a_finer_matrix_shows_the_same_patient(tmp_path):
    volumes_ml = []
    for size in (64, 128):
        out = phantom.write("ct", tmp_path / str(size), cases=1, test_cases=0, seed=3, size=size)
        label, affine = _ras(_files(out, "labels")[0])
        counts = np.bincount(label.ravel(), minlength=3)[1:]
        volumes_ml.append(counts * abs(np.linalg.det(affine)) / 1000)
    np.testing.assert_allclose(volumes_ml[0][0], volumes_ml[1][0], rtol=0.03)
    np.testing.assert_allclose(volumes_ml[0][1], volumes_ml[1][1], rtol=0.15)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(root, tmp_path):
    again = phantom.write(
        "ct", tmp_path / "a", cases=CASES, test_cases=TEST_CASES, seed=7, size=SIZE, slices=SLICES
    )
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    assert len(files) == 2 + 2 * 5 + TEST_CASES * SLICES
    assert all((root / name).read_bytes() == (again / name).read_bytes() for name in files)
    other = phantom.write("ct", tmp_path / "b", cases=1, seed=8, size=SIZE, slices=SLICES)
    assert not np.array_equal(_pairs(other)[0][0], _pairs(root)[0][0])


def test_a_case_does_not_depend_on_how_many_are_written(root, tmp_path):
    out = phantom.write(
        "ct", tmp_path / "ct", cases=1, test_cases=0, seed=7, size=SIZE, slices=SLICES
    )
    assert np.array_equal(_pairs(out)[0][0], _pairs(root)[0][0])


@pytest.mark.parametrize("case", ["liver_003", "liver_004"])
def test_the_dicom_series_holds_the_voxels_and_the_places_of_the_nifti(root, case):
    folder = root / "dicom" / case
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    series = sitk.ReadImage(names)
    nifti = sitk.ReadImage(str(root / "imagesTs" / f"{case}.nii.gz"))
    nifti = sitk.DICOMOrient(nifti, "LPS")
    assert np.array_equal(sitk.GetArrayFromImage(series), sitk.GetArrayFromImage(nifti))
    np.testing.assert_allclose(series.GetOrigin(), nifti.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(series.GetSpacing(), nifti.GetSpacing(), atol=1e-4)
    np.testing.assert_allclose(series.GetDirection(), nifti.GetDirection(), atol=1e-6)


def test_highdicom_reads_the_series_as_one_regular_volume(root):
    highdicom = pytest.importorskip("highdicom")
    folder = root / "dicom" / "liver_003"
    volume = highdicom.get_volume_from_series(_headers(folder))
    array, affine = _ras(root / "imagesTs" / "liver_003.nii.gz")
    ras = volume.to_patient_orientation("LPS")
    assert np.array_equal(np.asarray(ras.array).astype(int), array[::-1, ::-1])
    corner = affine @ [SIZE - 1, SIZE - 1, 0, 1]
    np.testing.assert_allclose(ras.affine[:3, 3], corner[:3] * [-1, -1, 1], atol=1e-3)


def test_the_order_of_the_dicom_files_is_not_the_order_of_the_slices(root):
    headers = _headers(root / "dicom" / "liver_003")
    heights = [header.ImagePositionPatient[2] for header in headers]
    assert heights != sorted(heights)
    assert heights != sorted(heights, reverse=True)
    by_number = sorted(headers, key=lambda header: header.InstanceNumber)
    gaps = np.diff([float(header.ImagePositionPatient[2]) for header in by_number])
    np.testing.assert_allclose(gaps, 5)


def test_dicom_uids_are_one_per_image_and_differ_between_cases(root):
    first, second = (_headers(root / "dicom" / case) for case in ("liver_003", "liver_004"))
    assert len({header.SOPInstanceUID for header in first + second}) == 2 * SLICES
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({header[keyword].value for header in first}) == 1
        assert first[0][keyword].value != second[0][keyword].value


def test_the_dicom_patient_is_plainly_synthetic(root):
    header = _headers(root / "dicom" / "liver_003")[0]
    assert header.PatientID == "PHANTOM-7-003"
    assert "Synthetic" in str(header.PatientName)
    assert header.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert (header.RescaleIntercept, header.RescaleSlope) == (-1024, 1)


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="phantom kind 'pet' is unknown: choose one of ct"):
        phantom.write("pet", tmp_path / "new", cases=1, seed=0)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cases": 0}, "cases is 0: choose 1 to 100000"),
        ({"test_cases": -1}, "test_cases is -1: choose 0 to 100000"),
        ({"seed": -1}, "seed is -1: choose 0 to 4294967295"),
        ({"size": 32}, "size is 32: choose 48 to 2048"),
        ({"slices": 0}, "slices is 0: choose 1 to 2048"),
        ({"slices": 4000}, "slices is 4000: choose 1 to 2048"),
        ({"cases": 99999999999}, "cases is 99999999999: choose 1 to 100000"),
        ({"size": 100000}, "size is 100000: choose 48 to 2048"),
        ({"thickness_mm": 0.0}, r"thickness_mm is 0\.0: choose 0\.5 to 10"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        phantom.write("ct", tmp_path / "new", **arguments)


def test_a_single_slice_is_written_with_liver_in_it(tmp_path):
    out = phantom.write("ct", tmp_path / "ct", cases=1, test_cases=1, size=48, slices=1)
    image, label = _pairs(out)[0]
    assert image.shape == (48, 48, 1)
    assert (label > 0).any()


def test_an_empty_folder_is_filled_and_a_full_one_refused_untouched(tmp_path):
    phantom.write("ct", tmp_path / "empty" / "ct", cases=1, test_cases=0, size=48, slices=2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="full exists and is no phantom"):
            phantom.write("ct", tmp_path / "full", cases=1, overwrite=overwrite)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_phantom_is_replaced_whole_but_only_when_asked(tmp_path):
    small = {"test_cases": 0, "size": 48, "slices": 2}
    out = tmp_path / "ct"
    out.mkdir()
    phantom.write("ct", out, cases=2, **small)
    with pytest.raises(FileExistsError, match=r"holds a phantom already: .* overwrite=True"):
        phantom.write("ct", out, cases=1, **small)
    assert len(_files(out, "images")) == 2
    phantom.write("ct", out, cases=1, overwrite=True, **small)
    assert len(_files(out, "images")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]


def test_a_failure_on_the_way_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(liver_ct, "write_ct_series", fail)
    with pytest.raises(OSError, match="disk full"):
        phantom.write("ct", tmp_path / "ct", cases=1, size=48, slices=2)
    assert list(tmp_path.iterdir()) == []
