"""Tests of medseg.ingest.dicom.header.origin: what headers state of a slice's origin, file by
file and frame."""

from __future__ import annotations

import pytest
from ingest.dicom_writer import make_enhanced, make_series, ramp, write_series
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedMRImageStorage,
)

from medseg.ingest.dicom.header.origin import Origin, read_origin
from medseg.ingest.dicom.read_slices import read_header, read_slices

STATED = {
    "PatientID": "secret-id",
    "PatientBirthDate": "19500102",
    "PatientSex": "O",
    "StudyInstanceUID": "1.2.9",
    "SeriesNumber": 7,
    "ConvolutionKernel": ["Br40d", "3"],
    "ComplexImageComponent": "PHASE",
    "AcquisitionNumber": 2,
    "KVP": "120",
    "EchoTime": "4.60",
    "TemporalPositionIdentifier": 3,
    "TriggerTime": "0",
    "AcquisitionTime": "101500.25",
    "RepetitionTime": "500",
    "InversionTime": "90",
    "FlipAngle": "15",
    "SequenceName": "*fl3d",
    "ScanningSequence": ["GR", "IR"],
    "SliceThickness": "1.25",
    "ContrastBolusAgent": "agent",
    "PatientPosition": "HFS",
    "FilterType": "BODY",
    "Units": "BQML",
    "DiffusionBValue": 0.0,
    "DiffusionGradientOrientation": [1.0, 0.0, -0.5],
}
EXPECTED = Origin(
    patient="secret-id",
    birth_date="19500102",
    sex="O",
    study="1.2.9",
    series_number="7",
    kernel="Br40d\\3",
    component="PHASE",
    acquisition="2",
    tube_kv="120",
    echo_time_ms="4.60",
    b_value="0.0",
    direction="1.0\\0.0\\-0.5",
    temporal_position="3",
    trigger_time_ms="0",
    acquisition_time="101500.25",
    repetition_time_ms="500",
    inversion_time_ms="90",
    flip_angle_degrees="15",
    sequence_name="*fl3d",
    scanning_sequence="GR\\IR",
    thickness_mm="1.25",
    contrast_agent="agent",
    patient_position="HFS",
    filter_type="BODY",
    units="BQML",
)


def one_slice(**elements):
    (dataset,) = make_series(ramp((1, 6, 4)))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def test_a_header_states_its_origin(tmp_path):
    (path,) = write_series(tmp_path, [one_slice(**STATED)])
    assert read_header(path).origin == EXPECTED


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_the_encoding_does_not_matter(syntax, tmp_path):
    dataset = one_slice(**STATED)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert read_header(tmp_path / "a.dcm").origin == EXPECTED


def test_a_data_set_in_memory_is_read_alike():
    assert read_origin(one_slice(**STATED)) == EXPECTED


def test_what_is_absent_or_empty_is_empty(tmp_path):
    dataset = one_slice(EchoTime=None, ConvolutionKernel="", DiffusionBValue=None)
    del dataset.PatientID, dataset.SliceThickness
    (path,) = write_series(tmp_path, [dataset])
    assert read_header(path).origin == Origin()


def test_a_value_that_is_no_number_refuses_nothing(tmp_path):
    dataset = one_slice()
    dataset.add_new("EchoTime", "LO", "short")
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert read_header(tmp_path / "a.dcm").origin.echo_time_ms == "short"


def test_the_patient_is_never_shown(tmp_path):
    (path,) = write_series(tmp_path, [one_slice(**STATED)])
    header = read_header(path)
    assert header.origin.patient == "secret-id"
    assert "secret" not in repr(header)
    assert "19500102" not in repr(header)
    assert "sex" not in repr(header)
    assert "1.2.9" in repr(header)


def item(**elements):
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def frames_of(dataset, tmp_path):
    dataset.save_as(tmp_path / "frames.dcm", enforce_file_format=True)
    return [header.origin for header in read_slices(tmp_path / "frames.dcm")]


