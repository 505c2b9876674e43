"""Tests of medseg.ingest.other_elements: read as text, and never converted."""

from __future__ import annotations

from ingest.dicom_writer import make_series, write_series
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from medseg.ingest.header import read_header
from medseg.ingest.other_elements import read_frame_others, read_others


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
    assert read_frame_others(group) == (("FrameLabel", "a"),)


def test_a_macro_that_is_no_sequence_says_nothing():
    group, tag = Dataset(), Tag("FrameContentSequence")
    group._dict[tag] = RawDataElement(tag, "LO", 2, b"ab", 0, False, True)
    assert read_frame_others(group) == ()
