"""Tests of medseg.ingest.dicom.files.bounded_file: no file takes more than it holds."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import pytest
from ingest.dicom_writer import make_series, ramp, relabel, write_raw, write_series
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from medseg.ingest import IngestError, Reason, find_series, load


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


def test_an_element_that_nobody_asks_for_may_be_long(tmp_path):
    """Scanners store raw data and their own pictures in private elements."""
    path = tmp_path / "a.dcm"
    _with_sparse_element(path, b"\x09\x00\x01\x10", 2**28, stated=2**28)
    assert load(tmp_path)[0].shape == (4, 6, 1)
