"""Tests of medseg.ingest.codestreams.codestream: what a codestream states, and what is refused for
it."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  # its own idiom
from ingest.dicom_writer import compress_series, make_series, ramp, write_series
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.codestreams.codestream import Codestream, find_codestreams


def items(*fragments):
    return b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(f)) + f for f in fragments)


@pytest.mark.parametrize(
    ("syntax", "dtype", "is_signed"),
    [
        *((JPEGLSLossless, np.int16, False), (JPEGLSLossless, np.uint16, False)),
        *((JPEG2000Lossless, np.int16, True), (JPEG2000Lossless, np.uint16, False)),
    ],
)
@pytest.mark.parametrize("bits", [12, 16])
def test_size_depth_and_sign_of_real_encoders_are_told(syntax, dtype, is_signed, bits):
    """Only JPEG 2000 knows a sign."""
    (dataset,) = make_series(np.zeros((1, 64, 70), dtype))
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    compress_series([dataset], syntax)
    assert list(find_codestreams(dataset.PixelData)) == [Codestream((64, 70), bits, is_signed)]


def test_rle_states_nothing():
    (dataset,) = compress_series(make_series(np.zeros((1, 30, 41), np.int16)), RLELossless)
    assert list(find_codestreams(dataset.PixelData)) == []


def test_segments_before_the_frame_header_are_walked_over():
    comment, fill = b"\xff\xfe\x00\x06abcd", b"\xff"
    frame = b"\xff\xc3\x00\x0b\x10" + struct.pack(">HHB", 512, 300, 1)
    pixel_data = items(b"", b"\xff\xd8" + comment + fill + frame)
    assert list(find_codestreams(pixel_data)) == [Codestream((512, 300), bits=16)]


@pytest.mark.parametrize(
    "fragment", [b"", b"\xff\xd8", b"\xff\xd8\x00\x00", b"\xff\x4f\xff\x51\x00"]
)
def test_what_cannot_be_told_is_passed_over(fragment):
    assert list(find_codestreams(items(fragment))) == []


@pytest.mark.realdata
@pytest.mark.parametrize("codec", ["JPLL", "JPLY", "JLSN", "J2KI"])
def test_real_files_state_the_size_of_their_header(data_root, codec):
    """MR2 is 1024x1024."""
    file = data_root / "dicom" / "dicom_wg04_compressed" / codec / f"MR2_{codec}"
    content = file.read_bytes()
    start = content.index(b"\xfe\xff\x00\xe0", content.index(b"\xe0\x7f\x10\x00"))
    assert {codestream.size for codestream in find_codestreams(content[start:])} == {(1024, 1024)}


# ---- depth and sign of codestream and header; values are 0, 1, 2, ... 4095, or 2048 less


def encoded(folder, syntax, *, dtype=np.uint16, bits=12, **header):
    """One slice of 64x64 in a codestream of so many bits, under a header that was changed after."""
    lowest = -2048 if np.issubdtype(dtype, np.signedinteger) else 0
    (dataset,) = make_series((ramp((1, 64, 64)) + lowest).astype(dtype))
    dataset.BitsStored, dataset.HighBit, dataset.RescaleIntercept = bits, bits - 1, 0
    compress_series([dataset], syntax)
    for keyword, value in header.items():
        setattr(dataset, keyword, value)
    return write_series(folder, [dataset])[0]


def with_bits(allocated, stored):
    return {"BitsAllocated": allocated, "BitsStored": stored, "HighBit": stored - 1}


J2K, JLS = JPEG2000Lossless, JPEGLSLossless
CONTRADICTIONS = [
    (J2K, {**with_bits(8, 8)}, "a codestream of 12 bits in 8"),
    (JLS, {"bits": 16, **with_bits(8, 8)}, "a codestream of 16 bits in 8"),
    (J2K, {"PixelRepresentation": 1, **with_bits(16, 16)}, "12 unsigned bits for 16 signed ones"),
    (JLS, {"PixelRepresentation": 1, **with_bits(16, 16)}, "12 unsigned bits for 16 signed ones"),
]


@pytest.mark.parametrize(("syntax", "made", "words"), CONTRADICTIONS)
def test_samples_that_are_not_those_of_the_header_are_refused(syntax, made, words, tmp_path):
    path = encoded(tmp_path, syntax, **made)
    with pytest.raises(IngestError, match=words) as caught:
        load(path)
    assert caught.value.code is Reason.UNDECODABLE
    assert path.name in str(caught.value)
    (series,) = find_series(path)
    assert series.reason is Reason.UNDECODABLE
    assert words in series.message


@pytest.mark.parametrize("count", [1, 3])
def test_a_sign_that_the_codestream_alone_states_is_read_with_a_note(count, tmp_path):
    """Air of -1000 HU in 12 bits; the header of some slices says that nothing has a sign."""
    hu = (ramp((3, 64, 64)) % 3000 - 1000).astype(np.int16)
    slices = make_series(hu, uid="1.2.3")
    for s in slices:
        s.BitsStored, s.HighBit, s.RescaleIntercept = 12, 11, 0
    for s in compress_series(slices, J2K)[:count]:
        s.PixelRepresentation = 0
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.CORRECTED_SAMPLES)
    assert "the header calls compressed samples unsigned, but they are signed" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0].transpose(2, 1, 0), hu)


AGREEMENTS = [
    (J2K, {}, (0, 4095)),
    (J2K, with_bits(16, 16), (0, 4095)),
    (JLS, with_bits(16, 16), (0, 4095)),
    (JLS, {"bits": 16, **with_bits(16, 12)}, (0, 4095)),
    (J2K, {"dtype": np.int16}, (-2048, 2047)),
    (J2K, {"dtype": np.int16, "bits": 16, **with_bits(16, 12)}, (-2048, 2047)),
    (JLS, {"dtype": np.int16, "bits": 16, **with_bits(16, 12)}, (-2048, 2047)),
    (J2K, {"PixelRepresentation": 1}, (-2048, 2047)),  # two's complement, as some archives encode
    (JLS, {"PixelRepresentation": 1}, (-2048, 2047)),
    (J2K, {"bits": 16, "PixelRepresentation": 1, **with_bits(16, 12)}, (-2048, 2047)),
    (JLS, {"bits": 16, "PixelRepresentation": 1, **with_bits(16, 12)}, (-2048, 2047)),
]


@pytest.mark.parametrize(("syntax", "made", "ends"), AGREEMENTS)
def test_samples_of_other_depths_are_what_simpleitk_reads(syntax, made, ends, tmp_path):
    path = encoded(tmp_path, syntax, **made)
    array, _ = load(path)
    assert (array.min(), array.max()) == ends
    reference = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(array.T, reference)


@pytest.mark.parametrize("syntax", [J2K, JLS])
def test_lossless_values_that_do_not_fit_bits_stored_are_read_whole(syntax, tmp_path):
    """0 to 4095 under a header of 11 bits; SimpleITK cuts one and keeps the other."""
    path = encoded(tmp_path, syntax, bits=16, **with_bits(16, 11))
    (series,) = find_series(path)
    assert "compressed values have more bits, BitsStored is 11" in series.message
    assert np.ptp(load(path)[0]) == 4095


def test_a_codestream_that_would_allocate_more_is_refused_before_it_is_decoded(tmp_path):
    """Its own header says 60000x60000, 7 GiB, in a file of 64x64."""
    stored = np.zeros((1, 64, 64), np.int16)
    (dataset,) = compress_series(make_series(stored), JPEG2000Lossless)
    honest = struct.pack(">II", 64, 64)
    assert dataset.PixelData.count(honest) >= 1
    dataset.PixelData = dataset.PixelData.replace(honest, struct.pack(">II", 60000, 60000))
    dataset["PixelData"].is_undefined_length = True
    write_series(tmp_path, [dataset])
    with pytest.raises(IngestError, match=r"codestream of \(60000, 60000\)") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNDECODABLE


def test_a_codestream_within_a_file_of_boxes_states_its_size():
    size = struct.pack(">HHIIIIIIIIHB", 41, 0, 300, 512, 0, 0, 300, 512, 0, 0, 1, 15)
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 "
    pixel_data = items(b"", boxes + b"\xff\x4f\xff\x51" + size)
    assert list(find_codestreams(pixel_data)) == [Codestream((512, 300), bits=16)]


@pytest.mark.parametrize(
    ("irreversible", "reasons"), [(True, [Reason.LOSSY_COMPRESSION]), (False, [])]
)
def test_the_wavelet_that_loses_is_said_under_the_syntax_that_does_not(
    irreversible, reasons, tmp_path
):
    """JPEG 2000 with the 9-7 wavelet in a file that says that nothing was lost."""
    plane = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) // 2
    (slice_,) = make_series(plane[None])
    code = BytesIO()
    Image.fromarray(plane).save(code, "JPEG2000", no_jp2=True, irreversible=irreversible)
    slice_.PixelData = encapsulate([code.getvalue()])
    slice_["PixelData"].VR, slice_["PixelData"].is_undefined_length = "OB", True
    slice_.file_meta.TransferSyntaxUID = J2K
    write_series(tmp_path, [slice_])
    (series,) = find_series(tmp_path)
    said = [reason for reason, _ in series.notes if reason is not Reason.SINGLE_SLICE]
    assert said == reasons
