"""Tests of medseg.ingest.dicom.pixels.decoders: frames come exactly, and damage ends in an
error."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from ingest.dicom_writer import make_enhanced, make_series
from pydicom import dcmread, uid
from pydicom.encaps import encapsulate, generate_frames, get_frame
from pydicom.pixels import get_decoder

from medseg.ingest.dicom.pixels import decoders
from medseg.ingest.dicom.pixels.decoders import DECODE_ERRORS, decode_frames

LOSSLESS = [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless]
STORED = np.random.default_rng(0).integers(0, 4000, (3, 40, 44)).astype(np.int16)


def compressed(syntax, stored=STORED):
    """One multi-frame data set of planes (frames, rows, columns)."""
    dataset = make_enhanced(make_series(stored))
    if syntax != uid.ExplicitVRLittleEndian:
        dataset.compress(syntax, generate_instance_uid=False)
    return dataset


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, *LOSSLESS])
def test_frames_come_exactly_and_in_the_order_asked_for(syntax):
    frames = list(decode_frames(compressed(syntax), [2, 0]))
    np.testing.assert_array_equal(frames, STORED[[2, 0]])


def cut(dataset, share):
    """Keep a share of the one frame of a data set."""
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([frame[: int(len(frame) * share)]])
    dataset["PixelData"].is_undefined_length = True
    return dataset


SHARES = [0.1, 0.5, 0.9, 0.99]
REAL = ["JPLL/CT1_JPLL", "JPLY/MR1_JPLY", "JLSN/CT1_JLSN", "J2KI/CT1_J2KI"]


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("share", SHARES)
def test_a_frame_that_is_cut_raises_and_its_rest_is_not_made_up(syntax, share):
    with pytest.raises(DECODE_ERRORS):
        next(decode_frames(cut(compressed(syntax, STORED[:1]), share), [0]))


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name", ["JPLL/CT1_JPLL", "JPLY/MR1_JPLY", "JLSN/CT1_JLSN", "J2KI/CT1_J2KI"]
)
@pytest.mark.parametrize("share", SHARES)
def test_a_real_frame_that_is_cut_raises(name, share, data_root):
    dataset = dcmread(data_root / "dicom" / "dicom_wg04_compressed" / name)
    next(decode_frames(dataset, [0]))
    with pytest.raises(DECODE_ERRORS):
        next(decode_frames(cut(dataset, share), [0]))


def test_a_zero_byte_before_the_end_of_a_jpeg_ls_is_no_part_of_the_image():
    dataset = compressed(uid.JPEGLSLossless, STORED[:1])
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1).rstrip(b"\0")
    dataset.PixelData = encapsulate([frame.removesuffix(b"\xff\xd9") + b"\0\xff\xd9"])
    np.testing.assert_array_equal(next(decode_frames(dataset, [0])), STORED[0])


def test_a_frame_that_is_mended_leaves_the_others_as_they_are():
    """The second of three has a zero byte before its end."""
    dataset = compressed(uid.JPEGLSLossless)
    frames = [
        frame.rstrip(b"\0") for frame in generate_frames(dataset.PixelData, number_of_frames=3)
    ]
    frames[1] = frames[1].removesuffix(b"\xff\xd9") + b"\0\xff\xd9"
    dataset.PixelData = encapsulate(frames)
    np.testing.assert_array_equal(list(decode_frames(dataset, [0, 1, 2])), STORED)


@pytest.mark.parametrize("padding", [b"", b"\0", b"\xff"])
def test_what_makes_a_length_even_is_no_part_of_the_frame(padding):
    dataset = compressed(uid.JPEG2000Lossless, STORED[:1])
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1).rstrip(b"\0\xff")
    dataset.PixelData = encapsulate([frame + padding])
    np.testing.assert_array_equal(next(decode_frames(dataset, [0])), STORED[0])


@pytest.mark.parametrize(
    "syntax",
    [*LOSSLESS[1:], uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLosslessSV1, uid.HTJ2K],
)
def test_no_decoder_that_may_end_the_process_is_asked(syntax, monkeypatch):
    """GDCM aborts on some JPEG; the Rust decoder of RLE raises what is no Exception (below)."""
    dataset, asked = compressed(uid.JPEG2000Lossless), []
    dataset.file_meta.TransferSyntaxUID, dataset.BitsStored = syntax, 8
    monkeypatch.setattr(decoders, "pixel_array", lambda *_, **options: asked.append(options))
    list(decode_frames(dataset, [0, 1]))
    assert [options["index"] for options in asked] == [0, 1]
    (plugin,) = {options["decoding_plugin"] for options in asked}
    assert plugin in get_decoder(syntax).available_plugins
    assert plugin != "gdcm"


def test_rle_is_decoded_without_any_plugin(monkeypatch):
    monkeypatch.setattr(decoders, "pixel_array", lambda *_, **__: pytest.fail("asked pydicom"))
    dataset = compressed(uid.RLELossless)
    np.testing.assert_array_equal(list(decode_frames(dataset, [1])), STORED[[1]])
    assert dataset.file_meta.TransferSyntaxUID == uid.RLELossless
    assert dataset.NumberOfFrames == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_of_rle_come_pixel_by_pixel(dtype):
    (dataset,) = make_series(np.zeros((1, 5, 3), dtype))
    colours = np.random.default_rng(0).integers(0, 255, (5, 3, 3)).astype(dtype)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    dataset.PlanarConfiguration = 0
    dataset.PixelData = colours.tobytes() + b"\0" * (colours.nbytes % 2)
    dataset.compress(uid.RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    np.testing.assert_array_equal(next(decode_frames(dataset, [0])), colours)


def test_a_decoder_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(decoders, "_PLUGIN", "absent")
    with pytest.raises(NotImplementedError, match=r"JPEG 2000 .* needs the decoder absent"):
        next(decode_frames(compressed(uid.JPEG2000Lossless), [0]))


# ---- 12-bit JPEG


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["MR1_JPLY", "MR2_JPLY", "MR3_JPLY", "MR4_JPLY"])
def test_12_bit_jpeg_is_what_gdcm_reads(name, data_root):
    import gdcm

    path = data_root / "dicom" / "dicom_wg04_compressed" / "JPLY" / name
    (frame,) = decode_frames(dcmread(path), [0])
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    buffer = reader.GetImage().GetBuffer().encode("utf-8", errors="surrogateescape")
    expected = np.frombuffer(buffer, dtype=np.uint16).reshape(frame.shape)
    np.testing.assert_array_equal(frame, expected)


def test_signed_12_bit_jpeg_is_refused():
    dataset = make_series(STORED[:1])[0]
    dataset.file_meta.TransferSyntaxUID = uid.JPEGExtended12Bit
    dataset.BitsStored = 12
    size = struct.pack(">HH", dataset.Rows, dataset.Columns)
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xc1\0\x0b\x0c" + size + b"\1\xff\xd9"])
    with pytest.raises(NotImplementedError, match="12-bit JPEG of signed"):
        next(decode_frames(dataset, [0]))


def test_a_frame_of_another_size_is_refused_before_it_is_decoded(monkeypatch):
    """Its header lies in two fragments, so that no fragment states the size."""
    monkeypatch.setattr(decoders, "pixel_array", lambda *_, **__: pytest.fail("decoded"))
    dataset = make_series(STORED[:1])[0]
    dataset.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    size = struct.pack(">HHIIIIIIIIHB", 41, 0, 60000, 60000, 0, 0, 60000, 60000, 0, 0, 1, 15)
    frame = b"\xff\x4f\xff\x51" + size + b"\xff\xd9"
    dataset.PixelData = encapsulate([frame], fragments_per_frame=8)
    with pytest.raises(ValueError, match=r"\(60000, 60000\), not \(40, 44\) pixels"):
        next(decode_frames(dataset, [0]))
