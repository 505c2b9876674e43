"""Tests of medseg.export.source_images: a bad header does not stop a result, nor get into it."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from export.bad_headers import BAD, EMPTY, GOOD, name_change, write_changed
from export.judges import find_errors, needs_dciodvfy
from ingest.dicom_writer import make_enhanced, make_series, write_series

from medseg.export import (
    Algorithm,
    describe_source,
    write_parametric_map,
    write_rtstruct,
    write_seg,
)
from medseg.export.source_images import read_patient_id
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


@pytest.mark.parametrize("changes", [*BAD, *EMPTY], ids=name_change)
def test_what_is_missing_or_not_allowed_is_noted_without_its_value(describe, changes):
    _, images = describe(**changes)
    ((keyword, value),) = changes.items()
    is_nobody = keyword == "ReferringPhysicianName" and not str(value or "").strip()
    assert any(keyword in note for note in images.notes) is not is_nobody
    assert not any(str(value) in note for note in images.notes if str(value or "").strip())


@needs_dciodvfy
@pytest.mark.parametrize("changes", [*BAD, dict.fromkeys(GOOD, "")], ids=name_change)
def test_a_result_from_a_bad_header_is_a_valid_object(describe, changes, tmp_path):
    series, images = describe(**changes)
    write_ones(tmp_path / "seg.dcm", series, images)
    assert find_errors(tmp_path / "seg.dcm") == []


@pytest.mark.parametrize("patient", ["x" * 65, "a\\b", "a\nb"])
def test_a_patient_that_cannot_be_kept_is_warned_of(describe, patient):
    series, images = describe(PatientID=patient)
    (note,) = images.notes
    assert note.startswith("PatientID of the source is not allowed in DICOM")
    assert "file the result under another patient" in note
    assert images.first.PatientID == ""
    assert read_patient_id(series.slices[0].path) is None


@pytest.mark.parametrize("patient", ["x" * 64, "ä" * 64, "4711", ""])
def test_a_patient_that_can_be_kept_is_kept(describe, patient, tmp_path):
    series, images = describe(PatientID=patient, SpecificCharacterSet="ISO_IR 100")
    write_ones(tmp_path / "seg.dcm", series, images)
    assert (images.notes == ()) == (patient != "")
    assert pydicom.dcmread(tmp_path / "seg.dcm").PatientID == patient
    assert read_patient_id(tmp_path / "seg.dcm") == patient


def test_blanks_before_an_identifier_are_kept_in_every_object(describe, tmp_path):
    series, images = describe(PatientID="  0017 ", AccessionNumber=" 5", PatientAge=" 048Y")
    given = {"source": images, "geometry": series.geometry, "algorithm": Algorithm("liver", "1")}
    write_ones(tmp_path / "seg.dcm", series, images)
    ones = np.ones(series.geometry.shape, np.uint8)
    write_rtstruct(ones, tmp_path / "rtstruct.dcm", labels=make_table(["liver"]), **given)
    write_parametric_map(ones * 0.5, tmp_path / "map.dcm", **given)
    assert images.notes == ()
    for name in ("seg.dcm", "rtstruct.dcm", "map.dcm"):
        found = pydicom.dcmread(tmp_path / name)
        assert (found.PatientID, found.AccessionNumber) == ("  0017", " 5")
        assert read_patient_id(tmp_path / name) == "  0017"
    assert images.first.PatientAge == "048Y"


def test_the_issuer_of_a_patient_is_copied_with_it(describe, tmp_path):
    series, images = describe(IssuerOfPatientID="Hospital A")
    write_ones(tmp_path / "seg.dcm", series, images)
    assert pydicom.dcmread(tmp_path / "seg.dcm").IssuerOfPatientID == "Hospital A"


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


def test_several_methods_of_deidentification_are_copied(describe):
    _, images = describe(PatientIdentityRemoved="YES", DeidentificationMethod=["one", "two"])
    assert list(images.first.DeidentificationMethod) == ["one", "two"]
    assert images.notes == ()


@needs_dciodvfy
def test_a_removed_identity_has_a_method_also_where_the_source_names_none(describe, tmp_path):
    series, images = describe(PatientIdentityRemoved="YES")
    assert images.first.DeidentificationMethod == "not stated"
    (note,) = images.notes
    assert "DeidentificationMethod is not in the source" in note
    write_ones(tmp_path / "seg.dcm", series, images)
    assert find_errors(tmp_path / "seg.dcm") == []


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


@pytest.fixture
def describe_all(tmp_path):
    """Describe the source images of a series of which single slices have elements of their own."""

    def change(**of_slice):
        slices = make_series(uid="1.2.840.2")
        for number, dataset in enumerate(slices):
            for keyword, value in GOOD.items():
                setattr(dataset, keyword, of_slice.get(keyword, {}).get(number, value))
        write_series(tmp_path / "ct", slices)
        (series,) = find_series(tmp_path / "ct")
        return series, describe_source(series)

    return change


@pytest.mark.parametrize("empty", [0, 2, 4])
@pytest.mark.parametrize("keyword", [k for k in GOOD if k != "PatientID"])
def test_what_some_images_leave_empty_is_that_of_the_others(describe_all, keyword, empty):
    changes = {"PatientID": {0: "", 1: " "}, keyword: {empty: ""}}
    _, images = describe_all(**changes)
    assert {keyword: str(images.first.get(keyword)) for keyword in GOOD} == GOOD
    (note,) = images.notes
    assert note == (
        f"PatientID and {keyword} are missing or empty in some images: the result has that of the "
        "others"
    )


def test_a_frame_of_reference_that_the_first_image_lacks_is_that_of_the_others(tmp_path):
    slices = make_series()
    frame = slices[0].FrameOfReferenceUID
    slices[0].FrameOfReferenceUID = ""
    write_series(tmp_path / "ct", slices)
    (series,) = find_series(tmp_path / "ct")
    assert describe_source(series).first.FrameOfReferenceUID == frame


def test_what_images_do_not_state_alike_is_noted_and_that_of_the_first(describe_all):
    _, images = describe_all(AccessionNumber={0: "", 3: "6"}, StudyID={4: "2"})
    assert (images.first.AccessionNumber, images.first.StudyID) == ("5", "1")
    assert images.notes == (
        "AccessionNumber is missing or empty in some images: the result has that of the others",
        "StudyID and AccessionNumber are not the same in all images: the result has that of the "
        "first",
    )


def test_a_patient_of_the_others_that_is_not_allowed_is_warned_of(describe_all):
    with pydicom.config.disable_value_validation():
        _, images = describe_all(PatientID={0: "", **dict.fromkeys(range(1, 5), "x" * 65)})
    assert images.first.PatientID == ""
    assert images.notes[0].startswith("PatientID of the source is not allowed in DICOM")


def test_names_in_any_character_set_come_back_in_unicode(describe, tmp_path):
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    images = describe(PatientName=name, SpecificCharacterSet=["", "ISO 2022 IR 87"])[1]
    assert str(images.first.PatientName) == name
    assert images.first.SpecificCharacterSet == "ISO_IR 192"


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
