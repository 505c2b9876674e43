"""Tests of medseg.ingest.dicom.pixels.pixel_rules: a file holds what its header states, no more, no
less."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import compress_series, make_enhanced, make_series, ramp, write_series
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.codestreams.codestream import Codestream
from medseg.ingest.dicom.pixels.pixel_rules import describe_header_conflict
from medseg.ingest.dicom.read_slices import read_header

COMPRESSED = [RLELossless, JPEGLSLossless, JPEG2000Lossless]


def judged(folder, slices):
    write_series(folder, slices)
    (series,) = find_series(folder)
    return series


def stated(slices, **header):
    for dataset in slices:
        for keyword, value in header.items():
            setattr(dataset, keyword, value)
    return slices


@pytest.mark.parametrize(
    ("header", "held"),
    [
        *(({"Rows": 4}, 64), ({"Columns": 4}, 64), ({"Columns": 7}, 112)),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, 64),
    ],
)
def test_a_header_of_fewer_pixels_is_refused(header, held, tmp_path):
    """Planes of 8x8 with 16 bits, 128 bytes; read by such a header they would be scrambled."""
    series = judged(tmp_path, stated(make_series(ramp((5, 8, 8)) + 1), **header))
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.TRAILING_BYTES)
    assert f"holds 128 bytes of pixels, {held} are stated" in series.message


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_it_is_refused_in_every_uncompressed_syntax(syntax, tmp_path):
    slices = stated(make_series(ramp((5, 8, 8)) + 1), Rows=4)
    for dataset in slices:
        dataset.file_meta.TransferSyntaxUID = syntax
    assert judged(tmp_path, slices).reason is Reason.TRAILING_BYTES


def test_a_ct_that_lost_its_number_of_frames_is_not_one_slice(tmp_path):
    slices = make_series()
    first = slices[0]
    first.PixelData = b"".join(s.PixelData for s in slices)
    series = judged(tmp_path, [first])
    assert first.SOPClassUID == CTImageStorage
    assert series.reason is Reason.TRAILING_BYTES


@pytest.mark.parametrize("frames", [3, 5])
def test_an_enhanced_object_of_more_frames_than_stated_is_refused(frames, tmp_path):
    """Three of five are stated; and five are, with the pixels of ten."""
    whole = make_enhanced(make_series())
    whole.NumberOfFrames = frames
    whole.PerFrameFunctionalGroupsSequence = list(whole.PerFrameFunctionalGroupsSequence)[:frames]
    if frames == 5:
        whole.PixelData = whole.PixelData * 2
    series = judged(tmp_path, [whole])
    assert series.reason is Reason.TRAILING_BYTES
    assert f"{frames * 48} are stated" in series.message


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_more_compressed_frames_than_stated_are_refused(syntax, tmp_path):
    slices = compress_series(make_series(ramp((2, 64, 64))), syntax)
    for dataset in slices:
        frames = list(generate_frames(dataset.PixelData, number_of_frames=1))
        dataset.PixelData = encapsulate(frames * 3)
    series = judged(tmp_path, slices)
    assert series.reason is Reason.TRAILING_BYTES
    assert "holds 3 compressed frames, 1 stated" in series.message


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_a_frame_in_several_fragments_is_one(syntax, tmp_path):
    stored = ramp((2, 64, 64))
    slices = compress_series(make_series(stored), syntax)
    for dataset in slices:
        frames = list(generate_frames(dataset.PixelData, number_of_frames=1))
        dataset.PixelData = encapsulate(frames, fragments_per_frame=2)
    assert judged(tmp_path, slices).verdict is Verdict.ACCEPT
    np.testing.assert_array_equal(load(tmp_path)[0], stored.transpose(2, 1, 0) - 1024)


@pytest.mark.parametrize("header", [{"Rows": 32}, {"Columns": 32}, {"Columns": 63}])
def test_a_run_length_code_of_more_pixels_is_refused(header, tmp_path):
    slices = compress_series(make_series(ramp((3, 64, 64))), RLELossless)
    write_series(tmp_path, stated(slices, **header))
    with pytest.raises(IngestError, match="RLE Lossless") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNDECODABLE


@pytest.mark.parametrize("shape", [(3, 5, 5), (3, 5, 4)])
def test_the_byte_that_makes_a_length_even_is_no_pixel(shape, tmp_path):
    stored = (ramp(shape) + 1).astype(np.uint8)
    series = judged(tmp_path, make_series(stored))
    assert series.verdict is Verdict.ACCEPT
    np.testing.assert_array_equal(load(tmp_path)[0], stored.transpose(2, 1, 0) - 1024.0)


@pytest.mark.parametrize("zeros", [2, 7, 8])
def test_zeros_of_a_row_are_padding_and_recorded(zeros, tmp_path):
    """A row is 4 pixels of 2 bytes."""
    slices = make_series(uid="1.2.3")
    slices[2].PixelData += bytes(zeros)
    series = judged(tmp_path, slices)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.PADDED_PIXELS)
    assert "zeros follow the pixels of im" in series.message
    assert "(1 slices), in series 1.2.3" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0], ramp().transpose(2, 1, 0) - 1024)


@pytest.mark.parametrize("padding", [bytes(10), b"\x01" + bytes(7), bytes(7) + b"\x01"])
def test_more_than_a_row_and_what_is_not_zero_is_no_padding(padding, tmp_path):
    slices = make_series()
    slices[2].PixelData += padding
    assert judged(tmp_path, slices).reason is Reason.TRAILING_BYTES


def test_fewer_pixels_than_stated_are_truncated(tmp_path):
    series = judged(tmp_path, stated(make_series(), Rows=8))
    assert series.reason is Reason.TRUNCATED
    assert "holds 48 of 64 bytes of pixels" in series.message


def write_signed_jpeg_2000(folder):
    """The path of one slice of 64 x 64 signed samples of 12 bits."""
    slices = compress_series(make_series(ramp((1, 64, 64)).astype(np.int16)), JPEG2000Lossless)
    write_series(folder, slices)
    return next(folder.iterdir())


def test_a_codestream_of_the_size_depth_and_sign_of_its_header_is_no_contradiction(tmp_path):
    header = read_header(write_signed_jpeg_2000(tmp_path))
    assert describe_header_conflict(Codestream((64, 64), bits=12, is_signed=True), header) == ""
    other = describe_header_conflict(Codestream((64, 63), bits=12, is_signed=True), header)
    assert other == "a codestream of (64, 63), not (64, 64) pixels"


def test_a_codestream_of_more_samples_than_the_header_states_is_refused(tmp_path):
    header = read_header(write_signed_jpeg_2000(tmp_path))
    found = describe_header_conflict(Codestream((64, 64), bits=8, samples=16384), header)
    assert found == "a codestream of 16384 samples per pixel, not 1"
