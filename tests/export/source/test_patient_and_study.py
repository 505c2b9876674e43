"""Tests of medseg.export.source.patient_and_study: a bad header does not stop a result."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from export.bad_headers import BAD, EMPTY, GOOD, name_change
from export.judges import find_errors, needs_dciodvfy
from export.source.test_images import describe as describe  # a fixture
from export.source.test_images import write_ones
from ingest.dicom_writer import make_series, write_series

from medseg.export import Algorithm, describe_source, write_parametric_map, write_rtstruct
from medseg.export.source.patient_and_study import read_patient_id
from medseg.ingest import find_series
from medseg.labels import make_table


@pytest.mark.parametrize("changes", [*BAD, *EMPTY], ids=name_change)
def test_what_is_missing_or_not_allowed_is_noted_without_its_value(describe, changes):
    _, images = describe(**changes)
    ((keyword, value),) = changes.items()
    is_nobody = keyword == "ReferringPhysicianName" and not str(value or "").strip()
    assert any(keyword in note for note in images.notes) is not is_nobody
    assert not any(str(value) in note for note in images.notes if str(value or "").strip())


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
