"""Tests of medseg.ingest.dicom.pixels.pixel_content: pixel data is what its transfer syntax says,
or refused."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import (
    as_big_endian,
    compress_series,
    make_enhanced,
    make_series,
    ramp,
    write_series,
)
from pydicom import Dataset, uid
from pydicom.encaps import encapsulate, generate_frames

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.dicom.pixels.pixel_content import is_rle_table, matches_syntax, recognise_content
from medseg.ingest.inspect_files import inspect

NATIVE = [
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
]
CODECS = [
    (uid.RLELossless, "run-length code"),
    (uid.JPEGLSLossless, "JPEG-LS"),
    (uid.JPEG2000Lossless, "JPEG 2000"),
]
NOISE = np.random.default_rng(0).integers(0, 60000, (3, 64, 64)).astype(np.uint16)
SMOOTH = ramp((3, 64, 64))


def frames_of(dataset):
    return list(generate_frames(dataset.PixelData, number_of_frames=1))


def mislabel(dataset, syntax, content, *, has_items=False):
    """Put bytes under a transfer syntax, as items of undefined length where they are such."""
    dataset.file_meta.TransferSyntaxUID = syntax
    even = content + b"\0" * (len(content) % 2)
    dataset.add_new("PixelData", "OB" if syntax.is_encapsulated or has_items else "OW", even)
    dataset["PixelData"].is_undefined_length = has_items
    return dataset


def write_known_length(folder, slices):
    """Write pixels as they are, under a compressed syntax too, where the writer would refuse."""
    folder.mkdir()
    for k, dataset in enumerate(slices):
        content = dataset.PixelData
        del dataset.PixelData
        path = folder / f"im{k}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        header = b"\xe0\x7f\x10\x00OB\0\0" + len(content).to_bytes(4, "little")
        path.write_bytes(path.read_bytes() + header + content)


def is_writable(dataset):
    is_compressed = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    return dataset["PixelData"].is_undefined_length or not is_compressed


def check_refused(folder, slices, words):
    """By `inspect` and by `load` alike."""
    folder = folder / "written"
    write = write_series if all(map(is_writable, slices)) else write_known_length
    write(folder, slices)
    (row,) = inspect(folder)
    assert row.reason is Reason.CONFLICTING_SYNTAX
    assert words in row.findings[0]
    with pytest.raises(IngestError) as error:
        load(folder)
    assert error.value.code is Reason.CONFLICTING_SYNTAX


@pytest.mark.parametrize("stored", [NOISE, SMOOTH], ids=["noise", "smooth"])
@pytest.mark.parametrize("native", NATIVE)
@pytest.mark.parametrize(("codec", "name"), CODECS)
@pytest.mark.parametrize("table", [True, False])
def test_compressed_items_under_a_native_syntax_are_refused(
    codec, name, native, stored, table, tmp_path
):
    slices = compress_series(make_series(stored, uid="1.2.3"), codec)
    for s in slices:
        content = encapsulate(frames_of(s), has_bot=table, fragments_per_frame=1 + (not table))
        mislabel(s, native, content, has_items=True)
    check_refused(tmp_path, slices, f"holds encapsulated items of {name} under {native.name}")


@pytest.mark.parametrize("is_multi_frame", [False, True])
@pytest.mark.parametrize("fragments", [1, 2])
def test_plain_samples_in_items_under_a_native_syntax_are_refused(
    fragments, is_multi_frame, tmp_path
):
    slices = make_series()
    frames = [s.PixelData for s in slices]
    written = [make_enhanced(slices)] if is_multi_frame else slices
    for s, own in zip(written, [frames] if is_multi_frame else [[f] for f in frames], strict=True):
        content = encapsulate(own, fragments_per_frame=fragments)
        mislabel(s, uid.ExplicitVRLittleEndian, content, has_items=True)
    check_refused(tmp_path, written, "items of no known codestream under Explicit VR Little Endian")


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless])
def test_items_in_an_element_that_states_its_length_are_items(syntax, tmp_path):
    slices = compress_series(make_series(NOISE), uid.JPEG2000Lossless)
    for s in slices:
        mislabel(s, syntax, encapsulate(frames_of(s)))
    check_refused(
        tmp_path, slices, f"of JPEG 2000 under {syntax.name}"[3 * syntax.is_encapsulated :]
    )


def test_items_in_big_endian_are_items(tmp_path):
    slices = make_series()
    for s in slices:
        items = [b"", s.PixelData]
        content = b"".join(b"\xff\xfe\xe0\x00" + len(i).to_bytes(4, "big") + i for i in items)
        mislabel(s, uid.ExplicitVRBigEndian, content)
    check_refused(
        tmp_path, slices, "encapsulated items of no known codestream under Explicit VR Big"
    )


@pytest.mark.parametrize("stored", [NOISE, SMOOTH], ids=["noise", "smooth"])
@pytest.mark.parametrize("native", NATIVE)
@pytest.mark.parametrize(("codec", "name"), CODECS)
def test_a_bare_codestream_under_a_native_syntax_is_called_what_it_is(
    codec, name, native, stored, tmp_path
):
    """Longer than the pixels or shorter: it is neither too long nor truncated."""
    slices = compress_series(make_series(stored), codec)
    for s in slices:
        mislabel(s, native, frames_of(s)[0])
    check_refused(tmp_path, slices, f"holds {name} without items under {native.name}")


@pytest.mark.parametrize(("codec", "name"), CODECS)
def test_a_bare_codestream_of_just_the_length_of_the_pixels_is_no_pixels(codec, name, tmp_path):
    """Padded with zeros, or of noise that compresses to its own length."""
    slices = compress_series(make_series(SMOOTH), codec)
    for s in slices:
        code = frames_of(s)[0]
        mislabel(s, uid.ExplicitVRLittleEndian, code + bytes(2 * 64 * 64 - len(code)))
    check_refused(tmp_path, slices, f"holds {name} without items")


def padded_items(dataset, syntax, *, end=b"", padding=b"\0", size=2 * 64 * 64):
    """Items of one frame and padding up to the length of the pixels."""
    content = encapsulate(frames_of(dataset), has_bot=not end) + end
    return mislabel(dataset, syntax, content + padding * (size - len(content)))


DELIMITER = b"\xfe\xff\xdd\xe0" + bytes(4)


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize(("codec", "name"), CODECS)
@pytest.mark.parametrize("end", [b"", DELIMITER], ids=["open", "delimited"])
def test_items_padded_to_the_length_of_the_pixels_are_no_pixels(end, codec, name, syntax, tmp_path):
    slices = compress_series(make_series(SMOOTH), codec)
    for s in slices:
        padded_items(s, syntax, end=end)
    check_refused(tmp_path, slices, f"holds encapsulated items of {name} under {syntax.name}")


@pytest.mark.parametrize("padding", [b"\xff", b"\x07"])
def test_so_are_items_padded_with_other_bytes_than_zeros(padding, tmp_path):
    slices = compress_series(make_series(SMOOTH), uid.JPEG2000Lossless)
    for s in slices:
        padded_items(s, uid.ExplicitVRLittleEndian, padding=padding)
    check_refused(tmp_path, slices, "holds encapsulated items of JPEG 2000 under")


def test_one_slice_of_padded_items_is_enough(tmp_path):
    slices = make_series(ramp((12, 64, 64)))
    slices[6:7] = compress_series(slices[6:7], uid.RLELossless)
    padded_items(slices[6], uid.ExplicitVRLittleEndian)
    check_refused(tmp_path, slices, "holds encapsulated items of run-length code under")


@pytest.mark.parametrize("syntax", [codec for codec, _ in CODECS])
@pytest.mark.parametrize("in_items", [False, True])
def test_plain_samples_under_a_compressed_syntax_are_refused(syntax, in_items, tmp_path):
    slices = make_series(NOISE)
    for s in slices:
        content = encapsulate([s.PixelData]) if in_items else s.PixelData
        mislabel(s, syntax, content, has_items=in_items)
    words = f"uncompressed pixels {'in' if in_items else 'without'} items"
    check_refused(tmp_path, slices, f"holds {words} under {syntax.name}")


@pytest.mark.parametrize(("codec", "name"), CODECS)
@pytest.mark.parametrize(
    "syntax",
    [*(codec for codec, _ in CODECS), uid.JPEGBaseline8Bit, uid.JPEGLosslessSV1, uid.HTJ2K],
)
def test_a_codestream_of_another_kind_than_its_syntax_is_refused(codec, name, syntax, tmp_path):
    slices = compress_series(make_series(NOISE), codec)
    for s in slices:
        s.file_meta.TransferSyntaxUID = syntax
    if matches_syntax(name, syntax):
        write_series(tmp_path, slices)
        np.testing.assert_array_equal(load(tmp_path)[0], NOISE.transpose(2, 1, 0) - 1024.0)
    else:
        check_refused(tmp_path, slices, f"holds {name} under {syntax.name}")


# ---- true pixels that begin like something else


def beginning_with(start: bytes) -> list[Dataset]:
    slices = make_series(NOISE)
    for s in slices:
        s.PixelData = start + s.PixelData[len(start) :]
    return slices


@pytest.mark.parametrize(
    "start",
    [
        b"\xfe\xff\x00\xe0",
        b"\xfe\xff\x00\xe0\x00\x00\x00\x00",
        b"\xfe\xff\x00\xe0\x08\x00\x00\x00" + bytes(8) + b"\xfe\xff\x00\xe0",
        b"\xff\x4f\xff\x51",
        b"\xff\xd8\xff\xe0",
        b"\x02\x00\x00\x00\x40\x00\x00\x00",
        b"\x01\x00\x00\x00\x40" + bytes(59),
    ],
    ids=["item", "empty item", "two items", "SOC", "SOI", "RLE", "whole RLE table"],
)
@pytest.mark.parametrize("turn", [list, lambda slices: [as_big_endian(s) for s in slices]])
def test_pixels_that_happen_to_begin_so_are_read(start, turn, tmp_path):
    slices = beginning_with(start)
    expected = np.stack([np.frombuffer(s.PixelData, "<u2").reshape(64, 64) for s in slices])
    write_series(tmp_path, turn(slices))
    (series,) = find_series(tmp_path)
    assert series.verdict is Verdict.ACCEPT
    np.testing.assert_array_equal(load(tmp_path)[0], expected.transpose(2, 1, 0) - 1024.0)


def test_what_begins_is_known_by_its_signature():
    frame_header = b"\xff\xd8\xff\xe0\x00\x04\x00\x00\xff"
    assert recognise_content(frame_header + b"\xc0\x00\x0b") == "JPEG"
    assert recognise_content(frame_header + b"\xc3\x00\x0b") == "lossless JPEG"
    assert recognise_content(frame_header + b"\xf7\x00\x0b") == "JPEG-LS"
    assert recognise_content(bytes(64)) == recognise_content(b"") == ""


@pytest.mark.parametrize(
    "offsets", [(1, 64, 0), (2, 64, 100), (2, 64, 0), (2, 64, 64), (16, 64, 70), (1, 60, 0)]
)
def test_a_table_of_a_run_length_code_is_in_order(offsets):
    table = b"".join(n.to_bytes(4, "little") for n in offsets) + bytes(52)
    assert is_rle_table(table) is (offsets in [(1, 64, 0), (2, 64, 100)])
