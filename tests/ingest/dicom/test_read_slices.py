"""Tests of medseg.ingest.dicom.read_slices: damaged files are known before any pixel is decoded."""

from __future__ import annotations

from pathlib import Path

import pytest
from ingest.dicom_writer import (
    compress_series,
    make_enhanced,
    make_series,
    ramp,
    spoil_rows,
    write_raw,
    write_series,
)
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from medseg.ingest import IngestError, Reason, find_series, load
from medseg.ingest.dicom.files.parse import parse
from medseg.ingest.dicom.read_slices import read_header, read_slices


@pytest.fixture
def file(tmp_path):
    return write_series(tmp_path, make_series(ramp((1, 6, 4))))[0]


def cut(path, count):
    path.write_bytes(path.read_bytes()[:-count])


def test_the_pixel_data_is_found_in_the_file(file):
    header = read_header(file)
    stored = file.read_bytes()[header.pixels.offset :][: header.pixels.length]
    assert stored == ramp((1, 6, 4)).tobytes()
    assert header.pixels.missing_bytes == 0


@pytest.mark.parametrize("count", [1, 7, 48])
def test_a_file_cut_in_its_pixels_is_truncated(file, count):
    cut(file, count)
    with pytest.raises(IngestError, match=f"{file.name} ends {count} bytes early") as caught:
        load(file)
    assert caught.value.code is Reason.TRUNCATED


@pytest.mark.parametrize("count", [4, 8, 30])
def test_compressed_pixels_without_their_end_are_truncated(tmp_path, count):
    slices = compress_series(make_series(ramp((1, 6, 4))), RLELossless)
    (file,) = write_series(tmp_path, slices)
    cut(file, count)
    with pytest.raises(IngestError, match="bytes early") as caught:
        load(file)
    assert caught.value.code is Reason.TRUNCATED


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_slice_cut_in_its_header_is_never_left_out(tmp_path):
    """An end slice leaves no gap, so only the header pass can notice it."""
    *_, last = write_series(tmp_path, make_series(ramp((3, 6, 4))))
    content = last.read_bytes()
    assert load(tmp_path)[0].shape[-1] == 3
    for size in range(0, len(content) - 48, 5):
        last.write_bytes(content[:size])
        with pytest.raises(IngestError, match=last.name) as caught:
            load(tmp_path)
        assert caught.value.code in (Reason.TRUNCATED, Reason.UNREADABLE)


def test_a_slice_cut_before_its_series_uid_is_truncated_not_a_series(tmp_path):
    *_, last = write_series(tmp_path, make_series(uid="1.2.3"))
    last.write_bytes(last.read_bytes()[:400])
    with pytest.raises(IngestError, match=rf"{last.name} ends before its pixels") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.TRUNCATED


def test_the_element_is_named_at_which_a_file_cannot_be_read_on(tmp_path):
    """Its VR is none, so that its length is taken from what it is not."""
    path, *_ = write_series(tmp_path, make_series())
    content, rows = path.read_bytes(), b"\x28\x00\x10\x00US"
    comments = b"\x20\x00\x00\x40??\x04\x00abcd"
    path.write_bytes(content.replace(rows, comments + rows))
    with pytest.raises(IngestError, match=r"at ImageComments \(0020,4000\) of \d+ bytes") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.TRUNCATED


def test_the_series_uid_of_a_damaged_file_is_read_where_the_damage_is_behind_it(tmp_path):
    path, *_ = write_series(tmp_path, make_series(uid="1.2.3"))
    spoil_rows(path)
    with pytest.raises(IngestError, match=r"Rows .* in the header of") as caught:
        read_slices(path)
    assert caught.value.series_uid == "1.2.3"


def test_the_series_uid_of_a_file_that_is_none_is_empty(tmp_path):
    for content in (b"", b"broken", bytes(128) + b"DICM" + b"\xff" * 40):
        (tmp_path / "broken.dcm").write_bytes(content)
        with pytest.raises(IngestError) as caught:
            read_slices(tmp_path / "broken.dcm")
        assert caught.value.series_uid == ""


