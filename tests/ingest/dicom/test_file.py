"""Tests of medseg.ingest.dicom.file: files with and without meta information, and lying lengths."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from ingest.dicom_writer import as_big_endian, make_series, ramp, write_raw, write_series
from pydicom import config
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.dicom import file as part10
from medseg.ingest.dicom.file import open_bounded, parse

EXPECTED = ramp().transpose(2, 1, 0) - 1024


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        (ExplicitVRLittleEndian, "Explicit VR Little Endian"),
        (ImplicitVRLittleEndian, "Implicit VR Little Endian"),
        (ExplicitVRBigEndian, "Explicit VR Big Endian"),
    ],
)
def test_a_data_set_without_meta_information_is_read_and_says_so(syntax, name, tmp_path):
    for k, dataset in enumerate(make_series(uid="1.2.3")):
        if not syntax.is_little_endian:
            as_big_endian(dataset)
        write_raw(tmp_path / f"{k}", dataset, syntax)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.NO_FILE_META)
    assert (
        f"5 slices state no right transfer syntax, read as {name}, in series 1.2.3"
        in series.message
    )
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)


def test_meta_information_without_a_transfer_syntax_is_no_obstacle(tmp_path):
    paths = write_series(tmp_path, make_series())
    element = b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\0"
    for path in paths:
        content = path.read_bytes()
        assert content.count(element) == 1
        path.write_bytes(content.replace(element, b""))
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.NO_FILE_META
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)


def test_a_value_of_forbidden_form_is_read_without_a_warning(tmp_path, recwarn):
    slices = make_series()
    with part10.without_validation():
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
    first, second = part10.without_validation(), part10.without_validation()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert config.settings.reading_validation_mode == config.IGNORE
    second.__exit__(None, None, None)
    assert config.settings.reading_validation_mode == before != config.IGNORE


@pytest.mark.filterwarnings("ignore:Expected (im|ex)plicit VR")
@pytest.mark.parametrize(
    ("stated", "written"),
    [
        (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
        (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
    ],
)
def test_a_wrong_transfer_syntax_is_told_from_the_elements_and_recorded(stated, written, tmp_path):
    value = (f"{stated}" + "\0" * (len(stated) % 2)).encode()
    for k, dataset in enumerate(make_series()):
        dataset.file_meta.TransferSyntaxUID = written
        path = tmp_path / f"{k}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        content = path.read_bytes()
        element = b"\x02\x00\x10\x00UI"
        assert content.count(element) == 1
        at = content.index(element)
        end = at + 8 + int.from_bytes(content[at + 6 : at + 8], "little")
        path.write_bytes(
            content[: at + 6] + len(value).to_bytes(2, "little") + value + content[end:]
        )
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.NO_FILE_META)
    assert f"read as {written.name}" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)


def test_compressed_pixels_without_a_transfer_syntax_are_refused(tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)))
    dataset.compress(RLELossless)
    write_raw(tmp_path / "slice", dataset)
    with pytest.raises(IngestError, match="compressed pixels and states no transfer") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNREADABLE


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


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("seed", range(4))
def test_what_begins_like_a_data_set_and_is_none_is_not_lost_unnoticed(tmp_path, seed):
    write_series(tmp_path, make_series())
    noise = np.random.default_rng(seed).integers(0, 256, 500, dtype=np.uint8).tobytes()
    (tmp_path / "other").write_bytes(b"\x08\x00\x16\x00UI\x1a\x00" + noise)
    with pytest.raises(IngestError, match="other") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNREADABLE


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


def test_a_lying_length_allocates_no_more_than_the_file(tmp_path):
    """RescaleType of almost 4 GiB; the element is in the header pass."""
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    content = path.read_bytes()
    honest = b"\x28\x00\x54\x10LO\x02\x00HU"
    assert honest in content
    lying = b"\x28\x00\x54\x10UT\x00\x00" + struct.pack("<I", 0xFFFFFF00)
    path.write_bytes(content.replace(honest, lying))
    tracemalloc.start()
    with pytest.raises(IngestError):
        load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


def test_a_file_that_is_no_dicom_parses_to_none(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(zlib.compress(b"notes"))
    with open_bounded(path) as file:
        assert parse(file, path) is None


def test_parsing_stops_before_the_pixels_unless_all_is_wanted(tmp_path):
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    with open_bounded(path) as file:
        header = parse(file, path, keywords=["Rows"]).dataset
    with open_bounded(path) as file:
        whole = parse(file, path).dataset
    assert [element.keyword for element in header] == ["Rows"]
    assert whole.PixelData == ramp((1, 6, 4)).tobytes()


def relabel(path, stated):
    """State another transfer syntax in a written file, and leave the rest as it is."""
    content = path.read_bytes()
    at = content.index(b"\x02\x00\x10\x00UI")
    end = at + 8 + int.from_bytes(content[at + 6 : at + 8], "little")
    value = f"{stated}".encode() + b"\0" * (len(stated) % 2)
    head = content[: at + 6] + len(value).to_bytes(2, "little") + value
    group_length = head.index(b"\x02\x00\x00\x00UL\x04\x00") + 8
    size = int.from_bytes(head[group_length : group_length + 4], "little")
    size += len(value) - (end - at - 8)
    head = head[:group_length] + size.to_bytes(4, "little") + head[group_length + 4 :]
    path.write_bytes(head + content[end:])


@pytest.mark.filterwarnings("ignore:Expected (im|ex)plicit VR")
@pytest.mark.parametrize(
    ("stated", "written"),
    [
        (ExplicitVRBigEndian, ExplicitVRLittleEndian),
        (ExplicitVRBigEndian, ImplicitVRLittleEndian),
        (ExplicitVRLittleEndian, ExplicitVRBigEndian),
        (ImplicitVRLittleEndian, ExplicitVRBigEndian),
        (DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian),
    ],
    ids=lambda syntax: syntax.name,
)
def test_another_byte_order_than_stated_is_told_from_the_first_element(stated, written, tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.file_meta.TransferSyntaxUID = written
        if written == ExplicitVRBigEndian:
            as_big_endian(dataset)
    for path in write_series(tmp_path, slices):
        relabel(path, stated)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.NO_FILE_META)
    assert f"read as {written.name}" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)


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
        (b"0,5\\0,5 ", r"PixelSpacing \(0028,0030\) is '0,5.*0,5', which is no number"),
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


@pytest.mark.parametrize("length", [8 * 2**16, 0xFFFFFFFF], ids=["stated", "undefined"])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_sequences_of_empty_items_are_counted_before_they_are_parsed(syntax, length, tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)))
    (path,) = write_series(tmp_path, [dataset])
    content = path.read_bytes()
    at, meta = content.index(b"\xe0\x7f\x10\x00OW"), content.index(b"\x08\x00\x08\x00CS")
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 2**16 + b"\xfe\xff\xdd\xe0\0\0\0\0" * (length % 8 > 0)
    body = content[meta:at] + b"\x00\x52\x30\x92SQ\0\0" + struct.pack("<I", length) + items
    body += content[at:]
    if syntax.is_deflated:
        deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        body = deflater.compress(body) + deflater.flush()
    path.write_bytes(content[:meta] + body)
    if syntax.is_deflated:
        relabel(path, syntax)
    with pytest.raises(IngestError, match=r"holds more than .* items of sequences") as caught:
        load(path)
    assert caught.value.code is Reason.TOO_LARGE


def _with_sparse_element(path, tag, length, *, stated):
    """A slice with an element of zeros before PatientID, which take no room on the disk."""
    write_raw(path, make_series()[0], ImplicitVRLittleEndian)
    content = path.read_bytes()
    at = content.index(b"\x10\x00\x20\x00")
    with path.open("wb") as file:
        file.write(content[:at] + tag + struct.pack("<I", stated))
        file.seek(length, 1)
        file.write(content[at:])


@pytest.mark.parametrize(
    ("tag", "stated"),
    [(b"\x08\x00\x3e\x10", 2**28), (b"\x09\x00\x01\x10", 0xFFFFFFFF)],
    ids=["a series description", "a private element without an end"],
)
def test_a_header_longer_than_any_is_refused_and_not_read(tag, stated, tmp_path):
    path = tmp_path / "a.dcm"
    _with_sparse_element(path, tag, 2**28, stated=stated)
    tracemalloc.start()
    (series,) = find_series(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert series.reason is Reason.TOO_LARGE
    assert "holds more than 67108864 bytes before its pixels" in series.message
    assert peak < 300e6


def test_an_element_that_nobody_asks_for_may_be_long(tmp_path):
    """Scanners store raw data and their own pictures in private elements."""
    path = tmp_path / "a.dcm"
    _with_sparse_element(path, b"\x09\x00\x01\x10", 2**28, stated=2**28)
    assert load(tmp_path)[0].shape == (4, 6, 1)


@pytest.mark.parametrize("stated", [b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0"])
def test_a_deflated_data_set_that_is_stated_as_plain_is_read_and_said(stated, tmp_path, recwarn):
    slices = make_series(uid="1.2.3")
    for s in slices:
        s.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    for path in write_series(tmp_path, slices):
        content = path.read_bytes()
        uid = b"1.2.840.10008.1.2.1.99"
        assert content.count(uid) == 1
        path.write_bytes(content.replace(uid, stated.ljust(len(uid), b"\0")))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.NO_FILE_META)
    assert "read as Deflated Explicit VR Little Endian" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)
    assert not [w for w in recwarn if "pydicom" in str(w.filename)]


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


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("is_nested", [False, True], ids=["private elements", "in one item"])
def test_a_header_of_countless_elements_is_refused_before_they_cost_time(
    syntax, is_nested, tmp_path
):
    """Of no length, 2**18 elements are 2 MiB, and deflate to a few kilobytes."""
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    content = path.read_bytes()
    at, meta = content.index(b"\xe0\x7f\x10\x00OW"), content.index(b"\x08\x00\x08\x00CS")
    elements = struct.pack("<HH2sH", 0x0051, 0x1001, b"LO", 0) * 2**18
    if is_nested:
        start = b"\x00\x52\x30\x92SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
        elements = start + elements + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    body = content[meta:at] + elements + content[at:]
    if syntax.is_deflated:
        deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        body = deflater.compress(body) + deflater.flush()
    path.write_bytes(content[:meta] + body)
    if syntax.is_deflated:
        relabel(path, syntax)
    with pytest.raises(IngestError, match="more elements than a header has") as caught:
        load(path)
    assert caught.value.code is Reason.TOO_LARGE


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
