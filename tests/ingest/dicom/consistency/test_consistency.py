"""Tests of medseg.ingest.dicom.consistency.consistency: slices that do not belong together are
never one volume."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom.consistency.two_volumes import (
    AT_HALF_SPACING,
    AT_THE_SAME_PLACES,
    PLACES,
    check_refused,
    in_order,
    mr,
    two_sets,
    verdict_of,
)
from ingest.dicom_writer import make_enhanced, make_series, ramp, write_series
from pydicom import Dataset
from pydicom.uid import (
    EnhancedMRImageStorage,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load


def test_ten_slices_of_one_origin_are_one_volume(tmp_path):
    """What the tests below spoil is a good series."""
    for modality in ("CT", "MR"):
        slices = two_sets({}, {}, origin=AT_HALF_SPACING, modality=modality)
        series = verdict_of(slices, tmp_path / modality)
        assert (series.verdict, len(series.slices)) == (Verdict.ACCEPT, 10)


@PLACES
def test_two_patients_are_counted_and_not_named(origin, tmp_path):
    slices = two_sets({"PatientID": "secret-a"}, {"PatientID": "secret-b"}, origin=origin)
    series = verdict_of(slices, tmp_path)
    check_refused(series, Reason.MIXED_PATIENT, "2 patients, of 5 and 5 slices in series")
    assert "ecret" not in series.message


def test_one_slice_of_another_patient_is_enough(tmp_path):
    slices = make_series(uid="1.2.3")
    slices[2].PatientID = "other-id"
    series = verdict_of(slices, tmp_path)
    check_refused(series, Reason.MIXED_PATIENT, "2 patients, of 4 and 1 slices in series")


@PLACES
def test_two_studies_under_one_uid_are_refused(origin, tmp_path):
    studies = {"StudyInstanceUID": "1.2.8"}, {"StudyInstanceUID": "1.2.9"}
    series = verdict_of(two_sets(*studies, origin=origin), tmp_path)
    check_refused(series, Reason.MIXED_STUDY, "2 studies, of 5 and 5 slices in series")


def test_a_study_for_each_file_tells_nothing_and_is_recorded(tmp_path):
    slices = make_series(uid="1.2.3")
    for k, s in enumerate(slices):
        s.StudyInstanceUID = f"1.2.8.{k}"
    series = verdict_of(slices, tmp_path / "five")
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.STUDY_PER_FILE)
    assert "each of 5 files states another Study Instance UID in series 1.2.3" in series.message
    series = verdict_of(slices[:2], tmp_path / "two")
    check_refused(series, Reason.MIXED_STUDY, "2 studies, of 1 and 1 slices in series")
    slices[4].StudyInstanceUID = "1.2.8.0"
    series = verdict_of(slices, tmp_path / "four")
    check_refused(series, Reason.MIXED_STUDY, "4 studies, of 2, 1, 1 and 1 slices in series")


def test_many_patients_are_a_count(tmp_path):
    slices = make_series(ramp((7, 6, 4)), uid="1.2.3")
    for k, s in enumerate(slices):
        s.PatientID = f"{min(k, 5)}"
    series = verdict_of(slices, tmp_path)
    check_refused(series, Reason.MIXED_PATIENT, "6 patients, of 2, 1, ... and 1 slices in series")


@PLACES
@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("B70f", "B30f (5 slices), B70f (5 slices)"),
        (["Br40d", "3"], "B30f (5 slices), Br40d 3 (5 slices)"),
    ],
)
def test_two_kernels_are_refused_by_name(origin, kernel, words, tmp_path):
    kernels = {"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": kernel}
    series = verdict_of(two_sets(*kernels, origin=origin), tmp_path)
    check_refused(series, Reason.MIXED_KERNEL, f"2 convolution kernels: {words}")


@PLACES
@pytest.mark.parametrize(
    ("image_type", "kind"),
    [
        (["ORIGINAL", "PRIMARY", "P", "ND"], "PHASE"),
        (["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"], "PHASE"),
        (["ORIGINAL", "PRIMARY", "R_FFE", "R", "FFE"], "REAL"),
        (["ORIGINAL", "PRIMARY", "I_SE", "I", "SE"], "IMAGINARY"),
        (["DERIVED", "PRIMARY", "M", "DIXON", "WATER"], "WATER"),
        (["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], "ADC"),
        (["DERIVED", "SECONDARY", "MPR", "CSA MPR", "", "M"], "MPR"),
        (["ORIGINAL", "PRIMARY", "PHASE_MAP"], "PHASE"),
        (["DERIVED", "PRIMARY", "M", "SUB"], "SUBTRACTION"),
    ],
)
def test_another_quantity_of_mr_among_magnitudes_is_refused(origin, image_type, kind, tmp_path):
    slices = two_sets({}, {"ImageType": image_type}, origin=origin, modality="MR")
    series = verdict_of(slices, tmp_path)
    words = f"2 quantities: {', '.join(f'{k} (5 slices)' for k in sorted(['MAGNITUDE', kind]))}"
    check_refused(series, Reason.MIXED_QUANTITY, words)


def test_the_component_may_be_stated_by_an_element_of_its_own(tmp_path):
    image_type = ["ORIGINAL", "PRIMARY", "OTHER"]
    components = (
        {"ImageType": image_type, "ComplexImageComponent": name} for name in ("MAGNITUDE", "PHASE")
    )
    slices = two_sets(*components, origin=AT_HALF_SPACING, modality="MR")
    check_refused(verdict_of(slices, tmp_path), Reason.MIXED_QUANTITY, "PHASE (5 slices)")


@PLACES
@pytest.mark.parametrize(
    ("image_type", "kind"),
    [
        (["DERIVED", "SECONDARY", "MPR"], "MPR"),
        (["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"], "MIP"),
        (["DERIVED", "SECONDARY", "PROJECTION IMAGE"], "PROJECTION"),
        (["DERIVED", "SECONDARY", "REFORMATTED", "MIN IP"], "MINIP MPR"),
        (["DERIVED", "PRIMARY", "AXIAL", "VNC"], "VNC"),
    ],
)
def test_projections_and_reformats_among_plain_ct_are_refused(origin, image_type, kind, tmp_path):
    series = verdict_of(two_sets({}, {"ImageType": image_type}, origin=origin), tmp_path)
    words = f"2 quantities: AXIAL (5 slices), {kind} (5 slices)"
    check_refused(series, Reason.MIXED_QUANTITY, words)


@pytest.mark.parametrize(
    ("modality", "image_type"),
    [
        ("CT", ["DERIVED", "PRIMARY", "AXIAL"]),
        ("CT", ["ORIGINAL", "SECONDARY", "AXIAL", "CT_SOM5 SPI"]),
        ("CT", ["ORIGINAL", "PRIMARY", "AXIAL", "HELIX"]),
        ("CT", ["ORIGINAL", "PRIMARY"]),
        ("CT", ["ORIGINAL", "PRIMARY", "P"]),  # only MR has components
        ("MR", ["ORIGINAL", "PRIMARY", "M", "ND", "NORM", "DIS2D", "FM3_2", "FIL"]),
        ("MR", ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]),
        ("MR", ["DERIVED", "PRIMARY", "OTHER"]),
        ("MR", ["ORIGINAL", "PRIMARY", "T1", "NONE"]),
    ],
)
def test_words_of_processing_and_provenance_may_vary(modality, image_type, tmp_path):
    slices = two_sets({}, {"ImageType": image_type}, origin=AT_HALF_SPACING, modality=modality)
    series = verdict_of(slices, tmp_path / "over")
    words = "2 values of ImageType that alternate along the normal, of slices that overlap"
    check_refused(series, Reason.MIXED_ACQUISITION, words)
    for s in slices:
        s.SliceThickness = 0.625
    series = verdict_of(slices, tmp_path / "beside")
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


def test_a_series_of_another_quantity_throughout_is_accepted(tmp_path):
    phase = ["ORIGINAL", "PRIMARY", "P", "ND"]
    slices = two_sets({"ImageType": phase}, {"ImageType": phase}, origin=AT_HALF_SPACING)
    assert verdict_of(slices, tmp_path).verdict is Verdict.ACCEPT


OF_ANOTHER_ACQUISITION = [
    ("MR", "EchoTime", "4.6", "9.2", "2 echo times (4.6 ms, 9.2 ms)"),
    ("MR", "DiffusionBValue", 0.0, 1000.0, "2 b-values (0 s/mm2, 1000 s/mm2)"),
    ("MR", "TemporalPositionIdentifier", 100, 101, "2 temporal positions (100, 101)"),
    ("MR", "FlipAngle", "5", "30", "2 flip angles (5 degrees, 30 degrees)"),
    ("MR", "InversionTime", "100", "2500", "2 inversion times (100 ms, 2500 ms)"),
    ("MR", "RepetitionTime", "500", "5000", "2 repetition times (500 ms, 5000 ms)"),
    ("MR", "SequenceName", "*tse2d", "*fl3d", "2 sequence names (*fl3d, *tse2d)"),
    ("MR", "ScanningSequence", "SE", ["SE", "IR"], "2 scanning sequences (SE, SE IR)"),
    ("CT", "KVP", "80", "140", "2 tube voltages (80 kV, 140 kV)"),
    ("CT", "SeriesNumber", 3, 4, "2 series numbers (3, 4)"),
]


@pytest.mark.parametrize(
    ("modality", "keyword", "one", "other", "words"), OF_ANOTHER_ACQUISITION, ids=str
)
def test_acquisitions_that_interleave_are_refused(modality, keyword, one, other, words, tmp_path):
    values = {keyword: one}, {keyword: other}
    slices = two_sets(*values, origin=AT_HALF_SPACING, modality=modality)
    check_refused(verdict_of(slices, tmp_path), Reason.MIXED_ACQUISITION, f"{words} in series")


@pytest.mark.parametrize(
    ("modality", "keyword", "one", "other", "words"),
    [
        *OF_ANOTHER_ACQUISITION,
        ("CT", "AcquisitionNumber", 1, 2, "2 acquisition numbers (1, 2)"),
        ("MR", "TriggerTime", "0", "40.5", "2 trigger times (0 ms, 40.5 ms)"),
        ("CT", "AcquisitionTime", "101500", "101530", "2 acquisition times"),
        (
            *("MR", "DiffusionGradientOrientation", [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
            "2 diffusion directions",
        ),
    ],
    ids=str,
)
def test_duplicates_say_what_tells_them_apart(modality, keyword, one, other, words, tmp_path):
    values = {keyword: one}, {keyword: other}
    slices = two_sets(*values, origin=AT_THE_SAME_PLACES, modality=modality)
    series = verdict_of(slices, tmp_path)
    said = f"10 slices at 5 positions, 2 at -30 mm with {words} in series"
    check_refused(series, Reason.DUPLICATE_POSITIONS, said)


@pytest.mark.parametrize(
    ("keyword", "one", "other"),
    [
        ("RescaleType", "HU", "hu "),
        ("PhotometricInterpretation", "MONOCHROME2", "monochrome2"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"], ["original", "PRIMARY ", " AXIAL"]),
        ("ConvolutionKernel", ["B30f", "3"], ["B30f ", "3\0"]),
        ("AcquisitionNumber", "1", "+1"),
        ("SeriesNumber", "3", "003"),
        ("KVP", "120", "1.2e2"),
        ("PatientID", "case", "case "),
        ("StudyInstanceUID", "1.2.9", "1.2.9\0"),
        ("FrameOfReferenceUID", "1.2.9", "1.2.9\0"),
    ],
)
def test_one_value_written_in_two_ways_is_one(keyword, one, other, tmp_path):
    """Small letters, blanks and null bytes, and numbers in another form, by turns."""
    slices = in_order(keyword, [one, other] * 3)
    for s in slices:
        s.SliceThickness = 2.5
    series = verdict_of(slices, tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


@pytest.mark.parametrize("word", ["localizer", " LOCALIZER", "LOCALIZER\0"])
def test_a_localizer_is_one_however_that_is_written(word, tmp_path):
    slices = in_order("ImageType", [["ORIGINAL", "PRIMARY", word]] * 4)
    assert verdict_of(slices, tmp_path).reason is Reason.LOCALIZER


def test_many_values_are_given_by_their_number_and_ends(tmp_path):
    slices = [s for _ in range(6) for s in mr(make_series(ramp((2, 6, 4)), uid="1.2.3"))]
    for k, s in enumerate(slices):
        s.FrameOfReferenceUID, s.TriggerTime = "1.2.4", 10 * (k // 2)
    words = "6 at -30 mm with 6 trigger times (0 ms, 10 ms, ..., 50 ms)"
    check_refused(verdict_of(slices, tmp_path), Reason.DUPLICATE_POSITIONS, words)


@pytest.mark.parametrize(
    ("modality", "keyword", "one", "other"),
    [
        ("MR", "EchoTime", "4.60", "4.6"),
        ("MR", "EchoTime", "4.60", "4.68"),
        ("CT", "KVP", "120", "120.0"),
        ("MR", "DiffusionBValue", 1000.0, 1005.0),
    ],
    ids=str,
)
def test_rounding_may_vary_within_a_volume(modality, keyword, one, other, tmp_path):
    values = {keyword: one}, {keyword: other}
    slices = two_sets(*values, origin=AT_HALF_SPACING, modality=modality)
    assert verdict_of(slices, tmp_path).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("modality", "keyword", "one", "other", "words"),
    [
        ("CT", "SliceThickness", "1", "5", "2 slice thicknesses (1 mm, 5 mm)"),
        ("CT", "ContrastBolusAgent", "one", "agent", "2 contrast agents"),
        ("CT", "PatientPosition", "HFS", "FFS", "2 patient positions (FFS, HFS)"),
        ("CT", "FilterType", "A", "B", "2 filter types (A, B)"),
    ],
    ids=str,
)
@pytest.mark.parametrize("order", ["01010101", "00101011"])
def test_what_changes_to_and_fro_is_two_scans(
    modality, keyword, one, other, words, order, tmp_path
):
    values = [(one, other)[int(k)] for k in order]
    series = verdict_of(in_order(keyword, values, modality=modality), tmp_path)
    said = f"{words} that alternate along the normal in series"
    check_refused(series, Reason.MIXED_ACQUISITION, said)


@pytest.mark.parametrize(
    ("modality", "keyword", "values"),
    [
        ("CT", "SliceThickness", ("1.2", "1.3", "1.2", "1.3", "1.3", "1.2")),
        ("CT", "ContrastBolusAgent", ("", "", "", "agent", "agent", "agent")),
        ("CT", "ContrastBolusAgent", ("", "", "agent", "agent", "", "")),
        ("CT", "ContrastBolusAgent", ("", "", "agent", "", "", "")),
        ("CT", "FilterType", ("A", "A", "A", "B", "B", "B")),
        ("MR", "RepetitionTime", ("810", "905", "842", "917", "790", "866")),
        ("MR", "RepetitionTime", ("900", "930", "900", "930", "900", "900", "930")),
        ("MR", "RepetitionTime", ("500", "500.4", "500", "500.4", "500", "500.4")),
        ("MR", "InversionTime", ("280", "280", "290", "300", "300", "320")),
    ],
    ids=str,
)
def test_what_changes_once_or_with_the_heartbeat_is_one_scan(modality, keyword, values, tmp_path):
    series = verdict_of(in_order(keyword, values, modality=modality), tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


@pytest.mark.parametrize(
    ("keyword", "one", "other", "words"),
    [
        ("PatientBirthDate", "19500101", "19900202", "2 birth dates, of 3 and 2 slices"),
        ("PatientSex", "F", "M", "2 sexes, of 3 and 2 slices"),
    ],
)
def test_two_birth_dates_or_sexes_are_two_patients(keyword, one, other, words, tmp_path):
    series = verdict_of(in_order(keyword, (one, other, one, other, one)), tmp_path / "two")
    check_refused(series, Reason.MIXED_PATIENT, f"{words} in series")
    assert "19500101" not in series.message
    series = verdict_of(in_order(keyword, (one, "", one, None, one)), tmp_path / "one")
    assert series.verdict is Verdict.ACCEPT


def test_five_slices_are_three_of_one_volume_and_two_of_another(tmp_path):
    slices = in_order("StationName", ["a", "b", "a", "b", "a"])
    for s in slices:
        s.SliceThickness = 2.5
    check_refused(verdict_of(slices, tmp_path), Reason.MIXED_ACQUISITION, "values of StationName")


@pytest.mark.parametrize("apart_mm", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("absent", [(), (4, 9), (1, 3, 5, 13, 15)])
def test_two_volumes_are_two_whatever_lies_between_them(apart_mm, absent, tmp_path):
    """Steps of 1 mm that are not halved, and slices that are missing, resampled or not."""
    first = make_series(ramp((8, 6, 4)), uid="1.2.3", step_mm=1.0)
    second = make_series(
        ramp((8, 6, 4)), uid="1.2.3", step_mm=1.0, origin=(-10, 20, -30 + apart_mm)
    )
    slices = [s for pair in zip(first, second, strict=True) for s in pair]
    for k, s in enumerate(slices):
        s.FrameOfReferenceUID, s.StationName = "1.2.4", "ab"[k % 2]
    write_series(tmp_path, [s for k, s in enumerate(slices) if k not in absent])
    (series,) = find_series(tmp_path, resample=True)
    check_refused(series, Reason.MIXED_ACQUISITION, "2 values of StationName")


SOME = (1, 3, 6, 7)
BY_TURNS = tuple(range(0, 12, 2))


@pytest.mark.parametrize(
    ("modality", "keyword", "value", "absent"),
    [
        *(("CT", "KVP", "120", absent) for absent in ((0,), (3, 8), SOME, (6, 7, 8, 9, 10, 11))),
        ("CT", "KVP", "120", BY_TURNS),
        ("CT", "ConvolutionKernel", "B30f", BY_TURNS),
        ("CT", "PatientPosition", "HFS", BY_TURNS),
        ("CT", "SliceThickness", "1.25", BY_TURNS),
        ("CT", "SeriesDescription", "soft", BY_TURNS),
        ("MR", "EchoTime", "4.6", BY_TURNS),
        ("CT", "SeriesNumber", 3, SOME),
        ("CT", "AcquisitionNumber", 1, SOME),
        ("CT", "ConvolutionKernel", "B30f", SOME),
        ("CT", "ContrastBolusAgent", "agent", SOME),
        ("CT", "SliceThickness", "1.25", SOME),
        ("CT", "FilterType", "A", SOME),
        ("CT", "PatientID", "secret-id", SOME),
        ("CT", "StudyInstanceUID", "1.2.9", SOME),
        ("CT", "FrameOfReferenceUID", "1.2.8", SOME),
        ("CT", "PhotometricInterpretation", "MONOCHROME2", SOME),
        ("CT", "Modality", "CT", SOME),
        ("CT", "RescaleType", "HU", SOME),
        ("CT", "ImageType", ["DERIVED", "PRIMARY", "MPR"], SOME),
        ("MR", "RescaleType", "normalized", SOME),
        ("MR", "EchoTime", "4.6", SOME),
        ("MR", "RepetitionTime", "500", SOME),
        ("MR", "SequenceName", "*tse2d", SOME),
        ("MR", "DiffusionBValue", 1000.0, SOME),
        ("MR", "TemporalPositionIdentifier", 1, SOME),
    ],
    ids=str,
)
def test_what_some_slices_leave_out_is_no_contradiction(modality, keyword, value, absent, tmp_path):
    values = [None if k in absent else value for k in range(12)]
    write_series(tmp_path, in_order(keyword, values, modality=modality))
    (series,) = find_series(tmp_path)
    assert series.verdict is Verdict.ACCEPT
    volume, _ = load(tmp_path)
    np.testing.assert_array_equal(volume, ramp((12, 6, 4)).transpose(2, 1, 0) - 1024)


def test_padding_is_left_out_of_a_ct_slice_whose_modality_is_absent(tmp_path):
    slices = in_order("Modality", ["CT", "CT", None, "CT"])
    for s in slices:
        s.PixelPaddingValue = 60  # in the third slice, of 48 to 71
    write_series(tmp_path, slices)
    volume, _ = load(tmp_path)
    assert volume[:, :, 2].ravel(order="F")[12] == -1024


def test_frames_of_two_flip_angles_are_refused(tmp_path):
    dataset = make_enhanced(mr(make_series(uid="1.2.3")), EnhancedMRImageStorage)
    for k, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        timing = Dataset()
        timing.FlipAngle, timing.RepetitionTime = (5.0, 30.0)[k % 2], 15.0
        group.MRTimingAndRelatedParametersSequence = [timing]
    dataset.save_as(tmp_path / "frames.dcm", enforce_file_format=True)
    with pytest.raises(IngestError, match=r"2 flip angles \(5 degrees, 30 degrees\)") as caught:
        load(tmp_path / "frames.dcm")
    assert caught.value.code is Reason.MIXED_ACQUISITION


def test_a_copy_half_a_step_farther_is_told_from_nothing(tmp_path):
    """Documented in docs/how-to/read-a-refusal.md: no header differs but the place."""
    series = verdict_of(two_sets({}, {}, origin=AT_HALF_SPACING), tmp_path)
    assert series.geometry.spacing_mm[2] == pytest.approx(0.625)


@pytest.mark.parametrize("numbers", [(1, 2, 3, 4, 5), (1, 1, 1, 2, 2), (2, 2, 1, 1, 1)])
def test_acquisition_numbers_of_ct_may_come_in_blocks(numbers, tmp_path):
    """A sequential CT counts its rotations."""
    slices = make_series(uid="1.2.3")
    for s, number in zip(slices, numbers, strict=True):
        s.AcquisitionNumber = number
    assert verdict_of(slices, tmp_path).verdict is Verdict.ACCEPT


def test_acquisition_numbers_of_ct_that_take_turns_are_two_phases(tmp_path):
    values = {"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}
    series = verdict_of(two_sets(*values, origin=AT_HALF_SPACING), tmp_path)
    words = "2 acquisition numbers (1, 2) that alternate along the normal in series"
    check_refused(series, Reason.MIXED_ACQUISITION, words)


def test_a_frame_of_another_quantity_is_refused(tmp_path):
    dataset = make_enhanced(mr(make_series(uid="1.2.3")), EnhancedMRImageStorage)
    dataset.ComplexImageComponent = "MIXED"
    for k, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame_type = Dataset()
        frame_type.FrameType = ["ORIGINAL", "PRIMARY", "VELOCITY", "NONE"]
        frame_type.ComplexImageComponent = "PHASE" if k == 3 else "MAGNITUDE"
        group.MRImageFrameTypeSequence = [frame_type]
    dataset.save_as(tmp_path / "frames.dcm", enforce_file_format=True)
    with pytest.raises(IngestError, match=r"MAGNITUDE \(4 slices\), PHASE \(1 slice\)") as caught:
        load(tmp_path / "frames.dcm")
    assert caught.value.code is Reason.MIXED_QUANTITY


def test_frames_of_two_echoes_at_each_place_say_so(tmp_path):
    dataset = make_enhanced(mr(make_series()) + mr(make_series()), EnhancedMRImageStorage)
    for k, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        echo = Dataset()
        echo.EffectiveEchoTime = 4.6 if k < 5 else 9.2
        group.MREchoSequence = [echo]
    dataset.save_as(tmp_path / "frames.dcm", enforce_file_format=True)
    with pytest.raises(IngestError, match=r"with 2 echo times \(4\.6 ms, 9\.2 ms\)") as caught:
        load(tmp_path / "frames.dcm")
    assert caught.value.code is Reason.DUPLICATE_POSITIONS


# ---- what takes turns along the slices, by whatever element the standard has for it


EDGES = ["111121222333", "112122", "111211222", "111212223233"]
TURNS = ["121212", "12121", "1212", "112212", "123123123", "111222111", "111112121212222"]


@pytest.mark.parametrize("keyword", ["AcquisitionNumber", "IrradiationEventUID"])
@pytest.mark.parametrize("order", EDGES)
def test_the_edges_of_two_turns_of_the_tube_may_lie_between_each_other(keyword, order, tmp_path):
    values = [f"1.2.{k}" if keyword.endswith("UID") else k for k in order]
    series = verdict_of(in_order(keyword, values), tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


@pytest.mark.parametrize("order", TURNS)
def test_acquisition_numbers_that_lie_among_each_other_are_two_scans(order, tmp_path):
    series = verdict_of(in_order("AcquisitionNumber", list(order)), tmp_path)
    check_refused(series, Reason.MIXED_ACQUISITION, "acquisition numbers (1, 2")