def test_one_truncated_slice_refuses_the_series(tmp_path):
    paths = write_series(tmp_path, make_series(uid="1.2.3"))
    cut(paths[2], 10)
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.TRUNCATED
    assert f"{paths[2].name} ends 10 bytes early in series 1.2.3" in series.message


def test_an_unknown_transfer_syntax_is_refused(tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)))
    (file,) = write_series(tmp_path, [dataset])
    content = file.read_bytes()
    file.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0"))
    with pytest.raises(IngestError, match="states no known transfer syntax"):
        load(file)


@pytest.mark.parametrize("content", [b"", b"not DICOM"])
def test_a_broken_dcm_file_is_not_passed_over(tmp_path, content):
    write_series(tmp_path, make_series())
    (tmp_path / "zz.dcm").write_bytes(content)
    with pytest.raises(IngestError, match="no DICOM prefix") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNREADABLE


def test_files_that_are_no_dicom_are_passed_over(tmp_path):
    write_series(tmp_path, make_series(), suffix="")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / ".hidden.dcm").write_bytes(b"")
    assert len(find_series(tmp_path)) == 1


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_pixels_are_measured_in_every_byte_order(tmp_path, syntax):
    (dataset,) = make_series(ramp((1, 6, 4)))
    dataset.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_little_endian:
        dataset.PixelData = ramp((1, 6, 4)).astype(">i2").tobytes()
    file = tmp_path / "slice"
    dataset.save_as(file, enforce_file_format=True)
    assert read_header(file).pixels.length == 48
    cut(file, 5)
    assert read_header(file).pixels.missing_bytes == 5


def test_a_file_of_several_frames_has_a_header_for_each(tmp_path):
    file = tmp_path / "enhanced"
    make_enhanced(make_series()).save_as(file, enforce_file_format=True)
    headers = read_slices(file)
    assert [header.frame for header in headers] == [0, 1, 2, 3, 4]
    assert read_header(file).position.tolist() == headers[0].position.tolist()


def test_a_file_of_another_format_has_no_header(tmp_path):
    (tmp_path / "notes").write_text("notes")
    assert read_slices(tmp_path / "notes") == ()
    assert read_header(tmp_path / "notes") is None


def test_the_parser_is_entered_once_for_each_file(tmp_path, monkeypatch):
    """Whatever the path leads to: a folder, a file that is damaged, or a file by itself."""
    paths = write_series(tmp_path, make_series(uid="1.2.3"))
    spoil_rows(paths[0])
    parsed: list[Path] = []

    def count(file, path, **options):
        parsed.append(path)
        return parse(file, path, **options)

    monkeypatch.setattr("medseg.ingest.dicom.read_slices.parse", count)
    monkeypatch.setattr("medseg.ingest.dicom.files.dicomdir.parse", count)
    assert [series.uid for series in find_series(tmp_path)] == ["1.2.3", "1.2.3"]
    assert sorted(parsed) == sorted(paths)
    for path in paths[:2]:
        parsed.clear()
        find_series(path)
        assert parsed == [path]


@pytest.mark.parametrize("class_uid", [CTImageStorage, "1.2.840.10008.1.2"])
def test_noise_that_holds_a_series_uid_is_of_no_series(class_uid, tmp_path):
    """Without file meta information a UID counts where the class before it is a known one."""
    (dataset,) = make_series(ramp((1, 6, 4)), uid="1.2.3")
    dataset.SOPClassUID = class_uid
    write_raw(tmp_path / "raw", dataset)
    spoil_rows(tmp_path / "raw")
    with pytest.raises(IngestError) as caught:
        read_slices(tmp_path / "raw")
    assert caught.value.series_uid == ("1.2.3" if class_uid == CTImageStorage else "")
