"""Tests of medseg.ingest.dicom.pixels.unused_bits: what lies above BitsStored is left out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from medseg.ingest.dicom.pixels.unused_bits import drop_unused_bits, find_surplus


def header(*, sign=0, padding=None, overlay_bits=0):
    """Of samples of 12 bits."""
    return SimpleNamespace(
        bits_stored=12, pixel_representation=sign, padding=padding, overlay_bits=overlay_bits
    )


def test_higher_bits_are_dropped_and_a_sign_is_kept():
    unsigned = drop_unused_bits(np.array([0x1001, 0x0FFF], np.uint16), header())
    signed = drop_unused_bits(np.array([-2, 0x0FFF], np.int16), header(sign=1))
    assert (unsigned.tolist(), signed.tolist()) == ([1, 0x0FFF], [-2, -1])


def test_samples_within_bits_stored_have_no_surplus():
    assert find_surplus(np.array([0, 0x0FFF], np.uint16), header()) is None
    assert find_surplus(np.array([-2048, 2047], np.int16), header(sign=1)) is None


def test_padding_and_overlays_explain_higher_bits():
    samples = np.array([1, 0x1001, 0xFFFF], np.uint16)
    surplus, padded = find_surplus(samples, header(padding=(0xFFFF, 0xFFFF)))
    assert (surplus.tolist(), padded.tolist()) == ([False, True, False], [False, False, True])
    surplus, _ = find_surplus(samples[:2], header(overlay_bits=0x1000))
    assert not surplus.any()
