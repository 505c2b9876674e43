"""Tests of medseg.ingest.choice: one of several series, by UID or by the rule asked for."""

from __future__ import annotations

import logging

import pytest
from ingest.dicom_writer import make_series, ramp, write_series
from pydicom.uid import SecondaryCaptureImageStorage

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.choice import RULES, choose_series, is_companion


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


def test_an_unknown_rule_and_a_rule_beside_a_uid_are_refused(tmp_path):
    assert RULES == ("largest",)
    add(tmp_path, 5, "1.2.1")
    with pytest.raises(ValueError, match="choose must be one of largest or None, got 'first'"):
        load(tmp_path, choose="first")
    with pytest.raises(ValueError, match="exclude each other"):
        load(tmp_path, choose="largest", series_uid="1.2.1")


def secondary_capture(dataset):
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage


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
    assert "left 1 series without image slices" in caplog.text


def test_secondary_captures_alone_are_refused(tmp_path):
    captures = make_series()
    for dataset in captures:
        secondary_capture(dataset)
    write_series(tmp_path, captures)
    with pytest.raises(IngestError, match="5 of 5 files are secondary captures") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.SECONDARY_CAPTURE
