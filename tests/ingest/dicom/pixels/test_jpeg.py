"""Tests of medseg.ingest.dicom.pixels.jpeg: what libjpeg decodes, an independent decoder; and what
is damaged is refused."""

from __future__ import annotations

import numpy as np
import pytest
from imagecodecs import jpeg8_encode
from ingest.dicom_writer import make_series
from ingest.jpeg_writer import lossless, lossless_of_code, packed
from pydicom import dcmread, uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder

from medseg.ingest.dicom.pixels import jpeg
from medseg.ingest.dicom.pixels.decoders import DECODE_ERRORS, decode_frames
from medseg.ingest.dicom.pixels.jpeg import decode_jpeg

BITS = [2, 7, 8, 9, 12, 15, 16]
SHAPES = [(1, 1), (1, 7), (7, 1), (33, 47), (20, 31, 3)]
LOSSY = [
    *("SC_jpeg_no_color_transform.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+n1.dcm"),
    *("SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_dcmtk_+eb+cy+s2.dcm", "SC_rgb_dcmtk_+eb+cy+s4.dcm"),
    *("SC_rgb_jpeg.dcm", "SC_rgb_jpeg_app14_dcmd.dcm", "SC_rgb_jpeg_dcmtk.dcm"),
    *("SC_rgb_jpeg_lossy_gdcm.dcm", "SC_rgb_small_odd_jpeg.dcm", "examples_ybr_color.dcm"),
    "JPGExtended.dcm",
]
JPLL = ["CT1_JPLL", "CT2_JPLL", "MR1_JPLL", "MR2_JPLL", "MR3_JPLL", "MR4_JPLL"]


def decode_by_libjpeg(frame):
    return pytest.importorskip("libjpeg").decode(frame)


def first_frame(path):
    dataset = dcmread(path)
    return next(
        generate_frames(dataset.PixelData, number_of_frames=dataset.get("NumberOfFrames", 1))
    )


def samples(shape, bits):
    """A smooth image with noise of all values; 8 bits where they are enough."""
    rng = np.random.default_rng(bits)
    plane = np.indices(shape).sum(axis=0) * max(1, 2**bits // 64) + rng.integers(0, 3, shape)
    plane[::4] = rng.integers(0, 2**bits, plane[::4].shape)
    return (plane % 2**bits).astype(np.uint8 if bits <= 8 else np.uint16)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("shape", SHAPES)
def test_lossless_samples_are_those_of_libjpeg_bit_for_bit(bits, predictor, shape):
    stored = samples(shape, bits)
    space = "RGB" if len(shape) == 3 else None
    options = {"predictor": predictor, "colorspace": space, "outcolorspace": space}
    frame = jpeg8_encode(stored, lossless=True, bitspersample=bits, **options)
    found = decode_jpeg(frame)
    assert found.dtype == stored.dtype
    np.testing.assert_array_equal(found, stored)
    np.testing.assert_array_equal(found, decode_by_libjpeg(frame))


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("restart_rows", [1, 3, 40])
def test_restart_markers_are_those_of_libjpeg(bits, restart_rows):
    stored = samples((40, 33), bits)
    frame = lossless(stored, bits=bits, restart_rows=restart_rows)
    np.testing.assert_array_equal(decode_jpeg(frame), stored)
    np.testing.assert_array_equal(decode_jpeg(frame), decode_by_libjpeg(frame))


@pytest.mark.realdata
@pytest.mark.parametrize("name", JPLL)
def test_real_lossless_samples_are_those_of_libjpeg(name, data_root):
    frame = first_frame(data_root / "dicom" / "dicom_wg04_compressed" / "JPLL" / name)
    np.testing.assert_array_equal(decode_jpeg(frame), decode_by_libjpeg(frame))


def test_lossless_colours_of_pydicom_are_those_of_libjpeg():
    frame = first_frame(get_testdata_file("SC_rgb_jpeg_gdcm.dcm"))
    np.testing.assert_array_equal(decode_jpeg(frame), decode_by_libjpeg(frame))


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_samples_of_pydicom_are_within_one_of_libjpeg(name):
    """The two round the cosine transform each in its way (ITU-T T.83 allows it)."""
    frame = first_frame(get_testdata_file(name))
    expected = decode_by_libjpeg(frame).astype(int)
    np.testing.assert_allclose(decode_jpeg(frame).astype(int), expected, atol=1)


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("shape", SHAPES[:4])
def test_12_bit_samples_are_within_two_of_libjpeg(quality, shape):
    """Of 4096, where neighbours differ by the whole range; those of GDCM are the same as ours."""
    frame = jpeg8_encode(samples(shape, 12), level=quality, bitspersample=12)
    expected = decode_by_libjpeg(frame).astype(int)
    np.testing.assert_allclose(decode_jpeg(frame).astype(int), expected, atol=2)


def test_a_scan_header_that_states_no_coefficients_changes_nothing():
    """Some encoders of 12-bit JPEG state 0 to 0 where ITU-T T.81 table B.3 demands 0 to 63."""
    frame = first_frame(get_testdata_file("JPGExtended.dcm"))
    end = frame.index(b"\xff\xda") + 7
    assert frame[end : end + 2] == bytes([0, 63])
    spoilt = frame[:end] + bytes([0, 0]) + frame[end + 2 :]
    np.testing.assert_array_equal(decode_jpeg(spoilt), decode_jpeg(frame))
    assert first_frame(get_testdata_file("JPEG-lossy.dcm"))[end : end + 2] == bytes([0, 0])


# ---- damage


def lossless_dataset(frame, stored):
    (dataset,) = make_series(stored[None])
    dataset.file_meta.TransferSyntaxUID = uid.JPEGLosslessSV1
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    return dataset


def test_a_code_that_no_table_has_is_refused():
    """0 and 16 bits have the codes 00000 to 10000; the second difference begins with 10111."""
    stored = np.full((1, 3), 128, np.uint8)
    whole = lossless_of_code(packed("00000" * 3), stored.shape)
    spoilt = lossless_of_code(packed("00000" + "10111" + "0" * 16 + "00000"), stored.shape)
    np.testing.assert_array_equal(next(decode_frames(lossless_dataset(whole, stored), [0])), stored)
    with pytest.raises(DECODE_ERRORS, match="in none of its Huffman tables"):
        next(decode_frames(lossless_dataset(spoilt, stored), [0]))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_lossless_frame_that_lost_its_end_is_refused(bits, cut):
    stored = samples((40, 80), bits)
    frame = jpeg8_encode(stored, lossless=True, bitspersample=bits)
    with pytest.raises(DECODE_ERRORS, match="fewer samples"):
        next(decode_frames(lossless_dataset(frame[: -2 - 8 * cut] + b"\xff\xd9", stored), [0]))


@pytest.mark.parametrize("frame", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc3\x00\x0b\x10\x00\x02"])
def test_a_frame_without_a_size_raises(frame):
    with pytest.raises(ValueError, match="without a frame header"):
        decode_jpeg(frame)


# ---- the plugin


def test_the_plugin_is_added_once_and_changes_no_other_decoder():
    jpeg.add_to_pydicom()
    jpeg.add_to_pydicom()
    assert jpeg.PLUGIN in get_decoder(uid.JPEGLosslessSV1).available_plugins
    assert jpeg.PLUGIN not in get_decoder(uid.JPEGBaseline8Bit).available_plugins


def test_the_plugin_is_not_available_without_imagecodecs(monkeypatch):
    assert jpeg.is_available(uid.JPEGLossless)
    monkeypatch.setattr(jpeg, "find_spec", lambda name: None)
    assert not jpeg.is_available(uid.JPEGLossless)
