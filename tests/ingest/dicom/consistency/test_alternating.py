"""Tests of medseg.ingest.dicom.consistency.alternating: slices that alternate are two volumes."""

import pytest
from ingest.dicom.consistency.two_volumes import (
    AT_HALF_SPACING,
    check_refused,
    in_order,
    mr,
    two_sets,
    verdict_of,
)
from ingest.dicom_writer import csa, make_enhanced, make_series, ramp
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medseg.ingest import Reason, Verdict

SIEMENS = "SIEMENS MR HEADER"

TAKES_TURNS = [
    ("SeriesDescription", "soft", "lung", "2 series descriptions"),
    ("ProtocolName", "a", "b", "2 protocol names"),
    ("ImageComments", "Jane Doe", "b", "2 image comments"),
    ("SeriesTime", "101500", "102000", "2 series times"),
    ("EchoNumbers", 1, 2, "2 echo numbers (1, 2)"),
    ("SequenceVariant", "SK", ["SK", "MP"], "2 sequence variants (SK, SK MP)"),
    ("ScanOptions", "FS", "NONE", "2 scan options (FS, NONE)"),
    ("ReconstructionMethod", "OSEM", "FBP", "2 reconstruction methods (FBP, OSEM)"),
    ("IrradiationEventUID", "1.2.5", "1.2.6", "2 irradiation events"),
    ("TemporalPositionIndex", 1, 2, "2 temporal positions (1, 2)"),
    ("NominalPercentageOfCardiacPhase", 40.0, 75.0, "2 cardiac phases (40 %, 75 %)"),
    ("NominalPercentageOfRespiratoryPhase", 0.0, 50.0, "2 respiratory phases (0 %, 50 %)"),
    ("TriggerTime", "0", "40.5", "2 trigger times (0 ms, 40.5 ms)"),
    ("NominalCardiacTriggerDelayTime", 0.0, 40.0, "2 trigger delays (0 ms, 40 ms)"),
    ("FrameReferenceTime", "0", "60000", "2 reference times"),
]
X_AND_Y = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
SPLITS_SLICES_THAT_OVERLAP = [
    ("MR", "AcquisitionNumber", 1, 2, "2 acquisition numbers (1, 2)"),
    ("CT", "AcquisitionTime", "101500", "101530", "2 acquisition times"),
    ("MR", "RepetitionTime", "800", "900", "2 repetition times (800 ms, 900 ms)"),
    ("MR", "InversionTime", "280", "300", "2 inversion times (280 ms, 300 ms)"),
    ("CT", "SeriesDescription", "soft", None, "2 series descriptions"),
    ("MR", "DiffusionGradientOrientation", *X_AND_Y, "2 diffusion directions"),
    ("MR", "StackID", "1", "2", "2 stacks (1, 2)"),
    ("MR", "MagnetizationTransfer", "NONE", "ON_RESONANCE", "2 magnetization transfers"),
    ("PT", "CorrectedImage", ["DECY", "ATTN"], ["DECY"], "2 values of CorrectedImage"),
    ("PT", "AttenuationCorrectionMethod", "CT", None, "2 values of AttenuationCorrectionMethod"),
    ("PT", "ActualFrameDuration", 1000, 60000, "2 values of ActualFrameDuration"),
    ("CT", "AcquisitionDate", "20200101", "20210101", "2 values of AcquisitionDate"),
    ("CT", "SeriesDate", "20200101", "20210101", "2 values of SeriesDate"),
    ("CT", "AcquisitionDateTime", "20200101101010", "20200101111010", "AcquisitionDateTime"),
    ("MR", "ActualCardiacTriggerDelayTime", 10.0, 400.0, "ActualCardiacTriggerDelayTime"),
    ("MR", "CardiacCyclePosition", "SYSTOLE", "DIASTOLE", "2 values of CardiacCyclePosition"),
    ("MR", "RespiratoryCyclePosition", "START_RESPIR", "END_RESPIR", "RespiratoryCyclePosition"),
]
WITHIN_SEQUENCES = [
    ("MR", ("MRDiffusionSequence", "DiffusionBValue"), 0.0, 1000.0, "2 b-values (0 s/mm2, 1000"),
    ("MR", ("MREchoSequence", "EffectiveEchoTime"), 4.6, 9.2, "2 echo times (4.6 ms, 9.2 ms)"),
    (
        "MR",
        (
            "MRDiffusionSequence",
            "DiffusionGradientDirectionSequence",
            "DiffusionGradientOrientation",
        ),
        *X_AND_Y,
        "2 diffusion directions",
    ),
    ("MR", ("MRMetaboliteMapSequence", "MetaboliteMapDescription"), "a", "b", "metabolite maps"),
    (
        "MR",
        ("MRMetaboliteMapSequence", "MetaboliteMapCodeSequence", "CodeValue"),
        *("1", "2"),
        "2 values of MRMetaboliteMapSequence.MetaboliteMapCodeSequence.CodeValue",
    ),
    (
        "CT",
        ("CTAdditionalXRaySourceSequence", "KVP"),
        *("80", "140"),
        "2 values of CTAdditionalXRaySourceSequence.KVP that alternate",
    ),
    (
        "CT",
        ("ContrastBolusAgentSequence", "CodeValue"),
        *("a", None),
        "2 values of ContrastBolusAgentSequence.CodeValue",
    ),
    ("CT", ("AnatomicRegionSequence", "CodeMeaning"), "liver", "heart", "AnatomicRegionSequence"),
    ("CT", ("RequestAttributesSequence", "RequestedProcedureID"), "1", "2", "RequestedProcedureID"),
    (
        "PT",
        ("RadiopharmaceuticalInformationSequence", "RadiopharmaceuticalStartTime"),
        *("1010", "1020"),
        "RadiopharmaceuticalInformationSequence.RadiopharmaceuticalStartTime",
    ),
    (
        "PT",
        ("RadiopharmaceuticalInformationSequence", "RadionuclideCodeSequence", "CodeValue"),
        *("C-111A1", "C-B1031"),
        "RadiopharmaceuticalInformationSequence.RadionuclideCodeSequence.CodeValue",
    ),
]
PHILIPS, PHILIPS_MR = "Philips Imaging DD 001", "Philips MR Imaging DD 001"
CINE = {"TriggerTime": ("20", "420"), "AcquisitionTime": ("100000", "100010")}
CINE_WITH_JITTER = {
    "TriggerTime": ("20", "421", "22", "419", "21", "420", "20", "422", "19", "418")
}
NUMBERS = {"AcquisitionNumber": (1, 2), "AcquisitionTime": ("100000", "101500")}
CONTRAST = {"ContrastBolusAgent": (None, "Gd")}
PACKAGES = {
    "AcquisitionTime": ("100000", "100400"),
    "AcquisitionDateTime": ("20240101100000", "20240101100400"),
    "ContentTime": ("100000", "100400"),
}
LONG_PACKAGES = {"AcquisitionTime": [f"10{4 * (k % 2):02}{k // 2:02}.5" for k in range(10)]}


