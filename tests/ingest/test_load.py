"""Tests of medseg.ingest.load, on real data against SimpleITK, references and declared facts."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  # its documentation's own alias
from ingest.dicom_writer import (
    AXIAL,
    CORONAL,
    OBLIQUE,
    SAGITTAL,
    compress_series,
    make_enhanced,
    make_series,
    ramp,
    write_series,
)
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    NuclearMedicineImageStorage,
    RLELossless,
    XRayAngiographicImageStorage,
)

from medseg.geometry import Geometry
from medseg.ingest import IngestError, Reason, Verdict, find_series, load, read_series

WG04_IMAGES = ["CT1", "CT2", "MR1", "MR2", "MR3", "MR4"]


def read_with_simpleitk(files):
    """(I, J, K) array and geometry of SimpleITK, given the files in slice order."""
    names = [str(file) for file in files]
    image = sitk.ReadImage(names if len(names) > 1 else names[0])
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


IN_OTHER_CODECS = [
    (codec, image)
    for codec, image in product(("REF", "J2KI", "JLSN", "JPLY"), WG04_IMAGES)
    if codec != "JPLY" or image.startswith("MR")  # 12-bit lossy JPEG has no signed CT
]


@pytest.mark.realdata
@pytest.mark.parametrize(("codec", "image"), IN_OTHER_CODECS)
def test_other_files_equal_what_simpleitk_decodes(data_root, codec, image):
    suffix = "UNC" if codec == "REF" else codec
    file = data_root / "dicom" / "dicom_wg04_compressed" / codec / f"{image}_{suffix}"
    expected, _ = read_with_simpleitk([file])
    array, _ = load(file)
    is_padding = (array == -1024) & (expected < -1024)
    np.testing.assert_allclose(np.where(is_padding, expected, array), expected, atol=1e-3)


def series_of_both(folder):
    """Each series of a folder that we accept, with SimpleITK's own list of its files in order."""
    ours = {frozenset(s.files): s for s in find_series(folder) if s.verdict is not Verdict.REFUSE}
    for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        series = ours.get(frozenset(Path(name) for name in names))
        if series is not None:
            yield series, names


def upside_down(array, grid):
    """The same volume with its slices in the other order."""
    turned = np.diag([1.0, 1.0, -1.0, 1.0])
    turned[2, 3] = grid.shape[2] - 1
    return array[..., ::-1], Geometry(grid.shape, grid.affine @ turned)


def check_against_simpleitk(series, names):
    array, geometry = read_series(series)
    expected, grid = read_with_simpleitk(names)
    if grid.direction[:, 2] @ geometry.direction[:, 2] < 0:  # frames of one file stay as stored
        expected, grid = upside_down(expected, grid)
    assert geometry.same_grid(grid), f"{names[0]}: {geometry.describe_difference(grid)}"
    is_padding = (array == -1024) & (expected < -1024)
    np.testing.assert_allclose(
        np.where(is_padding, expected, array), expected, rtol=1e-6, atol=1e-3, err_msg=names[0]
    )


