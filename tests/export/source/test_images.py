"""Tests of medseg.export.source.images: a bad header does not stop a result, nor get into it."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from export.bad_headers import BAD, GOOD, name_change, write_changed
from export.judges import find_errors, needs_dciodvfy
from ingest.dicom_writer import make_enhanced, make_series, write_series

from medseg.export import (
    Algorithm,
    describe_source,
    write_parametric_map,
    write_seg,
)
from medseg.ingest import IngestError, find_series
from medseg.labels import make_table


@pytest.fixture
def describe(tmp_path):
    """Describe the source images of a series with some elements changed, or left out for None."""

    def change(**changes):
        series = write_changed(tmp_path / "ct", **changes)
        return series, describe_source(series)

    return change


def write_ones(path, series, images):
    mask = np.ones(series.geometry.shape, np.uint8)
    write_seg(
        mask,
        path,
        source=images,
        geometry=series.geometry,
        labels=make_table(["liver"]),
        algorithm=Algorithm("liver", "1"),
    )


def test_a_good_header_is_copied_without_a_note(describe):
    series, images = describe()
    assert images.notes == ()
    assert {keyword: str(images.first.get(keyword)) for keyword in GOOD} == GOOD
    assert [h.SOPInstanceUID for h in images.headers] == [h.instance for h in series.slices]


@needs_dciodvfy
@pytest.mark.parametrize("changes", [*BAD, dict.fromkeys(GOOD, "")], ids=name_change)
def test_a_result_from_a_bad_header_is_a_valid_object(describe, changes, tmp_path):
    series, images = describe(**changes)
    write_ones(tmp_path / "seg.dcm", series, images)
    assert find_errors(tmp_path / "seg.dcm") == []


def write_with_thickness(folder, thickness_mm, *, is_multiframe):
    """A series with slices 1.25 mm apart whose thickness is missing (None), empty or a number."""
    slices = make_series(step_mm=1.25)
    for dataset in slices:
        dataset.StudyInstanceUID = "1.2.840.1"
        dataset.SliceThickness = thickness_mm
        if thickness_mm is None:
            del dataset.SliceThickness
    if is_multiframe:
        folder.mkdir()
        make_enhanced(slices).save_as(folder / "enhanced.dcm", enforce_file_format=True)
    else:
        write_series(folder, slices)
    (series,) = find_series(folder)
    return series


@needs_dciodvfy
@pytest.mark.parametrize("is_multiframe", [False, True])
@pytest.mark.parametrize("thickness_mm", [None, "", 0, -1])
def test_a_thickness_that_is_not_stated_is_the_distance_of_slices(
    thickness_mm, is_multiframe, tmp_path
):
    series = write_with_thickness(tmp_path / "ct", thickness_mm, is_multiframe=is_multiframe)
    images = describe_source(series)
    assert any("SliceThickness of 5 images" in note for note in images.notes)
    write_ones(tmp_path / "seg.dcm", series, images)
    write_parametric_map(
        np.ones(series.geometry.shape),
        tmp_path / "map.dcm",
        source=images,
        geometry=series.geometry,
        algorithm=Algorithm("liver", "1"),
    )
    for name in ("seg.dcm", "map.dcm"):
        assert find_errors(tmp_path / name) == []
        (shared,) = pydicom.dcmread(tmp_path / name).SharedFunctionalGroupsSequence
        assert shared.PixelMeasuresSequence[0].SliceThickness == 1.25


@pytest.mark.parametrize("is_multiframe", [False, True])
def test_a_stated_thickness_is_kept_without_a_note(is_multiframe, tmp_path):
    series = write_with_thickness(tmp_path / "ct", 0.7, is_multiframe=is_multiframe)
    images = describe_source(series)
    assert not any("SliceThickness" in note for note in images.notes)
    write_ones(tmp_path / "seg.dcm", series, images)
    (shared,) = pydicom.dcmread(tmp_path / "seg.dcm").SharedFunctionalGroupsSequence
    assert shared.PixelMeasuresSequence[0].SliceThickness == 0.7


def test_many_faults_of_a_header_are_one_note_for_each_kind(tmp_path):
    slices = make_series()
    for dataset in slices:
        for keyword in ("PatientID", "PatientName", "PatientSex", "StudyDate", "AccessionNumber"):
            if keyword in dataset:
                delattr(dataset, keyword)
        dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = "a", "b"
    write_series(tmp_path / "ct", slices)
    (series,) = find_series(tmp_path / "ct")
    notes = describe_source(series).notes
    assert len(notes) == 2
    assert notes[0] == (
        "PatientID, PatientName, PatientBirthDate, PatientSex, StudyID, StudyDate, StudyTime and "
        "AccessionNumber are missing or empty in the source, and empty in the result"
    )
    said = "StudyInstanceUID and FrameOfReferenceUID of the source are not valid: the result has"
    assert notes[1] == f"{said} others in their place"


def test_a_frame_of_reference_that_the_first_image_lacks_is_that_of_the_others(tmp_path):
    slices = make_series()
    frame = slices[0].FrameOfReferenceUID
    slices[0].FrameOfReferenceUID = ""
    write_series(tmp_path / "ct", slices)
    (series,) = find_series(tmp_path / "ct")
    assert describe_source(series).first.FrameOfReferenceUID == frame


def test_private_elements_are_not_copied(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.private_block(0x0009, "A MAKER", create=True).add_new(1, "LO", "secret")
    write_series(tmp_path / "ct", slices)
    (series,) = find_series(tmp_path / "ct")
    assert not any(element.tag.is_private for element in describe_source(series).first)


def test_a_refused_series_has_no_source_images(tmp_path):
    slices = make_series()
    write_series(tmp_path / "ct", slices[:2] + slices[3:])
    (series,) = find_series(tmp_path / "ct")
    with pytest.raises(IngestError):
        describe_source(series)