def item(**elements):
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def nested(*keywords):
    """What makes an item of a value: sequences within sequences, and at the end an element."""

    def make(value):
        for keyword in reversed(keywords):
            value = item(**{keyword: [value] if isinstance(value, Dataset) else value})
        return value

    return make


def frames_of_two_volumes(state):
    """An enhanced object of two volumes at half a step; `state` writes what tells them apart."""
    slices = two_sets({}, {}, origin=AT_HALF_SPACING, modality="MR")
    whole = make_enhanced(slices, EnhancedMRImageStorage)
    for k, group in enumerate(whole.PerFrameFunctionalGroupsSequence):
        state(group, k)
    return whole


def frame_content(**elements):
    def state(group, k):
        item = Dataset()
        for keyword, values in elements.items():
            setattr(item, keyword, values[k // 5])
        group.FrameContentSequence = [item]

    return state


def synchronization(group, k):
    item = Dataset()
    item.NominalPercentageOfCardiacPhase = (40.0, 75.0)[k // 5]
    group.CardiacSynchronizationSequence = [item]


def macro_of(sequence, keyword, values):
    def state(group, k):
        item = Dataset()
        setattr(item, keyword, values[k // 5])
        setattr(group, sequence, [item])

    return state


def gradient(group, k):
    orientation, diffusion = Dataset(), Dataset()
    orientation.DiffusionGradientOrientation = X_AND_Y[k // 5]
    diffusion.DiffusionGradientDirectionSequence = [orientation]
    group.MRDiffusionSequence = [diffusion]


def _b_of_frame(group, k):
    group.private_block(0x0019, SIEMENS, create=True).add_new(0x0C, "IS", (0, 1000)[k // 5])


def _b_of_converted(group, k):
    item = Dataset()
    _b_of_frame(item, k)
    group.UnassignedPerFrameConvertedAttributesSequence = [item]


def _echo_in_private_sequence(group, k):
    item = Dataset()
    item.EchoTime = ("4.6", "9.2")[k // 5]
    block = group.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
    block.add_new(0x0F, "SQ", [item])


def _place_in_stack(group, k):
    group.FrameContentSequence = [Dataset()]
    group.FrameContentSequence[0].InStackPositionNumber = 1 + k % 5


def _count(group, number):
    group.FrameContentSequence = [item(InStackPositionNumber=number)]


def _counted_on(group, k):
    _count(group, 1 + k)


def _counted_on_with_a_jump(group, k):
    _count(group, 1 + k % 5 + 100 * (k // 5))


def _counted_back(group, k):
    _count(group, 1 + k if k < 5 else 15 - k)


def _reversed(group, k):
    _count(group, 1 + k if k < 5 else 10 - k)


def _without_contrast(group, k):
    if k < 5:
        group.ContrastBolusUsageSequence = [item(ContrastBolusAgentAdministered="YES")]


def _metabolite(group, k):
    group.MRMetaboliteMapSequence = [item(MetaboliteMapDescription=("choline", "NAA")[k // 5])]


def _side(group, k):
    group.FrameAnatomySequence = [item(FrameLaterality="LR"[k // 5])]


def _additional_source(group, k):
    group.CTAdditionalXRaySourceSequence = [item(KVP=("80", "140")[k // 5])]


def _second_source(group, k):
    source = item(KVP=("80", "140")[k // 5])
    group.CTXRayDetailsSequence = [item(KVP="100", CTAdditionalXRaySourceSequence=[source])]


def b_of_siemens(s, is_second):
    s.private_block(0x0019, SIEMENS, create=True).add_new(0x0C, "IS", (0, 1000)[is_second])


def b_without_creator(s, is_second):
    s.add_new((0x0019, 0x100C), "IS", (0, 1000)[is_second])


def b_of_csa(s, is_second):
    s.add_new((0x0029, 0x1010), "OB", csa("B_value", ("0", "1000")[is_second]))


def direction_of_siemens(s, is_second):
    s.private_block(0x0019, SIEMENS, create=True).add_new(0x0E, "FD", X_AND_Y[is_second])


def direction_of_csa(s, is_second):
    content = csa("DiffusionGradientDirection", *map(str, X_AND_Y[is_second]))
    s.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", content)


def ten_of_mr(elements, *, step_mm, thickness_mm, spacing_mm=None, modality="MR"):
    slices = make_series(ramp((10, 6, 4)), uid="1.2.3", step_mm=step_mm)
    for k, s in enumerate(mr(slices) if modality == "MR" else slices):
        s.SliceThickness = thickness_mm
        if spacing_mm is not None:
            s.SpacingBetweenSlices = spacing_mm
        for keyword, values in elements.items():
            setattr(s, keyword, values[k % len(values)])
    return slices


@pytest.mark.parametrize(
    ("modality", "keyword", "value", "words"),
    [
        ("MR", "DiffusionBValue", 1000.0, "2 b-values (1000 s/mm2, none)"),
        ("MR", "InversionTime", "180", "2 inversion times (180 ms, none)"),
        ("CT", "ContrastBolusAgent", "agent", "2 contrast agents"),
    ],
)
def test_slices_with_and_without_an_element_that_take_turns_are_two_volumes(
    modality, keyword, value, words, tmp_path
):
    slices = two_sets({keyword: value}, {}, origin=AT_HALF_SPACING, modality=modality)
    said = f"{words} that alternate along the normal, of slices that overlap in series"
    check_refused(verdict_of(slices, tmp_path), Reason.MIXED_ACQUISITION, said)


@pytest.mark.parametrize(
    ("modality", "keyword", "value"),
    [
        ("MR", "EchoTime", "4.60"),
        ("MR", "MagneticFieldStrength", "3"),
        ("CT", "KVP", "120"),
        ("CT", "ConvolutionKernel", "B30f"),
        ("CT", "SeriesNumber", 3),
        ("CT", "Exposure", 100),
    ],
)
def test_what_all_images_have_and_every_other_leaves_out_is_noted(
    modality, keyword, value, tmp_path
):
    """Neither one volume of overlapping slices nor two are shown by that."""
    slices = two_sets({keyword: value}, {}, origin=AT_HALF_SPACING, modality=modality)
    series = verdict_of(slices, tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.ALTERNATING_ABSENCE)
    assert f"{keyword} missing in every second slice, and the slices overlap" in series.message


@pytest.mark.parametrize(("keyword", "one", "other", "words"), TAKES_TURNS)
def test_two_volumes_at_half_a_step_are_refused(keyword, one, other, words, tmp_path):
    slices = two_sets({keyword: one}, {keyword: other}, origin=AT_HALF_SPACING, modality="MR")
    series = verdict_of(slices, tmp_path)
    check_refused(series, Reason.MIXED_ACQUISITION, f"{words} that alternate along the normal")
    assert "Jane" not in series.message


@pytest.mark.parametrize(
    ("modality", "keyword", "one", "other", "words"), SPLITS_SLICES_THAT_OVERLAP
)
def test_slices_that_overlap_are_two_volumes_by_whatever_splits_them(
    modality, keyword, one, other, words, tmp_path
):
    values = {keyword: one}, {} if other is None else {keyword: other}
    slices = two_sets(*values, origin=AT_HALF_SPACING, modality=modality)
    series = verdict_of(slices, tmp_path / "over")
    check_refused(series, Reason.MIXED_ACQUISITION, words)
    assert "alternate along the normal" in series.message
    for s in slices:
        s.SliceThickness = 0.625
    if keyword not in ("StackID", "MagnetizationTransfer", "DiffusionGradientOrientation"):
        assert verdict_of(slices, tmp_path / "beside").verdict is Verdict.ACCEPT


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(("modality", "keywords", "one", "other", "words"), WITHIN_SEQUENCES)
def test_files_are_two_volumes_by_what_splits_them_within_sequences(
    modality, keywords, one, other, words, syntax, tmp_path
):
    sequence, *within = keywords
    make = nested(*within)
    values = ({sequence: [make(v)]} if v is not None else {} for v in (one, other))
    slices = two_sets(*values, origin=AT_HALF_SPACING, modality=modality)
    for s in slices:
        s.file_meta.TransferSyntaxUID = syntax
    check_refused(verdict_of(slices, tmp_path), Reason.MIXED_ACQUISITION, words)


def test_the_second_item_of_a_sequence_splits_slices_as_well(tmp_path):
    sources = ([item(KVP="80"), item(KVP=kv)] for kv in ("100", "140"))
    values = ({"CTAdditionalXRaySourceSequence": source} for source in sources)
    series = verdict_of(two_sets(*values, origin=AT_HALF_SPACING), tmp_path)
    words = "2 values of CTAdditionalXRaySourceSequence[1].KVP"
    check_refused(series, Reason.MIXED_ACQUISITION, words)


def test_a_sequence_that_all_images_have_and_every_other_leaves_out_is_noted(tmp_path):
    requested = {"RequestAttributesSequence": [item(RequestedProcedureID="1")]}
    series = verdict_of(two_sets(requested, {}, origin=AT_HALF_SPACING), tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.ALTERNATING_ABSENCE)
    assert (
        "RequestAttributesSequence.RequestedProcedureID missing in every second" in series.message
    )


def test_references_to_other_images_may_take_turns(tmp_path):
    """A volume may be worked out of two others, slice by slice."""
    values = (
        {
            "SourceImageSequence": [item(ReferencedSOPInstanceUID=uid)],
            "ReferencedImageSequence": [item(ReferencedSOPInstanceUID=uid)],
        }
        for uid in ("1.2.7", "1.2.8")
    )
    series = verdict_of(two_sets(*values, origin=AT_HALF_SPACING), tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


@pytest.mark.parametrize("keyword", ["Laterality", "ImageLaterality"])
def test_two_sides_that_take_turns_are_two_volumes(keyword, tmp_path):
    slices = in_order(keyword, ["L", "R"] * 4, modality="MR")
    series = verdict_of(slices, tmp_path / "turns")
    check_refused(series, Reason.MIXED_ACQUISITION, "lateralities (L, R) that alternate")
    slices = in_order(keyword, ["L"] * 4 + ["R"] * 4, modality="MR")
    assert verdict_of(slices, tmp_path / "blocks").verdict is Verdict.ACCEPT


@pytest.mark.parametrize("keyword", ["AcquisitionTime", "AcquisitionDateTime", "ContentTime"])
def test_two_times_by_turns_are_two_volumes_where_no_thickness_is_stated(keyword, tmp_path):
    slices = in_order(keyword, ["101500", "101530"] * 4)
    for s in slices:
        del s.SliceThickness
    series = verdict_of(slices, tmp_path / "turns")
    words = "that alternate along the normal, of slices that state no thickness in series"
    check_refused(series, Reason.MIXED_ACQUISITION, words)
    for k, s in enumerate(slices):
        setattr(s, keyword, f"1015{k:02}")
    assert verdict_of(slices, tmp_path / "one").verdict is Verdict.ACCEPT


def test_acquisition_times_that_swing_are_of_two_volumes_where_slices_overlap(tmp_path):
    slices = in_order("AcquisitionTime", [f"10{15 + k % 2}{k:02}.5" for k in range(10)])
    assert verdict_of(slices, tmp_path / "beside").verdict is Verdict.ACCEPT
    for s in slices:
        s.SliceThickness = 2.5
    series = verdict_of(slices, tmp_path / "over")
    check_refused(series, Reason.MIXED_ACQUISITION, "10 acquisition times that alternate")


def test_slices_that_state_the_step_as_their_spacing_are_one_volume(tmp_path):
    """A reconstruction to twice as many slices; even and odd ones were taken one after another."""
    slices = in_order("TriggerTime", [0, 600, 100, 700, 200, 800, 300, 900], modality="MR")
    for k, s in enumerate(slices):
        s.SliceThickness, s.SpacingBetweenSlices = 2.5, 1.25
        s.AcquisitionTime, s.AcquisitionNumber = f"1010{k % 2:02}", 1 + k % 2
    assert verdict_of(slices, tmp_path).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("currents", ["121212122121", "123412561278", "111111222222"])
def test_what_changes_in_no_strict_order_is_one_volume_of_overlapping_slices(currents, tmp_path):
    slices = in_order("XRayTubeCurrent", [100 + int(k) for k in currents])
    for s in slices:
        s.SliceThickness = 2.5
    assert verdict_of(slices, tmp_path).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(("keyword", "one", "other", "words"), TAKES_TURNS)
def test_two_blocks_of_one_volume_are_one_volume(keyword, one, other, words, tmp_path):
    values = [one] * 4 + [other] * 4
    series = verdict_of(in_order(keyword, values, modality="MR"), tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


@pytest.mark.parametrize("keyword", ["TriggerTime", "FrameReferenceTime"])
@pytest.mark.parametrize(
    "values",
    [
        ("0", "400", "0", "400", "0", "400"),
        ("100", "110", "120", "130", "140", "150"),
        ("512", "498", "530", "505", "521", "512"),
    ],
    ids=["interleaved", "one by one", "with the heartbeat"],
)
def test_times_of_slices_no_thicker_than_their_step_may_vary(keyword, values, tmp_path):
    """Two slices in a heartbeat, in an order that leaves out every other one."""
    series = verdict_of(in_order(keyword, values, modality="MR"), tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (frame_content(StackID=("1", "2")), "2 stacks (1, 2) that alternate"),
        (frame_content(TemporalPositionIndex=(1, 2)), "2 temporal positions (1, 2)"),
        (frame_content(FrameComments=("a", "b")), "2 image comments that alternate"),
        (synchronization, "2 cardiac phases (40 %, 75 %) that alternate"),
        (
            frame_content(DimensionIndexValues=([1, 7], [2, 7])),
            "2 values of dimension 1 that alternate",
        ),
    ],
)
def test_frames_of_two_volumes_at_half_a_step_are_refused(state, words, tmp_path):
    series = verdict_of([frames_of_two_volumes(state)], tmp_path)
    check_refused(series, Reason.MIXED_ACQUISITION, words)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (gradient, "2 diffusion directions"),
        (frame_content(FrameLabel=("a", "b")), "2 values of FrameContentSequence.FrameLabel"),
        (
            macro_of(
                "CardiacSynchronizationSequence", "ActualCardiacTriggerDelayTime", (10.0, 400.0)
            ),
            "2 values of CardiacSynchronizationSequence.ActualCardiacTriggerDelayTime",
        ),
        (
            macro_of(
                "RespiratorySynchronizationSequence",
                "NominalRespiratoryTriggerDelayTime",
                (10.0, 400.0),
            ),
            "2 values of RespiratorySynchronizationSequence.NominalRespiratoryTriggerDelayTime",
        ),
        (
            macro_of("MRImageFrameTypeSequence", "AcquisitionContrast", ("T1", "T2")),
            "2 values of MRImageFrameTypeSequence.AcquisitionContrast",
        ),
        (
            macro_of("ContrastBolusUsageSequence", "ContrastBolusAgentAdministered", ("YES", "NO")),
            "2 values of ContrastBolusUsageSequence.ContrastBolusAgentAdministered",
        ),
        (
            macro_of("MRVelocityEncodingSequence", "VelocityEncodingDirection", X_AND_Y),
            "2 values of MRVelocityEncodingSequence.VelocityEncodingDirection",
        ),
        (
            macro_of("MRFOVGeometrySequence", "InPlanePhaseEncodingDirection", ("ROW", "COLUMN")),
            "2 values of MRFOVGeometrySequence.InPlanePhaseEncodingDirection",
        ),
    ],
)
def test_frames_that_overlap_are_two_volumes_by_whatever_splits_them(state, words, tmp_path):
    series = verdict_of([frames_of_two_volumes(state)], tmp_path)
    check_refused(series, Reason.MIXED_ACQUISITION, words)


@pytest.mark.parametrize("step", [1, -1])
def test_frames_that_count_on_along_the_normal_are_one_volume(step, tmp_path):
    def state(group, k):
        _count(group, 20 + step * (2 * (k % 5) + k // 5))

    assert verdict_of([frames_of_two_volumes(state)], tmp_path).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (_b_of_frame, "2 b-values (0 s/mm2, 1000 s/mm2)"),
        (_b_of_converted, "2 b-values (0 s/mm2, 1000 s/mm2)"),
        (_echo_in_private_sequence, "2 echo times (4.6 ms, 9.2 ms)"),
        (_place_in_stack, "5 InStackPositionNumbers for 10 places"),
        (_counted_on, "InStackPositionNumbers 1, 6, 2, 7, ... that alternate"),
        (_counted_on_with_a_jump, "InStackPositionNumbers 1, 101, 2, 102, ... that alternate"),
        (_reversed, "InStackPositionNumbers 1, 5, 2, 4, ... that alternate"),
        (_counted_back, "InStackPositionNumbers 1, 10, 2, 9, ... that alternate"),
        (_without_contrast, "2 values of ContrastBolusUsageSequence"),
        (_metabolite, "2 metabolite maps"),
        (_side, "2 image lateralities (L, R) that alternate"),
        (_second_source, "2 values of CTXRayDetailsSequence.CTAdditionalXRaySourceSequence.KVP"),
        (_additional_source, "2 values of CTAdditionalXRaySourceSequence.KVP"),
    ],
)
def test_frames_are_told_apart_by_private_elements_and_places(state, words, tmp_path):
    series = verdict_of([frames_of_two_volumes(state)], tmp_path)
    check_refused(series, Reason.MIXED_ACQUISITION, words)


def test_two_stacks_of_which_one_is_shorter_are_two(tmp_path):
    """Frames that count 1, 1, 2, 2, 3, 3, 4, 4, 5 along the normal."""
    whole = frames_of_two_volumes(_place_in_stack)
    whole.PerFrameFunctionalGroupsSequence = whole.PerFrameFunctionalGroupsSequence[:-1]
    whole.NumberOfFrames, whole.PixelData = 9, whole.PixelData[: -2 * 24]
    words = "5 InStackPositionNumbers for 9 places"
    check_refused(verdict_of([whole], tmp_path), Reason.MIXED_ACQUISITION, words)


def test_files_are_told_apart_by_what_the_frames_of_each_share(tmp_path):
    slices = two_sets({}, {}, origin=AT_HALF_SPACING, modality="MR")
    files = [make_enhanced(slices[k : k + 5], EnhancedMRImageStorage) for k in (0, 5)]
    for whole, contrast in zip(files, ("T1", "T2"), strict=True):
        frame_type = item(AcquisitionContrast=contrast)
        whole.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence = [frame_type]
    words = "2 values of MRImageFrameTypeSequence.AcquisitionContrast"
    check_refused(verdict_of(files, tmp_path), Reason.MIXED_ACQUISITION, words)


@pytest.mark.parametrize("length", [3, 4, 6])
def test_parts_of_a_stack_that_each_count_from_1_are_one(length, tmp_path):
    dataset = make_enhanced(mr(make_series(ramp((12, 6, 4)), uid="1.2.3")), EnhancedMRImageStorage)
    (shared,) = dataset.SharedFunctionalGroupsSequence
    shared.PixelMeasuresSequence[0].SliceThickness = 2.5
    for k, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        _count(group, 1 + k % length)
    assert verdict_of([dataset], tmp_path).verdict is Verdict.ACCEPT


def test_files_of_a_stack_that_each_count_from_1_are_one(tmp_path):
    slices = mr(make_series(ramp((8, 6, 4)), uid="1.2.3"))
    parts = [make_enhanced(slices[k : k + 4], EnhancedMRImageStorage) for k in (0, 4)]
    for part in parts:
        for k, group in enumerate(part.PerFrameFunctionalGroupsSequence):
            _place_in_stack(group, k)
    assert verdict_of(parts, tmp_path).verdict is Verdict.ACCEPT


def test_positions_in_a_stack_are_no_turns(tmp_path):
    def state(group, k):
        item = Dataset()
        item.StackID, item.DimensionIndexValues = "1", [1, 1 + 2 * (k % 5) + k // 5]
        group.FrameContentSequence = [item]

    series = verdict_of([frames_of_two_volumes(state)], tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (b_of_siemens, "2 b-values (0 s/mm2, 1000 s/mm2)"),
        (b_without_creator, "2 b-values (0 s/mm2, 1000 s/mm2)"),
        (b_of_csa, "2 b-values (0 s/mm2, 1000 s/mm2)"),
        (direction_of_siemens, "2 diffusion directions that alternate"),
        (direction_of_csa, "2 diffusion directions that alternate"),
    ],
)
def test_private_diffusion_at_half_a_step_is_of_two_volumes(state, words, tmp_path):
    slices = two_sets({}, {}, origin=AT_HALF_SPACING, modality="MR")
    for k, s in enumerate(slices):
        state(s, k // 5)
    check_refused(verdict_of(slices, tmp_path), Reason.MIXED_ACQUISITION, words)


def test_times_that_swing_between_two_phases_are_two_volumes(tmp_path):
    """No two are the same: 0, 400, 3, 403, 6, 406, ... ms, and slices of two steps' thickness."""
    slices = two_sets({}, {}, origin=AT_HALF_SPACING, modality="MR")
    for k, s in enumerate(slices):
        s.TriggerTime = str(400 * (k // 5) + 3 * (k % 5))
    check_refused(verdict_of(slices, tmp_path), Reason.MIXED_ACQUISITION, "10 trigger times (0 ms")


@pytest.mark.parametrize("step_ms", [0, 1, 50])
def test_times_that_go_on_along_overlapping_slices_are_of_one_volume(step_ms, tmp_path):
    slices = two_sets({}, {}, origin=AT_HALF_SPACING, modality="MR")
    for s in slices:
        s.TriggerTime = str(round(100 + step_ms * float(s.ImagePositionPatient[2])))
    assert verdict_of(slices, tmp_path).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("group", "creator", "element", "vr", "values", "words"),
    [
        (0x2001, PHILIPS, 0x08, "IS", ("1", "2"), "2 values of Philips phase number"),
        (0x2001, PHILIPS, 0x1D, "IS", ("1", "2"), "Philips reconstruction number"),
        (0x2001, PHILIPS, 0x07, "CS", ("ED", "ES"), "Philips end of diastole or systole"),
        (0x2005, PHILIPS_MR, 0xA0, "FL", (0.0, 2.5), "Philips dynamic scan time"),
        (0x2005, "Philips MR Imaging DD 005", 0x29, "CS", ("LABEL", "CONTROL"), "label type"),
    ],
)
def test_overlapping_slices_that_take_turns_in_a_private_number_are_two_volumes(
    group, creator, element, vr, values, words, tmp_path
):
    slices = two_sets({}, {}, origin=AT_HALF_SPACING, modality="MR")
    for k, s in enumerate(slices):
        value = values[k * 2 // len(slices)]
        s.private_block(group, creator, create=True).add_new(element, vr, value)
    check_refused(verdict_of(slices, tmp_path / "two"), Reason.MIXED_ACQUISITION, words)
    for s in slices:
        s.private_block(group, creator)[element].value = values[0]
    assert verdict_of(slices, tmp_path / "one").verdict is Verdict.ACCEPT


@pytest.mark.parametrize(("thickness_mm", "step_mm"), [(6, 5), (4, 3), (7, 5)])
@pytest.mark.parametrize(
    ("elements", "words"),
    [
        (CINE, "2 trigger times (20 ms, 420 ms)"),
        (CINE_WITH_JITTER, "9 trigger times (19 ms"),
        (NUMBERS, "2 acquisition numbers (1, 2)"),
        (CONTRAST, "2 contrast agents"),
    ],
)
def test_mr_slices_little_thicker_than_their_step_may_be_two_volumes(
    elements, words, thickness_mm, step_mm, tmp_path
):
    slices = ten_of_mr(elements, step_mm=step_mm, thickness_mm=thickness_mm)
    check_refused(verdict_of(slices, tmp_path), Reason.MIXED_ACQUISITION, words)


@pytest.mark.parametrize("elements", [PACKAGES, LONG_PACKAGES])
@pytest.mark.parametrize(
    ("thickness_mm", "step_mm", "spacing_mm"),
    [(5, 5, None), (5, 6, None), (5, 6, 6), (5, 6, 12), (5, 5, 10), (4, 3, None)],
)
def test_mr_taken_in_two_packages_is_one_volume(
    elements, thickness_mm, step_mm, spacing_mm, tmp_path
):
    """Odd slices first and even ones later, with the spacing of the stack or of one package."""
    slices = ten_of_mr(elements, step_mm=step_mm, thickness_mm=thickness_mm, spacing_mm=spacing_mm)
    series = verdict_of(slices, tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.OK)


@pytest.mark.parametrize(
    ("modality", "thickness_mm", "spacing_mm", "elements"),
    [
        ("CT", 6, None, PACKAGES),
        ("CT", 5, 10, PACKAGES),
        ("MR", 8, None, PACKAGES),
        ("MR", 8, None, LONG_PACKAGES),
        ("MR", 5, 10, CINE),
    ],
)
def test_packages_are_of_mr_alone_and_differ_in_times_of_day_alone(
    modality, thickness_mm, spacing_mm, elements, tmp_path
):
    slices = ten_of_mr(
        elements,
        step_mm=5,
        thickness_mm=thickness_mm,
        spacing_mm=spacing_mm,
        modality=modality,
    )
    check_refused(verdict_of(slices, tmp_path), Reason.MIXED_ACQUISITION, "that alternate")


@pytest.mark.parametrize(
    "times",
    [("512", "498", "530", "505", "521", "512"), ("900", "930", "900", "930", "900", "900", "930")],
)
@pytest.mark.parametrize("keyword", ["TriggerTime", "RepetitionTime"])
def test_the_heartbeat_of_mr_slices_that_overlap_a_little_is_of_one_volume(
    keyword, times, tmp_path
):
    slices = ten_of_mr({keyword: times}, step_mm=5, thickness_mm=6)[: len(times)]
    assert verdict_of(slices, tmp_path).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("modality", "state", "words"),
    [
        ("MR", lambda s: b_of_siemens(s, True), "2 b-values (1000 s/mm2, none)"),
        ("MR", lambda s: b_of_csa(s, True), "2 b-values (1000 s/mm2, none)"),
        ("MR", lambda s: setattr(s, "DiffusionBValue", 800.0), "2 b-values (800 s/mm2, none)"),
        ("MR", lambda s: direction_of_siemens(s, True), "2 diffusion directions"),
        ("MR", lambda s: setattr(s, "InversionTime", "180"), "2 inversion times (180 ms, none)"),
        ("CT", lambda s: setattr(s, "ContrastBolusAgent", "Gd"), "2 contrast agents"),
    ],
)
@pytest.mark.parametrize("number", [5, 8])
def test_what_says_something_by_its_absence_splits_slices_no_thicker_than_their_step(
    modality, state, words, number, tmp_path
):
    slices = in_order("StationName", ["a"] * number, modality=modality)
    for s in slices[::2]:
        state(s)
    series = verdict_of(slices, tmp_path)
    said = f"{words} that alternate along the normal in series"
    check_refused(series, Reason.MIXED_ACQUISITION, said)