@pytest.mark.long
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("source", "least"),
    [
        *(("dicom/dcmqi_ct_liver_seg", 5), ("dicom/dicom_pydicom_misc", 4)),
        *(("dicom/dicom_wg04_compressed", 46), ("dicom/rt_utils_dicom", 2)),
        *(("lidc", 1), ("ct_small", 1)),
    ],
)
def test_every_real_series_equals_simpleitk_in_values_and_in_the_world(data_root, source, least):
    """Both choose and order the files by themselves; `least` is how many series both accept."""
    files = [f for f in (data_root / source).rglob("*") if f.is_file() and f.suffix != ".csv"]
    both = [pair for d in sorted({f.parent for f in files}) for pair in series_of_both(d)]
    for series, names in both:
        check_against_simpleitk(series, names)
    assert len(both) >= least


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, CORONAL, OBLIQUE])
@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless])
def test_every_written_series_equals_simpleitk(tmp_path, orientation, is_descending, syntax):
    slices = make_series(np.arange(5 * 64 * 70, dtype=np.int16).reshape(5, 64, 70) // 7)
    if syntax.is_compressed:
        compress_series(slices, syntax)
    for number, dataset in enumerate(make_series(np.zeros((5, 64, 70)), orientation=orientation)):
        for keyword in ("ImageOrientationPatient", "ImagePositionPatient"):
            setattr(slices[number], keyword, dataset[keyword].value)
    write_series(tmp_path, slices[::-1] if is_descending else slices)
    ((series, names),) = series_of_both(tmp_path)
    check_against_simpleitk(series, names)


def test_a_written_multi_frame_object_equals_simpleitk(tmp_path):
    path = tmp_path / "enhanced.dcm"
    make_enhanced(make_series(orientation=OBLIQUE)).save_as(path, enforce_file_format=True)
    (series,) = find_series(path)
    check_against_simpleitk(series, [str(path)])


def both_volumes(folder):
    """What we load and what SimpleITK reads of the same files, in one order."""
    ((series, names),) = series_of_both(folder)
    array, geometry = read_series(series)
    expected, grid = read_with_simpleitk(names)
    assert geometry.same_grid(grid), geometry.describe_difference(grid)
    return array, expected


def test_monochrome1_is_as_stored_where_simpleitk_inverts_it(tmp_path):
    """SimpleITK turns a signed 16 bit value v into -1 - v before it rescales; ours is v - 1024."""
    slices = make_series()
    for dataset in slices:
        dataset.PhotometricInterpretation = "MONOCHROME1"
    write_series(tmp_path, slices)
    array, expected = both_volumes(tmp_path)
    np.testing.assert_array_equal(array, ramp().transpose(2, 1, 0) - 1024)
    np.testing.assert_array_equal(expected, -1 - ramp().transpose(2, 1, 0) - 1024)


def test_padding_of_ct_is_air_where_simpleitk_rescales_it(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.PixelPaddingValue = 30
    write_series(tmp_path, slices)
    array, expected = both_volumes(tmp_path)
    is_padding = ramp().transpose(2, 1, 0) == 30
    assert (array[is_padding], expected[is_padding]) == (-1024, 30 - 1024)
    np.testing.assert_array_equal(array[~is_padding], expected[~is_padding])


def test_a_range_of_padding_of_ct_is_air_where_simpleitk_rescales_it(tmp_path):
    """PixelPaddingValue and PixelPaddingRangeLimit are the ends, both within (C.7.5.1.1.2)."""
    slices = make_series()
    for dataset in slices:
        dataset.PixelPaddingValue, dataset.PixelPaddingRangeLimit = 40, 30
    write_series(tmp_path, slices)
    array, expected = both_volumes(tmp_path)
    stored = ramp().transpose(2, 1, 0)
    is_padding = (stored >= 30) & (stored <= 40)
    assert is_padding.sum() == 11
    assert set(array[is_padding]) == {-1024}
    np.testing.assert_array_equal(expected, stored - 1024)
    np.testing.assert_array_equal(array[~is_padding], expected[~is_padding])


def test_fractions_are_rounded_once_to_single_where_simpleitk_keeps_double(tmp_path):
    """Half a unit in the last place of a number from 256 to 512 is 2**-16, about 1.5e-5."""
    slices = make_series(ramp((5, 32, 32)))
    for dataset in slices:
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.1", "0"
    write_series(tmp_path, slices)
    array, expected = both_volumes(tmp_path)
    assert (array.dtype, expected.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(array, expected.astype(np.float32))
    off = np.abs(array - expected)[(expected > 256) & (expected < 512)].max()
    assert 0.5 * 2**-16 < off <= 2**-16


def test_the_rescale_of_each_slice_is_its_own_in_both(tmp_path):
    slices = make_series()
    for k, dataset in enumerate(slices):
        dataset.RescaleSlope, dataset.RescaleIntercept = k + 1, -1000 + k
    write_series(tmp_path, slices)
    array, expected = both_volumes(tmp_path)
    by_hand = [plane.T * (k + 1) - 1000 + k for k, plane in enumerate(ramp())]
    np.testing.assert_array_equal(array, np.stack(by_hand, axis=-1))
    np.testing.assert_array_equal(expected, array)


def test_a_fraction_after_whole_rescales_is_kept_where_simpleitk_cuts_it(tmp_path):
    """SimpleITK takes the type of voxels from the first slice, whose rescale is whole."""
    slices = make_series()
    for k, dataset in enumerate(slices):
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{1 + k / 2}", 0
    write_series(tmp_path, slices)
    array, expected = both_volumes(tmp_path)
    by_hand = np.stack([plane.T * (1 + k / 2) for k, plane in enumerate(ramp())], axis=-1)
    np.testing.assert_array_equal(array, by_hand)
    np.testing.assert_array_equal(expected, np.trunc(by_hand))
    assert (array != expected).any()


def test_rounded_positions_give_the_grid_of_simpleitk(tmp_path):
    """Its step is the mean step, and so is ours while that keeps every slice in its place."""
    slices = make_series(step_mm=0.625)
    for dataset, z in zip(slices, ("0", "0.63", "1.25", "1.88", "2.50"), strict=True):
        dataset.ImagePositionPatient = ["0", "0", z]
    write_series(tmp_path, slices)
    array, expected = both_volumes(tmp_path)
    np.testing.assert_array_equal(array, expected)


def test_a_nearer_grid_than_that_of_simpleitk_is_off_it_by_no_more_than_the_rounding(tmp_path):
    """Its grid goes through the ends, 0.04 mm up; the slices between are 0.08 mm below that."""
    slices = make_series()
    for dataset, mm in zip(slices, (0.04, -0.04, -0.04, -0.04, 0.04), strict=True):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, round(z + mm, 6)]
    write_series(tmp_path, slices)
    ((series, names),) = series_of_both(tmp_path)
    _, grid = read_with_simpleitk(names)
    np.testing.assert_allclose(grid.affine[:3, :3], series.geometry.affine[:3, :3], atol=1e-9)
    apart_mm = np.subtract(grid.origin_mm, series.geometry.origin_mm)
    np.testing.assert_allclose(apart_mm, (0, 0, 0.04), atol=1e-9)


def test_frames_are_sorted_where_simpleitk_keeps_the_order_of_the_file(tmp_path):
    path = tmp_path / "enhanced.dcm"
    make_enhanced(make_series()[::-1]).save_as(path, enforce_file_format=True)
    array, _ = load(path)
    expected, _ = read_with_simpleitk([path])
    np.testing.assert_array_equal(array, ramp().transpose(2, 1, 0) - 1024)
    np.testing.assert_array_equal(expected, array[..., ::-1])


def test_one_slice_is_as_thick_as_it_says_where_simpleitk_takes_the_spacing(tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)))
    dataset.SliceThickness, dataset.SpacingBetweenSlices = 5, 6
    paths = write_series(tmp_path, [dataset])
    array, geometry = load(tmp_path)
    expected, grid = read_with_simpleitk(paths)
    np.testing.assert_array_equal(array, expected)
    assert geometry.spacing_mm == pytest.approx((0.75, 0.5, 5))
    assert grid.spacing_mm == pytest.approx((0.75, 0.5, 6))


