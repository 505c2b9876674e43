"""Tests of medseg.ingest.dicom.sample_checks.stated_bits: headers of other bits or another sign
than is there."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from ingest.dicom_writer import as_big_endian, compress_series, make_series, write_series
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
)

from medseg.ingest import Reason, Verdict, find_series, load
from medseg.ingest.dicom.sample_checks.stated_bits import MOST_SLICES
from medseg.ingest.inspect_files import inspect

HU = np.linspace(-1000, 3000, 5 * 6 * 4).astype(np.int16).reshape(5, 6, 4)
"""From air to bone, in 12 bits with an intercept of -1024 and not in 12 bits with a sign."""


def stated(stored, *, intercept=0, **header):
    """CT whose header is changed after its samples were stored."""
    slices = make_series(stored, uid="1.2.3")
    for s in slices:
        s.RescaleIntercept = intercept
        for keyword, value in header.items():
            setattr(s, keyword, value)
    return slices


def bits(stored, sign):
    return {"BitsStored": stored, "HighBit": stored - 1, "PixelRepresentation": sign}


def noted(folder, slices, caplog):
    """The verdict of a written series, said by `inspect` and where it is loaded; and its volume."""
    write_series(folder, slices)
    (row,) = inspect(folder)
    with caplog.at_level(logging.WARNING):
        volume, _ = load(folder)
    for finding in row.findings:
        assert finding in caplog.text
    return row, volume.transpose(2, 1, 0)


def turned(slices):
    return [as_big_endian(s) for s in slices]


def deflated(slices):
    for s in slices:
        s.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return slices


@pytest.mark.parametrize("write", [list, turned, deflated])
def test_signed_samples_that_are_stated_as_unsigned_are_read_with_their_sign(
    write, tmp_path, caplog
):
    """Air of -1000 HU would be 64536 HU."""
    slices = write(stated(HU, **bits(16, 0)))
    row, volume = noted(tmp_path, slices, caplog)
    assert (row.verdict, row.reason) == (Verdict.REPAIR, Reason.CORRECTED_SAMPLES)
    assert "values up to 65511 HU are really negative" in row.findings[0]
    np.testing.assert_array_equal(volume, HU)


def test_compressed_samples_are_looked_at_too(tmp_path, caplog):
    slices = compress_series(stated(HU.view(np.uint16)), JPEGLSLossless)
    row, volume = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.CORRECTED_SAMPLES
    np.testing.assert_array_equal(volume, HU)


def test_signed_samples_in_12_unsigned_bits_are_read_with_their_sign(tmp_path, caplog):
    hu = np.minimum(HU, 2047).astype(np.int16)
    row, volume = noted(tmp_path, stated(hu, **bits(12, 0)), caplog)
    assert row.reason is Reason.CORRECTED_SAMPLES
    assert "the header calls samples unsigned, but they are signed" in row.findings[0]
    np.testing.assert_array_equal(volume, hu)


def test_unsigned_samples_that_are_stated_as_12_signed_bits_are_read_whole(tmp_path, caplog):
    """Stored 2048 is 1024 HU, and would be -3072 HU with the sign of 12 bits."""
    row, volume = noted(tmp_path, stated(HU + 1024, intercept=-1024, **bits(12, 1)), caplog)
    assert row.reason is Reason.CORRECTED_SAMPLES
    assert "values have all 16 bits, BitsStored is 12" in row.findings[0]
    np.testing.assert_array_equal(volume, HU)


def test_run_length_coded_samples_are_looked_at_too(tmp_path, caplog):
    slices = compress_series(stated(HU + 1024, intercept=-1024), RLELossless)
    for s in slices:
        s.BitsStored, s.HighBit = 12, 11
    row, volume = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.CORRECTED_SAMPLES
    np.testing.assert_array_equal(volume, HU)


@pytest.mark.parametrize("highest", [2047, 3000])
def test_padding_beyond_bits_stored_is_padding(highest, tmp_path, caplog):
    """-32768 would be 0 HU, water, in 12 bits."""
    hu = np.minimum(HU, highest).astype(np.int16)
    padded = hu.copy()
    padded[:, :2] = -32768
    slices = stated(padded, **bits(12, 1))
    for s in slices:
        s.add_new("PixelPaddingValue", "SS", -32768)
    row, volume = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.CORRECTED_SAMPLES
    np.testing.assert_array_equal(volume, np.where(padded == -32768, -1024, hu))


def test_padding_beyond_bits_stored_without_a_sign_is_padding(tmp_path, caplog):
    """63536 is what -2000 becomes without a sign; in 12 bits it would be 2096, 1072 HU."""
    stored = (HU + 1024).astype(np.uint16)
    stored[:, 0] = 63536
    slices = stated(stored, intercept=-1024, **bits(12, 0))
    for s in slices:
        s.add_new("PixelPaddingValue", "US", 63536)
    row, volume = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.CORRECTED_SAMPLES
    np.testing.assert_array_equal(volume, np.where(stored == 63536, -1024, HU))


# ---- doubtful: read as stated, and said


def test_bits_above_bits_stored_that_nothing_explains_are_said(tmp_path, caplog):
    """6024 in 12 bits is 1928, 904 HU; it may be 5000 HU, or 904 HU under an overlay."""
    stored = (HU + 1024).astype(np.uint16)
    stored[2, 1, 1] = 6024
    row, volume = noted(tmp_path, stated(stored, intercept=-1024, **bits(12, 0)), caplog)
    assert (row.verdict, row.reason) == (Verdict.ACCEPT, Reason.UNLIKELY_VALUES)
    words = "1 voxel of 1 slice hold more bits, BitsStored is 12 and no overlay is stated"
    assert words in row.findings[0]
    assert volume[2, 1, 1] == 904


def test_so_it_is_in_mr(tmp_path, caplog):
    stored = (HU + 1024).astype(np.uint16)
    stored[2, 1, 1] = 6024
    slices = stated(stored, Modality="MR", SOPClassUID=MRImageStorage, **bits(12, 0))
    assert noted(tmp_path, slices, caplog)[0].reason is Reason.UNLIKELY_VALUES


def test_an_overlay_that_is_stated_explains_its_bit(tmp_path):
    stored = (HU + 1024).astype(np.uint16)
    stored[:, 1] |= 1 << 15
    slices = stated(stored, intercept=-1024, **bits(12, 0))
    for s in slices:
        s.add_new(0x60000100, "US", 16)
        s.add_new(0x60000102, "US", 15)
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.notes) == (Verdict.ACCEPT, ())
    np.testing.assert_array_equal(load(tmp_path)[0].transpose(2, 1, 0), HU)


def test_negative_values_without_their_sign_in_the_upper_bits_are_as_stated(tmp_path, caplog):
    """Air of -1000 HU stored as 0x0C18: what 12 bits with a sign say is CT, so it is read."""
    hu = np.minimum(HU, 2047).astype(np.int16)
    row, volume = noted(tmp_path, stated(hu & 0x0FFF, **bits(12, 1)), caplog)
    assert row.is_usable
    np.testing.assert_array_equal(volume, hu)


def test_values_that_no_ct_has_are_said(tmp_path, caplog):
    stored = (HU + 1024).astype(np.uint16)
    stored[0, 0, 0] = 40000
    row, volume = noted(tmp_path, stated(stored, intercept=-1024), caplog)
    assert (row.verdict, row.reason) == (Verdict.ACCEPT, Reason.UNLIKELY_VALUES)
    assert "values up to 38976 HU, which CT never has" in row.findings[0]
    assert volume[0, 0, 0] == 38976


def test_a_map_of_another_unit_than_hu_may_have_any_value(tmp_path, caplog):
    stored = np.full((5, 6, 4), 60000, np.uint16)
    write_series(tmp_path, stated(stored, RescaleType="MGML"))
    (series,) = find_series(tmp_path)
    assert [reason for reason, _ in series.notes] == [Reason.NOT_HOUNSFIELD]
    load(tmp_path)
    assert "CT never has" not in caplog.text


def test_a_rescale_that_leaves_no_air_is_said(tmp_path, caplog):
    """Stored values + 1024 whose intercept was set to 0."""
    row, _ = noted(tmp_path, stated((HU + 1024).astype(np.uint16), **bits(12, 0)), caplog)
    assert row.reason is Reason.UNLIKELY_VALUES
    assert "leaves no CT value below 0 HU" in row.findings[0]


def test_what_lies_beyond_the_slices_that_are_looked_at_is_said_when_they_are_read(
    tmp_path, caplog
):
    stored = np.zeros((2 * MOST_SLICES, 6, 4), np.uint16)
    stored[1, 0, 0] = 6024
    write_series(tmp_path, stated(stored, intercept=-1024, **bits(12, 0)))
    assert find_series(tmp_path)[0].notes == ()
    with caplog.at_level(logging.WARNING):
        load(tmp_path)
    assert "1 voxels of" in caplog.text
    assert "hold more bits than BitsStored" in caplog.text


# ---- what is as it says


@pytest.mark.parametrize(
    ("stored", "header"),
    [
        (HU, {}),
        (HU, bits(13, 1)),
        ((HU + 1024).astype(np.uint16), {"intercept": -1024, **bits(12, 0)}),
        ((HU + 1024).astype(np.uint16), {"intercept": -1024}),
        ((HU + 8192).astype(np.uint16), {"intercept": -8192}),
    ],
)
def test_a_header_that_fits_its_samples_needs_no_word(stored, header, tmp_path):
    write_series(tmp_path, stated(stored, **header))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.notes) == (Verdict.ACCEPT, ())
    np.testing.assert_array_equal(load(tmp_path)[0].transpose(2, 1, 0), HU)


def test_padding_of_a_sign_of_its_own_is_no_impossible_value(tmp_path):
    """-2000 stated and stored without a sign, 63536: padding, in 16 bits."""
    stored = (HU + 1024).astype(np.uint16)
    stored[:, 0] = 63536
    slices = stated(stored, intercept=-1024)
    for s in slices:
        s.add_new("PixelPaddingValue", "US", 63536)
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.notes) == (Verdict.ACCEPT, ())


def test_slices_of_several_bits_stored_keep_their_own(tmp_path, caplog):
    """One slice of 12 bits holds a bit above them; another states 16 and has values of 5000 HU."""
    stored = (HU + 1024).astype(np.uint16)
    stored[0, 0, 0], stored[2] = 6024, 6024
    slices = stated(stored, intercept=-1024, **bits(12, 0))
    slices[2].BitsStored, slices[2].HighBit = 16, 15
    row, volume = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.UNLIKELY_VALUES
    assert (volume[2] == 5000).all()


# ---- CT values that a wrong rescale makes


@pytest.mark.parametrize(
    ("stored", "header", "said"),
    [
        (HU, {"intercept": -1024}, "are lower than air, down to -2024 HU"),
        (HU + 1024, {"intercept": 1024}, "leaves no CT value below 0 HU"),
        (HU + 1024, {"intercept": 0}, "leaves no CT value below 0 HU"),
        (HU, {"RescaleSlope": 10}, "are lower than air, down to -10000 HU"),
        (HU, {"RescaleSlope": 1000}, "values up to 3e+06 HU, which CT never has"),
        (HU, {"RescaleSlope": "0.001"}, "but become only -1 to 3 HU"),
        (HU, {"RescaleSlope": -1}, "a negative rescale slope reverses CT values"),
    ],
)
def test_a_rescale_that_cannot_be_right_is_said(stored, header, said, tmp_path, caplog):
    row, _ = noted(tmp_path, stated(stored, **header), caplog)
    assert (row.verdict, row.reason) == (Verdict.ACCEPT, Reason.UNLIKELY_VALUES)
    assert said in "; ".join(row.findings)


@pytest.mark.parametrize("padding", [-2000, -3024, -32768])
def test_padding_that_no_header_states_needs_no_word(padding, tmp_path):
    """A circle of padding, and a few values at its edge where the image was interpolated."""
    stored = np.tile(HU.reshape(1, -1), (5, 20, 1)).astype(np.int16)
    stored[:, :8] = padding
    stored[:, 8, :2] = (padding - 1000) // 2
    write_series(tmp_path, stated(stored))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.notes) == (Verdict.ACCEPT, ())


def test_a_slice_whose_intercept_differs_from_the_others_is_said(tmp_path, caplog):
    slices = stated(HU + 1024, intercept=-1024)
    slices[2].RescaleIntercept = 0
    row, _ = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.UNLIKELY_VALUES
    assert "1 slice of 5 with a rescale intercept of 0, the others with -1024" in row.findings[0]


def test_slices_that_are_each_scaled_for_themselves_need_no_word(tmp_path):
    slices = stated(HU, intercept=0)
    for k, s in enumerate(slices):
        s.RescaleSlope = str(1 + k / 16)
    write_series(tmp_path, slices)
    assert find_series(tmp_path)[0].notes == ()


def test_unsigned_samples_of_16_bits_that_are_stated_as_signed_are_read_without(tmp_path, caplog):
    """3000 HU is stored as 50000, which is -15536 with a sign, and would be -3553.6 HU."""
    wide = np.tile(np.arange(10000, 50000, 50).astype(np.uint16), 2)[: 5 * 8 * 20]
    slices = stated(wide.reshape(5, 8, 20), intercept=-2000, RescaleSlope="0.1", **bits(16, 1))
    row, volume = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.CORRECTED_SAMPLES
    expected = wide.reshape(5, 8, 20) * 0.1 - 2000
    np.testing.assert_allclose(volume, expected, atol=1e-3)


def test_signed_samples_of_32_bits_are_read_with_their_sign(tmp_path, caplog):
    slices = stated(HU.astype(np.int32), **bits(32, 0))
    row, volume = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.CORRECTED_SAMPLES
    np.testing.assert_array_equal(volume, HU)


# ---- byte order


@pytest.mark.parametrize(
    "header",
    [
        {"intercept": -1024},
        {"intercept": -1024, **bits(12, 0)},
        {"Modality": "MR", "SOPClassUID": MRImageStorage, **bits(16, 0)},
    ],
    ids=["ct", "ct of 12 bits", "mr"],
)
def test_samples_whose_bytes_are_swapped_are_read_in_their_order(header, tmp_path, caplog):
    """A smooth image: the upper byte changes once in 64 pixels, the lower one each time."""
    smooth = np.arange(0, 4000, 4).astype(np.int16).reshape(5, 10, 20)
    row, volume = noted(tmp_path, stated(smooth.byteswap(), **header), caplog)
    assert (row.verdict, row.reason) == (Verdict.REPAIR, Reason.CORRECTED_SAMPLES)
    assert "the two bytes of samples are in the other order" in row.findings[0]
    np.testing.assert_array_equal(volume, smooth + header.get("intercept", 0))


def test_values_in_the_upper_byte_alone_are_not_swapped(tmp_path):
    """Eight bits in the upper half of 16, as some programs write them."""
    upper = (np.arange(5 * 6 * 40) % 256 * 256).astype(np.uint16).reshape(5, 6, 40)
    slices = stated(upper, Modality="MR", SOPClassUID=MRImageStorage)
    write_series(tmp_path, slices)
    assert find_series(tmp_path)[0].notes == ()


# ---- codestreams that say nothing of a sign

WIDE_HU = np.tile(HU.reshape(6, 4, 5).transpose(2, 0, 1), (1, 7, 10))
"""From air to bone in each slice; JPEG 2000 takes no image smaller than 32 x 32."""


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("encoded_bits", [12, 16])
def test_bone_without_a_sign_in_a_codestream_is_not_lower_than_air(
    encoded_bits, syntax, tmp_path, caplog
):
    """Stored 2048 of 1024 HU would be -3072 HU; so few voxels might be padding or streaks."""
    hu = np.minimum(WIDE_HU, 1000)
    hu[:, 20:22, 20:24] = 2000 + np.arange(4)
    slices = compress_series(stated(hu + 1024, intercept=-1024, **bits(encoded_bits, 0)), syntax)
    for s in slices:
        for keyword, value in bits(12, 1).items():
            setattr(s, keyword, value)
    row, volume = noted(tmp_path, slices, caplog)
    assert (row.verdict, row.reason) == (Verdict.REPAIR, Reason.CORRECTED_SAMPLES)
    assert (
        "are really high values: the header calls samples signed, but they are unsigned"
        in row.findings[0]
    )
    np.testing.assert_array_equal(volume, hu)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_negative_values_in_a_codestream_without_a_sign_keep_theirs(syntax, tmp_path):
    """Air of -1000 HU is 3096 in 12 bits."""
    hu = np.minimum(WIDE_HU, 2047).astype(np.int16)
    slices = compress_series(stated((hu & 0x0FFF).astype(np.uint16), **bits(12, 0)), syntax)
    for s in slices:
        s.PixelRepresentation = 1
    write_series(tmp_path, slices)
    assert find_series(tmp_path)[0].notes == ()
    np.testing.assert_array_equal(load(tmp_path)[0].transpose(2, 1, 0), hu)


def test_one_value_of_padding_in_such_a_codestream_is_no_bone(tmp_path):
    """-2000 of 12 bits would be 1072 HU without its sign."""
    stored = np.minimum(WIDE_HU, 1000) + 1024
    stored[:, :4] = -2000 & 0x0FFF
    slices = compress_series(stated(stored, intercept=-1024, **bits(12, 0)), JPEG2000Lossless)
    for s in slices:
        s.PixelRepresentation = 1
    write_series(tmp_path, slices)
    assert find_series(tmp_path)[0].notes == ()
    assert (load(tmp_path)[0][:, :4] == -3024).all()


# ---- other images than CT


def test_mr_with_values_at_both_ends_of_16_bits_is_said(tmp_path, caplog):
    stored = np.linspace(-100, 900, 5 * 6 * 4).astype(np.int16).reshape(5, 6, 4)
    slices = stated(stored, Modality="MR", SOPClassUID=MRImageStorage, **bits(16, 0))
    row, _ = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.UNLIKELY_VALUES
    assert "may be negative: the header calls samples unsigned" in row.findings[0]


@pytest.mark.parametrize(("low", "high"), [(-1049, 45), (-4000, -3000), (-100, 0)])
def test_so_is_mr_of_which_whole_slices_are_negative(low, high, tmp_path, caplog):
    stored = np.linspace(low, high, 5 * 6 * 4).astype(np.int16).reshape(5, 6, 4)
    slices = stated(stored, Modality="MR", SOPClassUID=MRImageStorage, **bits(16, 0))
    row, _ = noted(tmp_path, slices, caplog)
    assert "may be negative: the header calls samples unsigned" in row.findings[0]


def test_mr_whose_brightest_pixels_are_saturated_needs_no_word(tmp_path):
    stored = np.linspace(0, 900, 5 * 6 * 4).astype(np.uint16).reshape(5, 6, 4)
    stored[:, 0] = 65535
    write_series(tmp_path, stated(stored, Modality="MR", SOPClassUID=MRImageStorage))
    assert find_series(tmp_path)[0].notes == ()


def test_compressed_samples_of_more_bits_than_stated_are_read_whole(tmp_path, caplog):
    stored = np.tile(HU + 1024, (1, 7, 10))  # JPEG 2000 takes no image smaller than 32 x 32
    stored[:, 0] = 6024
    slices = compress_series(stated(stored, intercept=-1024), JPEG2000Lossless)
    for s in slices:
        s.BitsStored, s.HighBit = 12, 11
    row, volume = noted(tmp_path, slices, caplog)
    assert row.reason is Reason.CORRECTED_SAMPLES
    np.testing.assert_array_equal(volume, stored - 1024)


@pytest.mark.parametrize(("place", "stored"), [(0, 8), (2, 10), (4, 11)])
def test_a_slice_that_states_fewer_bits_than_most_has_theirs(place, stored, tmp_path, caplog):
    slices = stated(HU + 1024, intercept=-1024, **bits(16, 0))
    for keyword, value in bits(stored, 0).items():
        setattr(slices[place], keyword, value)
    row, volume = noted(tmp_path, slices, caplog)
    np.testing.assert_array_equal(volume, HU)
    assert row.verdict is Verdict.REPAIR
    assert f"values have the 16 bits of most slices, BitsStored is {stored}, in 1 of 5" in (
        "; ".join(row.findings)
    )


@pytest.mark.parametrize("write", [list, lambda slices: compress_series(slices, RLELossless)])
def test_pet_above_half_of_16_bits_that_is_stated_as_signed_is_said(write, tmp_path, caplog):
    """0 to 20000, and 50000 to 50003 that become -15536 to -15533."""
    stored = np.linspace(0, 20000, 5 * 6 * 4).astype(np.uint16).reshape(5, 6, 4)
    stored[2, 2] = 50000 + np.arange(4)
    slices = stated(
        stored, Modality="PT", SOPClassUID=PositronEmissionTomographyImageStorage, **bits(16, 1)
    )
    row, _ = noted(tmp_path, write(slices), caplog)
    assert (row.verdict, row.reason) == (Verdict.ACCEPT, Reason.UNLIKELY_VALUES)
    assert (
        "values from -15536 to -15533 may really be high values: the header calls samples signed"
        in row.findings[0]
    )
