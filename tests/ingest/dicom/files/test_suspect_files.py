"""Tests of medseg.ingest.dicom.files.suspect_files: what may be a slice is not passed over, what is
none is."""

from __future__ import annotations

import bz2
import gzip

import pytest
from ingest.dicom_writer import make_series, write_series
from pydicom.uid import MediaStorageDirectoryStorage

from medseg.ingest import IngestError, Reason, Verdict, find_series, load

BINARY = b"\xff\x37" * 400
ZEROS = bytes(800)
TEXT = "Länge: 5\n".encode() * 200


def series_and(tmp_path, name, content, *, suffix=""):
    """Four slices and a file beside them; what stands for the file, if anything does."""
    write_series(tmp_path, make_series()[:4], suffix=suffix, shuffle_seed=None)
    (tmp_path / name).write_bytes(content)
    first, *others = find_series(tmp_path)
    assert (first.verdict, len(first.files)) == (Verdict.ACCEPT, 4)
    assert all(series.files == (tmp_path / name,) for series in others)
    return others


@pytest.mark.parametrize("content", [ZEROS, BINARY, TEXT])
@pytest.mark.parametrize(
    ("suffix", "name"), [("", "im0004"), (".0001", "im0004.0001"), (".ct", "im0004.ct")]
)
def test_what_is_named_like_the_slices_is_one_whatever_it_holds(suffix, name, content, tmp_path):
    (damaged,) = series_and(tmp_path, name, content, suffix=suffix)
    assert damaged.reason is Reason.UNREADABLE
    assert f"{tmp_path / name} may be a slice and cannot be read as DICOM" in damaged.message
    with pytest.raises(IngestError, match=rf"{name} may be a slice"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "name"), [("", "scan"), ("", "1.2.840.1"), (".0001", "scan"), (".ct", "last.ct")]
)
@pytest.mark.parametrize("content", [ZEROS, BINARY])
def test_bytes_under_a_suffix_of_the_slices_may_be_a_slice(suffix, name, content, tmp_path):
    (damaged,) = series_and(tmp_path, name, content, suffix=suffix)
    assert damaged.reason is Reason.UNREADABLE


@pytest.mark.parametrize("magic", [b"\xff\xd8\xff", b"\x89PNG\r\n", b"%PDF-1.7", b"PK\x03\x04"])
def test_pictures_and_archives_without_suffix_are_left_aside(magic, tmp_path):
    assert series_and(tmp_path, "preview", magic + BINARY) == []


@pytest.mark.parametrize("content", [ZEROS, BINARY])
def test_bytes_without_suffix_beside_slices_that_have_one_are_left_aside(content, tmp_path):
    assert series_and(tmp_path, "other", content, suffix=".dcm") == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("LICENSE", TEXT), ("README", TEXT), ("VERSION", b"1.0")),
        *(("README.txt", TEXT), ("Thumbs.db", BINARY), (".DS_Store", BINARY)),
        *(("069.xml", TEXT), ("mask.raw", ZEROS), ("im0004.json", TEXT), ("list.csv", TEXT)),
        *(("report.pdf", BINARY), ("im0004.png", BINARY), ("im0004.nii.gz", BINARY)),
        *(("export.zip", BINARY), ("notes.txt.gz", BINARY)),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".dcm"])
def test_notes_lists_and_previews_are_left_aside(name, content, suffix, tmp_path):
    found = series_and(tmp_path, name, content, suffix=suffix)
    assert [s for s in found if s.reason is not Reason.OK] == []


@pytest.mark.parametrize("name", ["scan", "im0004.raw"])
def test_without_slices_beside_it_a_file_is_none(name, tmp_path):
    write_series(tmp_path / "ct", make_series())
    (tmp_path / name).write_bytes(BINARY)
    assert len(find_series(tmp_path)) == 1


@pytest.mark.parametrize(
    "name", ["im0004.dcm.gz", "im0004.DCM.bz2", "im0004.gz", "im0004.dcm.zip", "im0004.zip"]
)
def test_a_packed_slice_is_refused_by_name(name, tmp_path):
    pack = bz2.compress if name.endswith("bz2") else gzip.compress
    (damaged,) = series_and(tmp_path, name, pack(BINARY))
    assert damaged.reason is Reason.UNREADABLE
    assert f"{name} is packed and may be a slice: unpack it" in damaged.message


@pytest.mark.parametrize("name", ["im0004.dcm.part", "im0004.part", "im0004.dcm.crdownload"])
def test_a_slice_whose_download_did_not_end_is_refused_by_name(name, tmp_path):
    (damaged,) = series_and(tmp_path, name, bytes(100), suffix=".dcm" if ".dcm" in name else "")
    assert damaged.reason is Reason.UNREADABLE
    assert f"{name} is an unfinished download and may be a slice" in damaged.message


def test_a_packed_copy_beside_its_slice_is_left_aside(tmp_path):
    assert series_and(tmp_path, "im0003.dcm.gz", gzip.compress(BINARY), suffix=".dcm") == []


def test_a_directory_is_no_slice(tmp_path):
    (directory,) = make_series()[:1]
    meta = directory.file_meta
    directory.SOPClassUID = meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    write_series(tmp_path, make_series(), suffix="")
    directory.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    assert len(find_series(tmp_path)) == 1


@pytest.mark.parametrize(("suffix", "name"), [("", "im0004"), (".dcm", "x.dcm"), (".dcm", "9")])
def test_a_link_that_leads_nowhere_is_not_passed_over(suffix, name, tmp_path):
    write_series(tmp_path, make_series()[:4], suffix=suffix, shuffle_seed=None)
    (tmp_path / name).symlink_to(tmp_path / "nowhere")
    _, missing = find_series(tmp_path)
    assert (missing.verdict, missing.reason) == (Verdict.REFUSE, Reason.NOT_FOUND)
    assert f"{name} is a broken link" in missing.message
    with pytest.raises(IngestError, match="broken link"):
        load(tmp_path)


def test_a_link_to_notes_may_lead_nowhere(tmp_path):
    write_series(tmp_path, make_series())
    (tmp_path / "README.txt").symlink_to(tmp_path / "nowhere")
    assert len(find_series(tmp_path)) == 1


def test_a_folder_of_which_nothing_was_fetched_says_so_once(tmp_path):
    for k in range(3):
        (tmp_path / f"im{k}.dcm").symlink_to(tmp_path / "nowhere")
    (missing,) = find_series(tmp_path)
    assert (missing.reason, len(missing.files)) == (Reason.NOT_FOUND, 3)
    assert f"and likewise 2 more files of {tmp_path}" in missing.message