@pytest.mark.parametrize(
    ("modality", "sop_class", "spacing_mm", "origin_mm"),
    [
        ("XA", XRayAngiographicImageStorage, (1, 1, 1.25), (10, -20, -30)),
        ("NM", NuclearMedicineImageStorage, (0.75, 0.5, 1), (0, 0, 0)),
    ],
)
def test_the_place_of_xa_and_nm_is_as_stated_where_simpleitk_drops_it(
    modality, sop_class, spacing_mm, origin_mm, tmp_path
):
    """Their objects have no Image Plane module, so that SimpleITK ignores what is there of it."""
    slices = make_series()
    for dataset in slices:
        dataset.Modality = modality
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    paths = write_series(tmp_path, slices, shuffle_seed=None)
    array, geometry = load(tmp_path)
    expected, grid = read_with_simpleitk(paths)
    np.testing.assert_array_equal(array, expected)
    assert geometry.spacing_mm == pytest.approx((0.75, 0.5, 1.25))
    assert geometry.origin_mm == pytest.approx((10, -20, -30))
    assert grid.spacing_mm == pytest.approx(spacing_mm)
    assert grid.origin_mm == pytest.approx(origin_mm)


@pytest.mark.realdata
def test_lossy_jpeg_of_12_bits_is_what_simpleitk_reads(data_root):
    """Without rescale: both round the cosine transform alike."""
    file = data_root / "dicom" / "dicom_wg04_compressed" / "JPLY" / "MR1_JPLY"
    expected, _ = read_with_simpleitk([file])
    array, _ = load(file)
    np.testing.assert_array_equal(array, expected)


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
