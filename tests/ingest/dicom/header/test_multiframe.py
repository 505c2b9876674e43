"""Tests of medseg.ingest.dicom.header.multiframe: enhanced objects give the volume of their single
slices."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import OBLIQUE, as_big_endian, make_enhanced, make_series, ramp
from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    RLELossless,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load

EXPECTED = ramp().transpose(2, 1, 0) - 1024
ORDER = (3, 0, 4, 1, 2)


def written(dataset, tmp_path, name="enhanced.dcm"):
    dataset.save_as(tmp_path / name, enforce_file_format=True)
    return tmp_path / name


def shuffled(**options):
    """One series whose frames are in no order."""
    slices = make_series(**options)
    return [slices[k] for k in ORDER]


@pytest.mark.parametrize(
    "sop_class", [EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage]
)
def test_frames_are_sorted_by_position_on_the_grid_of_single_slices(sop_class, tmp_path):
    slices = shuffled(orientation=OBLIQUE)
    for k, dataset in enumerate(slices):
        dataset.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)
    expected, grid = load(tmp_path)
    array, geometry = load(written(make_enhanced(slices, sop_class), tmp_path))
    np.testing.assert_array_equal(array, expected)
    assert geometry == grid


def test_an_enhanced_object_is_one_file_of_an_accepted_series(tmp_path):
    path = written(make_enhanced(shuffled(uid="1.2.3")), tmp_path)
    (series,) = find_series(path)
    assert (series.verdict, series.uid, series.files) == (Verdict.ACCEPT, "1.2.3", (path,))
    assert [s.frame for s in series.slices] == [ORDER.index(k) for k in range(5)]


def test_an_enhanced_mr_needs_no_rescale_and_takes_it_frame_by_frame(tmp_path):
    slices = shuffled()
    for dataset, k in zip(slices, ORDER, strict=True):
        dataset.Modality, dataset.RescaleSlope, dataset.RescaleIntercept = "MR", k + 0.5, -k
    array, _ = load(written(make_enhanced(slices, EnhancedMRImageStorage), tmp_path))
    places = np.arange(5)
    np.testing.assert_array_equal(array, ramp().transpose(2, 1, 0) * (places + 0.5) - places)
    for dataset in slices:
        del dataset.RescaleSlope, dataset.RescaleIntercept
    plain = written(make_enhanced(slices, EnhancedMRImageStorage), tmp_path)
    np.testing.assert_array_equal(load(plain)[0], ramp().transpose(2, 1, 0))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_frames_are_decoded_one_by_one(syntax, tmp_path):
    stored = np.random.default_rng(0).integers(0, 3000, (5, 64, 72)).astype(np.int16)
    dataset = make_enhanced(shuffled(stored=stored))
    dataset.compress(syntax, generate_instance_uid=False)
    array, _ = load(written(dataset, tmp_path))
    np.testing.assert_array_equal(array, stored.transpose(2, 1, 0) - 1024)


def test_big_endian_frames_are_read(tmp_path):
    array, _ = load(written(as_big_endian(make_enhanced(shuffled())), tmp_path))
    np.testing.assert_array_equal(array, EXPECTED)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_uncompressed_frames_are_read(syntax, tmp_path):
    dataset = make_enhanced(shuffled())
    dataset.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(load(written(dataset, tmp_path))[0], EXPECTED)


def test_a_macro_may_be_stated_for_each_frame_or_shared(tmp_path):
    dataset = make_enhanced(shuffled())
    (shared,) = dataset.SharedFunctionalGroupsSequence
    for group in dataset.PerFrameFunctionalGroupsSequence:
        group.PixelMeasuresSequence = shared.PixelMeasuresSequence
    del shared.PixelMeasuresSequence
    rescale = dataset.PerFrameFunctionalGroupsSequence[0].PixelValueTransformationSequence
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.PixelValueTransformationSequence
    shared.PixelValueTransformationSequence = rescale
    np.testing.assert_array_equal(load(written(dataset, tmp_path))[0], EXPECTED)


def test_a_series_may_be_spread_over_several_objects(tmp_path):
    slices = make_series()
    for name, part in (("a", slices[3:]), ("b", slices[:3])):
        written(make_enhanced(part), tmp_path, name)
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)


def test_one_frame_is_a_single_slice(tmp_path):
    path = written(make_enhanced(make_series(ramp((1, 6, 4)))), tmp_path)
    (series,) = find_series(path)
    assert (series.reason, series.geometry.shape) == (Reason.SINGLE_SLICE, (4, 6, 1))


def refused(dataset, tmp_path):
    with pytest.raises(IngestError) as caught:
        load(written(dataset, tmp_path))
    return caught.value


def test_several_phases_in_one_object_are_refused(tmp_path):
    error = refused(make_enhanced(make_series() + make_series()), tmp_path)
    assert error.code is Reason.DUPLICATE_POSITIONS
    assert "10 slices at 5 positions" in str(error)


def test_a_missing_frame_is_a_missing_slice(tmp_path):
    slices = make_series()
    del slices[2]
    assert refused(make_enhanced(slices), tmp_path).code is Reason.MISSING_SLICES


def test_frames_of_several_orientations_are_refused(tmp_path):
    dataset = make_enhanced(make_series())
    turned = make_enhanced(make_series(orientation=OBLIQUE)).SharedFunctionalGroupsSequence[0]
    own = dataset.PerFrameFunctionalGroupsSequence[1]
    own.PlaneOrientationSequence = turned.PlaneOrientationSequence
    assert refused(dataset, tmp_path).code is Reason.MIXED_ORIENTATION


def test_a_frame_without_its_position_is_refused_by_number(tmp_path):
    dataset = make_enhanced(make_series())
    del dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    error = refused(dataset, tmp_path)
    assert error.code is Reason.MISSING_GEOMETRY
    assert "frame 2 of enhanced.dcm lacks ImagePositionPatient" in str(error)


def test_a_localizer_frame_is_left_aside_by_its_frame_type(tmp_path):
    dataset = make_enhanced(make_series())
    group = dataset.PerFrameFunctionalGroupsSequence[0]
    group.CTImageFrameTypeSequence = [group.PlanePositionSequence[0].__class__()]
    group.CTImageFrameTypeSequence[0].FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]
    path = tmp_path / "enhanced.dcm"
    dataset.save_as(path, enforce_file_format=True)
    (series,) = find_series(path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.LEFT_ASIDE)
    np.testing.assert_array_equal(load(path)[0], ramp()[1:].transpose(2, 1, 0) - 1024)


@pytest.mark.parametrize("frames", [4, 6, 2_000_000_000])
def test_a_number_of_frames_that_is_not_that_of_the_groups_is_refused(tmp_path, frames):
    dataset = make_enhanced(make_series())
    dataset.NumberOfFrames = frames
    error = refused(dataset, tmp_path)
    assert error.code is Reason.MULTI_FRAME
    assert f"{frames} frames in one file" in str(error)


def test_fewer_pixels_than_frames_are_truncated(tmp_path):
    dataset = make_enhanced(make_series())
    dataset.PixelData = dataset.PixelData[:-10]
    error = refused(dataset, tmp_path)
    assert error.code is Reason.TRUNCATED
    assert "holds 230 of 240 bytes of pixels" in str(error)


def test_fewer_compressed_frames_than_stated_are_undecodable(tmp_path):
    dataset = make_enhanced(make_series())
    short = make_enhanced(make_series(ramp((3, 6, 4))))
    short.compress(RLELossless)
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = short.PixelData
    dataset["PixelData"].is_undefined_length = True
    assert refused(dataset, tmp_path).code is Reason.UNDECODABLE


@pytest.mark.realdata
@pytest.mark.parametrize("size", ["23x38x3", "24x38x3"])
def test_a_real_converted_ct_equals_its_single_slices(data_root, size):
    folder = data_root / "dicom" / "dcmqi_ct_liver_seg" / size
    expected, grid = load(folder / "image")
    array, geometry = load(folder / "multiframe" / "mf.dcm")
    np.testing.assert_array_equal(array, expected)
    assert geometry.same_grid(grid), geometry.describe_difference(grid)


@pytest.mark.realdata
def test_a_real_enhanced_ct_is_read_in_the_order_of_its_positions(data_root):
    """The two frames are stored at z -159 and -149 mm; their normal points to lower z."""
    path = data_root / "dicom" / "dicom_pydicom_misc" / "eCT_Supplemental.dcm"
    array, geometry = load(path)
    stored = dcmread(path).pixel_array.astype(int) - 1024
    np.testing.assert_array_equal(array, stored[::-1].transpose(2, 1, 0))
    assert geometry.origin_mm == pytest.approx((-99.5, 301.5, -149))
    assert geometry.spacing_mm == pytest.approx((0.388672, 0.388672, 10))


@pytest.mark.realdata
@pytest.mark.parametrize(
    "codec", ["", "_RLE", "_big_endian", "_jpeg_2k_lossless", "_jpeg_ls_lossless"]
)
def test_a_real_enhanced_mr_is_read_once_its_places_are_known(data_root, tmp_path, codec):
    """These files lack their functional groups; with groups of ours all encodings are alike."""
    folder = data_root / "dicom" / "dicom_pydicom_misc"
    with pytest.raises(IngestError) as caught:
        load(folder / f"emri_small{codec}.dcm")
    assert caught.value.code is Reason.MULTI_FRAME
    dataset = dcmread(folder / f"emri_small{codec}.dcm")
    groups = make_enhanced(make_series(ramp((10, 6, 4)))[::-1])
    dataset.SharedFunctionalGroupsSequence = groups.SharedFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = groups.PerFrameFunctionalGroupsSequence
    array, _ = load(written(dataset, tmp_path))
    stored = dcmread(folder / "emri_small.dcm").pixel_array.astype(int) - 1024
    np.testing.assert_array_equal(array, stored[::-1].transpose(2, 1, 0))


def mosaics(slices):
    """Slices as an enhanced MR object that says MOSAIC, as Siemens' XA30 goes on to do."""
    for s in slices:
        s.Modality, s.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    return make_enhanced(slices, EnhancedMRImageStorage)


