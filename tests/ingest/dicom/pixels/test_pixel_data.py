"""Tests of medseg.ingest.dicom.pixels.pixel_data: where pixels lie, and how many bytes are
missing."""

from __future__ import annotations

import pytest
from ingest.dicom_writer import (
    as_big_endian,
    compress_series,
    make_enhanced,
    make_series,
    ramp,
    write_series,
)
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from medseg.ingest import IngestError, Reason, find_series, load
from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.parse import parse
from medseg.ingest.dicom.pixels.pixel_data import (
    MAX_PADDING_BYTES,
    count_zeros_at_end,
    measure_pixels,
)


def measured(path):
    with BoundedFile(path) as file:
        return measure_pixels(parse(file, path, keywords=["Rows"]))


@pytest.fixture
def dataset():
    return make_series(ramp((1, 6, 4)))[0]


def test_plain_pixels_begin_behind_their_header(dataset, tmp_path):
    (path,) = write_series(tmp_path, [dataset])
    pixels = measured(path)
    assert path.read_bytes()[pixels.offset :] == ramp((1, 6, 4)).tobytes()
    assert (pixels.length, pixels.missing_bytes, pixels.is_encapsulated) == (48, 0, False)


def test_big_endian_pixels_are_measured_too(dataset, tmp_path):
    (path,) = write_series(tmp_path, [as_big_endian(dataset)])
    assert measured(path).length == 48


def test_deflated_pixels_have_a_length_and_no_place_in_the_file(dataset, tmp_path):
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    (path,) = write_series(tmp_path, [dataset])
    assert (measured(path).offset, measured(path).length) == (None, 48)


def test_fragments_are_counted_with_their_headers_and_delimiter(dataset, tmp_path):
    (path,) = write_series(tmp_path, compress_series([dataset], RLELossless))
    pixels = measured(path)
    assert pixels.is_encapsulated
    assert pixels.offset + pixels.length == path.stat().st_size


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("fragments_per_frame", [1, 3])
def test_frames_are_counted_not_fragments(syntax, fragments_per_frame, tmp_path):
    whole = make_enhanced(make_series(ramp((3, 64, 64))))
    whole.compress(syntax, generate_instance_uid=False)
    frames = list(generate_frames(whole.PixelData, number_of_frames=3))
    whole.PixelData = encapsulate([*frames], fragments_per_frame=fragments_per_frame)
    whole["PixelData"].is_undefined_length = True
    (path,) = write_series(tmp_path, [whole])
    assert measured(path).codestreams == 3


@pytest.mark.parametrize("padding", [b"", b"\0\0", bytes(64)])
def test_a_fragment_of_padding_is_no_frame(dataset, padding, tmp_path):
    compress_series([dataset], RLELossless)
    end = b"\xfe\xff\xdd\xe0" + bytes(4)
    item = b"\xfe\xff\x00\xe0" + len(padding).to_bytes(4, "little") + padding
    frames = dataset.PixelData.removesuffix(end)
    dataset.PixelData = frames + item
    (path,) = write_series(tmp_path, [dataset])
    assert measured(path).codestreams == 1


@pytest.mark.parametrize(("end", "count"), [(b"", 0), (bytes(10), 10), (b"\x01\0\0", 2)])
def test_zeros_at_the_end_are_counted(dataset, tmp_path, end, count):
    dataset.PixelData = b"\x01" * 49 + end
    (path,) = write_series(tmp_path, [dataset])
    with path.open("rb") as file:
        pixels = measured(path)
        padded = pixels.length - 49 - len(end)  # the writer's own, to an even length
        assert count_zeros_at_end(file, pixels) == count + padded


def test_zeros_are_counted_no_further_than_a_row_may_go(dataset, tmp_path):
    dataset.PixelData = bytes(2 * MAX_PADDING_BYTES)
    (path,) = write_series(tmp_path, [dataset])
    with path.open("rb") as file:
        assert count_zeros_at_end(file, measured(path)) == MAX_PADDING_BYTES


@pytest.mark.parametrize("count", [1, 8, 20])
def test_missing_bytes_are_counted(dataset, tmp_path, count):
    (path,) = write_series(tmp_path, [dataset])
    path.write_bytes(path.read_bytes()[:-count])
    assert measured(path).missing_bytes == count


def test_a_file_without_pixels_has_none(dataset, tmp_path):
    del dataset.PixelData
    (path,) = write_series(tmp_path, [dataset])
    assert measured(path) is None


def test_encapsulated_pixels_of_something_else_than_items_raise(dataset, tmp_path):
    (path,) = write_series(tmp_path, compress_series([dataset], RLELossless))
    content = bytearray(path.read_bytes())
    content[measured(path).offset] = 0
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not an item"):
        measured(path)


def without_length(path):
    """The pixel data element says that its length is undefined; all else is as it was."""
    content = path.read_bytes()
    start = content.rindex(b"\xe0\x7f\x10\x00")
    is_implicit = content[start + 4 : start + 6] != b"OW"
    at = start + (4 if is_implicit else 8)
    path.write_bytes(content[:at] + b"\xff" * 4 + content[at + 4 :])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_plain_pixels_of_undefined_length_are_named(syntax, dataset, tmp_path):
    dataset.file_meta.TransferSyntaxUID = syntax
    (path,) = write_series(tmp_path, [dataset])
    without_length(path)
    with pytest.raises(IngestError) as caught:
        load(path)
    assert caught.value.code is Reason.UNREADABLE
    said = f"PixelData (7FE0,0010) has undefined length under {syntax.name}, where uncompressed"
    assert said in str(caught.value)
    assert path.name in str(caught.value)


def test_what_lies_in_place_of_an_item_is_named(dataset, tmp_path):
    """The first byte of FEFF, in little endian FE FF, is cleared: group FF00."""
    (path,) = write_series(tmp_path, compress_series([dataset], RLELossless))
    content, start = bytearray(path.read_bytes()), measured(path).offset
    content[start] = 0
    path.write_bytes(content)
    said = rf"under RLE Lossless and holds \(FF00,E000\) at byte {start}, which is not an item"
    with pytest.raises(IngestError, match=said):
        load(path)


def test_a_million_empty_fragments_are_no_frame(dataset, tmp_path):
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0" * 2**16 + b"\xfe\xff\xdd\xe0\0\0\0\0"
    dataset["PixelData"].is_undefined_length = True
    (path,) = write_series(tmp_path, [dataset])
    (series,) = find_series(path)
    assert series.reason is Reason.TOO_LARGE
