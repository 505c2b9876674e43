"""Tests of medseg.ingest.dicom.header.other_elements: read as text, and never converted."""

from __future__ import annotations

from ingest.dicom_writer import make_series, write_series
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from medseg.ingest.dicom.header.other_elements import DEEPEST, read_frame_others, read_others
from medseg.ingest.dicom.read_slices import read_header


def test_what_a_file_states_is_kept_as_text(tmp_path):
    dataset = make_series()[0]
    dataset.CorrectedImage, dataset.HeartRate = ["DECY", "ATTN"], None
    (path,) = write_series(tmp_path, [dataset])
    stated = dict(read_header(path).origin.others)
    assert stated["CorrectedImage"] == "DECY\\ATTN"
    assert "HeartRate" not in stated


def test_what_is_no_value_of_its_kind_refuses_nothing():
    dataset = Dataset()
    tag = Tag("ActualCardiacTriggerDelayTime")
    dataset._dict[tag] = RawDataElement(tag, "FD", 3, b"\1\2\3", 0, False, True)
    assert read_others(dataset) == (("ActualCardiacTriggerDelayTime", "010203"),)


def test_a_frame_states_what_its_functional_groups_hold_but_not_its_place():
    group, content, place = Dataset(), Dataset(), Dataset()
    content.FrameLabel, content.InStackPositionNumber = "a", 3
    place.ImagePositionPatient = [0, 0, 1]
    group.FrameContentSequence, group.PlanePositionSequence = [content], [place]
    assert read_frame_others(group) == (("FrameContentSequence.FrameLabel", "a"),)


def test_a_macro_that_is_no_sequence_is_compared_as_text():
    group, tag = Dataset(), Tag("FrameContentSequence")
    group._dict[tag] = RawDataElement(tag, "LO", 2, b"ab", 0, False, True)
    assert read_frame_others(group) == (("FrameContentSequence", "ab"),)


def test_what_items_of_sequences_state_is_named_by_both():
    code, dataset = Dataset(), Dataset()
    code.CodeValue = "a"
    dataset.ContrastBolusAgentSequence = [code, code]
    assert read_others(dataset) == (
        ("ContrastBolusAgentSequence.CodeValue", "a"),
        ("ContrastBolusAgentSequence[1].CodeValue", "a"),
    )


def test_a_sequence_that_cannot_be_read_is_compared_as_bytes():
    dataset, tag = Dataset(), Tag("ContrastBolusAgentSequence")
    dataset._dict[tag] = RawDataElement(tag, "SQ", 4, b"abcd", 0, False, True)
    assert read_others(dataset) == (("ContrastBolusAgentSequence", "abcd"),)


def test_no_sequence_is_looked_at_deeper_than_the_limit():
    inner = Dataset()
    inner.CodeValue = "a"
    for _ in range(DEEPEST + 1):
        outer = Dataset()
        outer.EquivalentCodeSequence = [inner]
        inner = outer
    assert read_others(inner) == ()
    (within,) = inner.EquivalentCodeSequence
    ((name, text),) = read_others(within)
    assert (name.count("EquivalentCodeSequence"), text) == (DEEPEST, "a")


def test_names_places_and_references_are_not_kept():
    reference, dataset = Dataset(), Dataset()
    reference.ReferencedSOPInstanceUID = "1.2.3"
    dataset.PatientName = dataset.OperatorsName = "Doe^Jane"
    dataset.SliceLocation, dataset.SOPInstanceUID, dataset.InstanceNumber = 3, "1.2.4", 7
    dataset.SourceImageSequence = dataset.ReferencedImageSequence = [reference]
    assert read_others(dataset) == ()


def test_a_long_text_is_kept_as_a_digest():
    dataset = Dataset()
    dataset.DerivationDescription = "a" * 1000
    ((_, text),) = read_others(dataset)
    assert len(text) == 64


def test_a_private_element_of_a_functional_group_is_passed_over():
    group, content = Dataset(), Dataset()
    content.FrameLabel = "a"
    tag = Tag(0x0019, 0x100C)
    content._dict[tag] = RawDataElement(tag, None, 2, b"1 ", 0, True, True)
    group.FrameContentSequence = [content]
    assert read_frame_others(group) == (("FrameContentSequence.FrameLabel", "a"),)