def test_a_frame_states_its_own_in_the_functional_groups(tmp_path):
    dataset = make_enhanced(make_series(ramp((2, 6, 4))), EnhancedMRImageStorage)
    dataset.StudyInstanceUID, dataset.ComplexImageComponent = "1.2.9", "MIXED"
    (shared,) = dataset.SharedFunctionalGroupsSequence
    shared.CTXRayDetailsSequence = [item(KVP="140")]
    first, second = dataset.PerFrameFunctionalGroupsSequence
    gradient = item(DiffusionGradientOrientation=[0.0, 0.0, 1.0])
    first.MRDiffusionSequence = [
        item(DiffusionBValue=0.0, DiffusionGradientDirectionSequence=[gradient])
    ]
    first.MREchoSequence = [item(EffectiveEchoTime=4.6)]
    first.MRImageFrameTypeSequence = [item(ComplexImageComponent="PHASE")]
    second.MRTimingAndRelatedParametersSequence = [item(RepetitionTime=500.0, FlipAngle=15.0)]
    second.MRModifierSequence = [item(InversionTimes=90.0)]
    second.FrameContentSequence = [item(FrameAcquisitionNumber=2, TemporalPositionIndex=1)]
    second.CTReconstructionSequence = [item(ConvolutionKernel="B30f")]
    assert frames_of(dataset, tmp_path) == [
        Origin(
            patient="secret-id",
            study="1.2.9",
            tube_kv="140",
            component="PHASE",
            echo_time_ms="4.6",
            b_value="0.0",
            direction="0.0\\0.0\\1.0",
            thickness_mm="1.25",
        ),
        Origin(
            patient="secret-id",
            study="1.2.9",
            tube_kv="140",
            component="MIXED",
            acquisition="2",
            temporal_position="1",
            kernel="B30f",
            repetition_time_ms="500.0",
            flip_angle_degrees="15.0",
            inversion_time_ms="90.0",
            thickness_mm="1.25",
        ),
    ]


def test_a_converted_frame_keeps_the_elements_of_its_slice(tmp_path):
    slices = make_series(ramp((2, 6, 4)))
    dataset = make_enhanced(slices, LegacyConvertedEnhancedMRImageStorage)
    (shared,) = dataset.SharedFunctionalGroupsSequence
    shared.UnassignedSharedConvertedAttributesSequence = [item(EchoTime="9", KVP="100")]
    own = dataset.PerFrameFunctionalGroupsSequence[0]
    own.UnassignedPerFrameConvertedAttributesSequence = [item(EchoTime="4.60")]
    first, second = frames_of(dataset, tmp_path)
    assert (first.echo_time_ms, first.tube_kv) == ("4.60", "100")
    assert (second.echo_time_ms, second.tube_kv) == ("9", "100")


def from_ge(value, *, creator="GEMS_PARM_01", syntax=ExplicitVRLittleEndian, vr="SS"):
    dataset = one_slice()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.add_new((0x0043, 0x0010), "LO", creator)
    dataset.add_new((0x0043, 0x102F), vr, value)
    return dataset


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize(
    ("value", "component"),
    [(0, "MAGNITUDE"), (1, "PHASE"), (2, "REAL"), (3, "IMAGINARY"), (7, ""), (-1, "")],
)
def test_ge_states_the_component_in_an_element_of_its_own(value, component, syntax, tmp_path):
    dataset = from_ge(value, syntax=syntax)
    assert read_origin(dataset).component == component
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert read_header(tmp_path / "a.dcm").origin.component == component


def test_the_element_of_another_maker_or_without_value_is_not_read():
    assert read_origin(from_ge(1, creator="OTHER")).component == ""
    assert read_origin(from_ge(None)).component == ""
    dataset = from_ge(1)
    dataset.ComplexImageComponent = "REAL"
    assert read_origin(dataset).component == "REAL"
