"""Tests of medseg.ingest.dicom.selection: one of several series, by UID or by the rule asked
for."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from ingest.dicom_writer import make_series, ramp, spoil_rows, write_series
from pydicom.uid import (
    ComprehensiveSRStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.dicom.selection import (
    REFERRED_IMAGES,
    RULES,
    choose_series,
    get_number,
    is_companion,
)


def add(folder, count, uid):
    write_series(folder, make_series(ramp((count, 6, 4)), uid=uid), suffix=f".{uid[-1]}")


def test_the_largest_is_chosen_when_that_is_asked_for_and_recorded(tmp_path, caplog):
    add(tmp_path, 3, "1.2.1")
    add(tmp_path, 5, "1.2.2")
    with caplog.at_level(logging.WARNING):
        array, _ = load(tmp_path, choose="largest")
    assert array.shape == (4, 6, 5)
    assert "1.2.2 (CT, 4x6, 5 files) is the largest of 2 series in" in caplog.text
    chosen = choose_series(find_series(tmp_path), tmp_path, choose="largest")
    assert (chosen.verdict, chosen.reason) == (Verdict.REPAIR, Reason.CHOSEN_SERIES)


def test_without_a_rule_several_series_stay_refused(tmp_path):
    add(tmp_path, 3, "1.2.1")
    add(tmp_path, 5, "1.2.2")
    with pytest.raises(IngestError) as caught:
        load(tmp_path)
    assert caught.value.code is Reason.SEVERAL_SERIES


def test_a_tie_is_refused(tmp_path):
    add(tmp_path, 5, "1.2.1")
    add(tmp_path, 5, "1.2.2")
    with pytest.raises(IngestError, match="2 share the most slices, 5") as caught:
        load(tmp_path, choose="largest")
    assert caught.value.code is Reason.SEVERAL_SERIES


def test_the_largest_is_that_of_the_usable_ones(tmp_path):
    add(tmp_path, 3, "1.2.1")
    gapped = make_series(ramp((8, 6, 4)), uid="1.2.2")
    del gapped[4]
    write_series(tmp_path, gapped, suffix=".b")
    assert load(tmp_path, choose="largest")[0].shape == (4, 6, 3)


def test_none_usable_is_refused(tmp_path):
    for uid in ("1.2.1", "1.2.2"):
        gapped = make_series(ramp((8, 6, 4)), uid=uid)
        del gapped[4]
        write_series(tmp_path, gapped, suffix=f".{uid[-1]}")
    with pytest.raises(IngestError, match="none is usable") as caught:
        load(tmp_path, choose="largest")
    assert caught.value.code is Reason.SEVERAL_SERIES


def test_one_series_needs_no_rule(tmp_path):
    add(tmp_path, 5, "1.2.1")
    chosen = choose_series(find_series(tmp_path), tmp_path, choose="largest")
    assert (chosen.verdict, chosen.notes) == (Verdict.ACCEPT, ())


def test_a_file_that_cannot_be_read_may_be_of_any_series(tmp_path):
    add(tmp_path, 5, "1.2.1")
    (tmp_path / "broken.dcm").write_bytes(b"broken")
    with pytest.raises(IngestError, match=r"broken\.dcm") as caught:
        load(tmp_path, choose="largest")
    assert caught.value.code is Reason.UNREADABLE


def test_a_named_series_is_taken_beside_damaged_files_which_are_counted(tmp_path, caplog):
    add(tmp_path / "a", 5, "1.2.1")
    add(tmp_path / "b", 3, "1.2.2")
    (tmp_path / "broken.dcm").write_bytes(b"broken")
    cut = write_series(tmp_path / "c", make_series(ramp((1, 6, 4)), uid="1.2.3"))[0]
    cut.write_bytes(cut.read_bytes()[:400])  # before its Series Instance UID
    spoil_rows(tmp_path / "b" / "im0000.2")  # of the other series, as it states itself
    with caplog.at_level(logging.WARNING):
        assert load(tmp_path, series_uid="1.2.1")[0].shape == (4, 6, 5)
    assert f"series 1.2.1 is taken without 3 damaged files in {tmp_path}" in caplog.text
    with pytest.raises(IngestError, match=r"Rows .* in the header of .*im0000\.2") as caught:
        load(tmp_path, series_uid="1.2.2")
    assert caught.value.code is Reason.UNREADABLE


def test_an_unnamed_damaged_file_beside_the_slices_may_be_the_first_or_last_of_them(tmp_path):
    add(tmp_path / "a", 5, "1.2.1")
    add(tmp_path / "b", 3, "1.2.2")
    (tmp_path / "a" / "im0009.dcm").write_bytes(b"")
    with pytest.raises(IngestError, match=r"im0009\.dcm has 0 bytes") as caught:
        load(tmp_path, series_uid="1.2.1")
    assert caught.value.code is Reason.UNREADABLE
    assert load(tmp_path, series_uid="1.2.2")[0].shape[2] == 3


def test_a_named_series_of_which_a_file_is_missing_on_its_disk_is_refused(tmp_path):
    """Its record in the DICOMDIR is not asked for its series."""
    add(tmp_path, 5, "1.2.1")
    found = find_series(tmp_path)
    gone = replace(found[0], uid="", slices=(), notes=((Reason.NOT_FOUND, "gone"),))
    chosen = choose_series([*found, gone], tmp_path, series_uid="1.2.1")
    assert chosen is gone


def test_a_damaged_file_may_be_the_named_series_that_is_not_there(tmp_path):
    add(tmp_path, 5, "1.2.1")
    (tmp_path / "broken.dcm").write_bytes(b"broken")
    with pytest.raises(IngestError, match=r"broken\.dcm") as caught:
        load(tmp_path, series_uid="1.2.9")
    assert caught.value.code is Reason.UNREADABLE


def test_an_unknown_rule_and_a_rule_beside_a_uid_are_refused(tmp_path):
    assert RULES == ("largest",)
    add(tmp_path, 5, "1.2.1")
    with pytest.raises(ValueError, match="choose must be largest, the number of a series"):
        load(tmp_path, choose="first")
    with pytest.raises(ValueError, match="exclude each other"):
        load(tmp_path, choose="largest", series_uid="1.2.1")


def add_numbered(folder, number, uid):
    datasets = make_series(ramp((3, 6, 4)), uid=uid)
    for dataset in datasets:
        dataset.SeriesNumber = number
    write_series(folder, datasets, suffix=f".{uid[-1]}")


def test_a_number_names_the_series_of_it_that_is_an_image(tmp_path):
    add_numbered(tmp_path, 2, "1.2.1")
    add_numbered(tmp_path, 11, "1.2.2")
    chosen = choose_series(find_series(tmp_path), tmp_path, choose=11)
    assert (chosen.uid, get_number(chosen), chosen.verdict) == ("1.2.2", 11, Verdict.ACCEPT)


def test_a_number_that_no_series_has_or_that_two_have_is_refused(tmp_path):
    add_numbered(tmp_path, 2, "1.2.1")
    with pytest.raises(
        IngestError, match=r"no image series of number 5 in .*, which has 2"
    ) as none:
        load(tmp_path, choose=5)
    assert none.value.code is Reason.UNKNOWN_SERIES
    add_numbered(tmp_path, 2, "1.2.2")
    with pytest.raises(IngestError, match="2 series of number 2 in") as several:
        load(tmp_path, choose=2)
    assert several.value.code is Reason.SEVERAL_SERIES


@pytest.mark.parametrize("number", ["", "4.5", "A4"])
def test_what_is_no_whole_number_is_no_number_of_a_series(tmp_path, number):
    add_numbered(tmp_path, 1, "1.2.1")
    (series,) = find_series(tmp_path)
    slices = [
        replace(header, origin=replace(header.origin, series_number=number))
        for header in series.slices
    ]
    assert get_number(replace(series, slices=tuple(slices))) is None


def test_several_series_without_uid_are_named_by_their_folder_which_loads_one(tmp_path):
    for name, count in (("a", 5), ("b", 3)):
        slices = make_series(ramp((count, 6, 4)), uid="1.2.1")
        for dataset in slices:
            del dataset.SeriesInstanceUID
        write_series(tmp_path / name, slices)
    with pytest.raises(IngestError) as caught:
        load(tmp_path)
    assert f"no UID in {tmp_path / 'b'} (CT, 4x6, 3 files)" in str(caught.value)
    way = f"pass the place of one of them alone, such as {tmp_path / 'a'}"
    assert caught.value.remedy == way
    with pytest.raises(IngestError) as unknown:
        load(tmp_path, series_uid="1.2.3")
    assert (unknown.value.code, unknown.value.remedy) == (Reason.UNKNOWN_SERIES, way)
    assert load(tmp_path / "b")[0].shape == (4, 6, 3)
    assert load(tmp_path, choose="largest")[0].shape == (4, 6, 5)


def test_a_series_without_uid_of_one_file_is_passed_as_that_file(tmp_path):
    add(tmp_path, 3, "1.2.1")
    (single,) = make_series(ramp((1, 6, 4)), uid="1.2.2")
    del single.SeriesInstanceUID
    write_series(tmp_path, [single], suffix=".dcm")
    with pytest.raises(IngestError) as caught:
        load(tmp_path)
    (file,) = tmp_path.glob("*.dcm")
    assert caught.value.remedy == (
        "pass --series_uid UID of one that states it, or pass the place "
        f"of one of them alone, such as {file}"
    )
    assert load(file)[0].shape == (4, 6, 1)
    assert load(tmp_path, series_uid="1.2.1")[0].shape == (4, 6, 3)


def test_series_without_uid_in_one_folder_are_to_be_put_into_folders(tmp_path):
    for name, number in (("a", 1), ("b", 2)):
        slices = make_series(ramp((3, 6, 4)), uid="1.2.1")
        for dataset in slices:
            del dataset.SeriesInstanceUID
            dataset.SeriesNumber = number
        write_series(tmp_path, slices, suffix=f".{name}")
    with pytest.raises(IngestError) as caught:
        load(tmp_path)
    assert caught.value.remedy == (
        "put the files of one of them into a folder of their own, and pass that folder"
    )
    (tmp_path / "own").mkdir()
    for file in tmp_path.glob("*.b"):
        file.rename(tmp_path / "own" / file.name)
    assert load(tmp_path / "own")[0].shape == (4, 6, 3)


def test_an_empty_uid_names_no_series(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.SeriesInstanceUID = ""
    write_series(tmp_path, slices)
    with pytest.raises(ValueError, match="series_uid is empty: pass a UID, or None"):
        load(tmp_path, series_uid="")


def secondary_capture(dataset):
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    del dataset.ImagePositionPatient


def screen_save(dataset):
    dataset.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]


@pytest.mark.parametrize("spoil", [secondary_capture, screen_save])
def test_secondary_captures_are_left_aside(tmp_path, spoil, caplog):
    add(tmp_path, 5, "1.2.1")
    captures = make_series(ramp((7, 6, 4)), uid="1.2.2")
    for dataset in captures:
        spoil(dataset)
    write_series(tmp_path, captures, suffix=".b")
    _, capture = find_series(tmp_path)
    assert (capture.reason, is_companion(capture)) == (Reason.SECONDARY_CAPTURE, True)
    with caplog.at_level(logging.INFO):
        assert load(tmp_path)[0].shape == (4, 6, 5)
    assert "skipped 1 series without image slices" in caplog.text


def test_secondary_captures_alone_are_refused(tmp_path):
    captures = make_series()
    for dataset in captures:
        secondary_capture(dataset)
    write_series(tmp_path, captures)
    with pytest.raises(IngestError, match="5 of 5 files are secondary captures") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.SECONDARY_CAPTURE


def add_object(folder, uid, modality, sop_class):
    single = make_series(ramp((1, 6, 4)), uid=uid)
    del single[0].PixelData
    single[0].Modality, single[0].SOPClassUID = modality, sop_class
    write_series(folder, single, suffix=f".{uid[-1]}")


@pytest.mark.parametrize("choose", [None, "largest", 7])
def test_objects_that_are_no_images_point_to_the_images_that_they_refer_to(tmp_path, choose):
    add_object(tmp_path, "1.2.1", "RTSTRUCT", RTStructureSetStorage)
    add_object(tmp_path, "1.2.2", "SR", ComprehensiveSRStorage)
    with pytest.raises(IngestError, match=r"2 series in .*, none of which is an image") as caught:
        load(tmp_path, choose=choose)
    assert caught.value.code is Reason.NOT_AN_IMAGE
    assert str(caught.value).endswith(REFERRED_IMAGES)


def test_one_object_that_is_no_image_points_to_the_images_that_it_refers_to(tmp_path):
    add_object(tmp_path, "1.2.1", "SR", ComprehensiveSRStorage)
    with pytest.raises(IngestError, match="pass the folder of the image series that it refers to"):
        load(tmp_path)


def test_several_series_are_listed_by_what_a_person_chooses_by_and_no_description(tmp_path):
    for number, uid in ((4, "1.2.1"), (7, "1.2.2")):
        slices = make_series(ramp((5, 6, 4)), uid=uid)
        for each in slices:
            each.SeriesNumber, each.SeriesDescription = number, "Doe Jane"
        write_series(tmp_path, slices, suffix=f".{uid[-1]}")
    listed = r"1\.2\.1 \(number 4, CT, 4x6, 5 files\), 1\.2\.2 \(number 7, CT, 4x6, 5 files\)"
    with pytest.raises(IngestError, match=listed) as caught:
        load(tmp_path)
    assert "--series NUMBER|UID|largest|all" in str(caught.value)
    assert "choose_series or series_uid" in str(caught.value)
    assert "Doe" not in str(caught.value)
