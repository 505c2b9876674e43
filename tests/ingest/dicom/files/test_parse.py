"""Tests of medseg.ingest.dicom.files.parse: files with and without meta information, and lying
lengths."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from ingest.dicom_writer import make_series, ramp, write_series
from pydicom import config
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.dicom.files import parse as part10
from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.parse import parse


def test_a_value_of_forbidden_form_is_read_without_a_warning(tmp_path, recwarn):
    slices = make_series()
    with part10.stop_validation():
        for dataset in slices:
            dataset.SeriesInstanceUID = "no.uid.at.all"
    recwarn.clear()
    write_series(tmp_path, slices)
    recwarn.clear()
    (series,) = find_series(tmp_path)
    assert (series.uid, series.verdict) == ("no.uid.at.all", Verdict.ACCEPT)
    assert [str(w.message) for w in recwarn if issubclass(w.category, UserWarning)] == []


def test_validation_is_off_until_the_last_is_out_and_then_as_it_was():
    before = config.settings.reading_validation_mode
    first, second = part10.stop_validation(), part10.stop_validation()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert config.settings.reading_validation_mode == config.IGNORE
    second.__exit__(None, None, None)
    assert config.settings.reading_validation_mode == before != config.IGNORE


@pytest.mark.parametrize(
    "content",
    [
        b"Dear reader, this is a text file. " * 20,
        b"\xff\xd8\xff\xe0" + bytes(600),
        b"\x89PNG\r\n\x1a\n" + bytes(600),
        b"PK\x03\x04" + bytes(600),
        b"\x5c\x01\x00\x00" + bytes(600),
        bytes(600),
        b"\x08\x00",
    ],
    ids=["text", "jpeg", "png", "zip", "nifti", "zeros", "stub"],
)
def test_other_formats_beside_a_series_are_passed_over(tmp_path, content):
    write_series(tmp_path, make_series())
    (tmp_path / "other").write_bytes(content)
    (series,) = find_series(tmp_path)
    assert series.verdict is Verdict.ACCEPT


def test_a_cut_deflated_data_set_is_truncated(tmp_path):
    path = deflated(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IngestError, match=r"deflated data set of .* ends early") as caught:
        load(path)
    assert caught.value.code is Reason.TRUNCATED


def deflated(folder):
    (dataset,) = make_series(np.arange(4096, dtype=np.int16).reshape(1, 64, 64))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(folder / "slice", enforce_file_format=True)
    return folder / "slice"


def test_a_file_that_is_no_dicom_parses_to_none(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(zlib.compress(b"notes"))
    with BoundedFile(path) as file:
        assert parse(file, path) is None


def test_parsing_stops_before_the_pixels_unless_all_is_wanted(tmp_path):
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    with BoundedFile(path) as file:
        header = parse(file, path, keywords=["Rows"]).dataset
    with BoundedFile(path) as file:
        whole = parse(file, path).dataset
    assert [element.keyword for element in header] == ["Rows"]
    assert whole.PixelData == ramp((1, 6, 4)).tobytes()


def test_an_element_of_undefined_length_is_named(tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)))
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    (path,) = write_series(tmp_path, [dataset])
    thickness = b"\x18\x00\x50\x00"
    content = path.read_bytes()
    at = content.index(thickness) + len(thickness)
    path.write_bytes(content[:at] + b"\xff\xff\xff\xff" + content[at + 4 :])
    said = r"SliceThickness \(0018,0050\) of undefined length"
    with pytest.raises(IngestError, match=said) as caught:
        load(path)
    assert caught.value.code is Reason.UNREADABLE


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"0,5\\0,5 ", r"PixelSpacing \(0028,0030\) is '0,5.*0,5', which is not a number"),
        (b"0.5     ", r"lacks PixelSpacing of 2 values \(1 are stated\)"),
    ],
)
def test_a_decimal_comma_or_a_missing_value_is_named_with_its_element(value, said, tmp_path):
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    spacing = b"\x28\x00\x30\x00DS\x08\x00"
    content = path.read_bytes()
    at = content.index(spacing) + len(spacing)
    path.write_bytes(content[:at] + value + content[at + 8 :])
    with pytest.raises(IngestError, match=said):
        load(path)


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"\x1f\x8b\x08", "gzip"), (b"BZh9", "bzip2"), (b"PK\3\4", "zip"), (b"\xfd7zXZ\0", "xz")],
)
def test_a_packed_file_named_dcm_says_what_it_is(head, name, tmp_path):
    path = tmp_path / "im1.dcm"
    path.write_bytes(head + bytes(600))
    with pytest.raises(IngestError, match=f"im1.dcm is a {name} file: unpack it"):
        load(path)


@pytest.mark.parametrize("name", ["slice", "slice.img2", "1.2.840.5"])
def test_a_packed_dicom_file_says_what_it_is_whatever_its_name(name, tmp_path):
    (path,) = write_series(tmp_path / "plain", make_series(ramp((1, 6, 4))))
    packed = tmp_path / "packed" / name
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(path.read_bytes()))
    (series,) = find_series(packed.parent)
    assert series.reason is Reason.UNREADABLE
    assert "is a DICOM file packed with gzip: unpack it" in series.message


def test_another_packed_file_beside_slices_is_passed_over(tmp_path):
    write_series(tmp_path, make_series())
    (tmp_path / "notes").write_bytes(gzip.compress(b"notes" * 100))
    (series,) = find_series(tmp_path)
    assert series.verdict is Verdict.ACCEPT


def test_an_element_of_countless_numbers_is_refused_before_they_are_parsed(tmp_path):
    """A pixel spacing of 2**21 numbers, each of which would become an object."""
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    content = path.read_bytes()
    at = content.index(b"\x28\x00\x30\x00DS")
    value = b"1\\" * 2**21
    element = b"\x28\x00\x30\x00UN\0\0" + struct.pack("<I", len(value)) + value
    (length,) = struct.unpack_from("<H", content, at + 6)
    path.write_bytes(content[:at] + element + content[at + 8 + length :])
    tracemalloc.start()
    with pytest.raises(IngestError, match=r"PixelSpacing .* of 4194304 bytes cannot be read"):
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22
