"""Tests of medseg.base.channels.case_paths."""

from pathlib import Path

from medseg.base.channels.case_paths import change_paths, list_paths


def test_an_entry_names_one_file_or_one_for_each_channel_that_is_there():
    assert list_paths("a.nii") == ["a.nii"]
    assert list_paths(Path("a.nii")) == ["a.nii"]
    assert list_paths(["a.nii", None, "c.nii"]) == ["a.nii", "c.nii"]


def test_what_is_no_path_has_none():
    assert list_paths(None) == list_paths("") == list_paths(3) == []


def test_a_missing_channel_stays_missing_when_paths_change():
    assert change_paths(["a", None], str.upper) == ["A", None]
    assert change_paths("a", str.upper) == "A"