def test_an_enhanced_object_whose_frames_have_places_is_no_mosaic_whatever_it_says(tmp_path):
    mosaics(make_series()).save_as(tmp_path / "xa30.dcm", enforce_file_format=True)
    volume, geometry = load(tmp_path)
    np.testing.assert_array_equal(volume, ramp().transpose(2, 1, 0) - 1024)
    np.testing.assert_allclose(geometry.spacing_mm, (0.75, 0.5, 1.25))


def test_single_frames_of_enhanced_objects_are_slices_whatever_they_say(tmp_path):
    for k, s in enumerate(make_series()):
        mosaics([s]).save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)
    volume, _ = load(tmp_path)
    np.testing.assert_array_equal(volume, ramp().transpose(2, 1, 0) - 1024)
    volume, _ = load(tmp_path / "0.dcm")
    np.testing.assert_array_equal(volume, ramp()[:1].transpose(2, 1, 0) - 1024)


def test_frames_of_several_times_that_say_mosaic_are_called_that(tmp_path):
    whole = mosaics(make_series() + make_series())
    for k, group in enumerate(whole.PerFrameFunctionalGroupsSequence):
        group.FrameContentSequence = [Dataset()]
        group.FrameContentSequence[0].TemporalPositionIndex = 1 + k // 5
    whole.save_as(tmp_path / "times.dcm", enforce_file_format=True)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.DUPLICATE_POSITIONS)
    assert "2 at -30 mm with 2 temporal positions (1, 2)" in series.message
    assert "export only each phase or echo" in series.message


@pytest.mark.parametrize(
    ("sop_class", "frames"),
    [(EnhancedMRImageStorage, 3), (LegacyConvertedEnhancedMRImageStorage, 1)],
)
def test_frames_of_one_place_that_say_mosaic_are_sheets_of_slices(sop_class, frames, tmp_path):
    slices = make_series(ramp((frames, 6, 4)))
    for s in slices:
        s.ImagePositionPatient = [0, 0, 0]
    whole = mosaics(slices)
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = sop_class
    whole.save_as(tmp_path / "mosaic.dcm", enforce_file_format=True)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.MULTI_FRAME)
    assert "is a mosaic of slices side by side" in series.message
