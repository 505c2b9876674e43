"""Unused bits: what lies above BitsStored in a sample, and whether anything explains it."""

from __future__ import annotations

import numpy as np

from medseg.ingest.dicom.header.slice import Slice

HIGHEST_HU = 32767.0
"""No CT value is higher: the end of 16 bits with a sign. Steel and gold are below, at any scale."""


def without_unused_bits(samples: np.ndarray, header: Slice) -> np.ndarray:
    """Drop what lies above BitsStored, in place; shifting back keeps the sign.

    Example:
        >>> without_unused_bits(np.array([0x1001], np.uint16), header_of_12_bits)  # doctest: +SKIP
        array([1], dtype=uint16)
    """
    unused_bits = 8 * samples.itemsize - header.bits_stored
    if unused_bits > 0:
        samples <<= unused_bits
        samples >>= unused_bits
    return samples


def surplus_of(samples: np.ndarray, header: Slice) -> tuple[np.ndarray, np.ndarray] | None:
    """Which samples hold bits above BitsStored that nothing explains, and which are padding.

    Explained are the sign of a negative value, padding that needs more bits than BitsStored, and an
    overlay in the bits that it is stated for.

    Args:
        samples: with all their bits, in the type that the header states.
        header: of the slice.

    Returns:
        Two masks of the shape of the samples; None where no sample has such bits.
    """
    one_more = header.bits_stored - header.pixel_representation
    if not samples.size or (samples.min() >= -(2**one_more) and samples.max() < 2**one_more):
        return None
    differ = samples ^ without_unused_bits(samples.copy(), header)
    padded = _is_wide_padding(samples, header)
    explained = np.array(header.overlay_bits).astype(samples.dtype)
    return (differ & ~explained != 0) & ~padded, padded


def _is_wide_padding(samples: np.ndarray, header: Slice) -> np.ndarray:
    """Samples that the header calls padding and that BitsStored cannot hold."""
    if header.padding is None:
        return np.zeros(samples.shape, dtype=bool)
    ends = np.array(header.padding).astype(samples.dtype)
    is_wide = bool((ends != without_unused_bits(ends.copy(), header)).any())
    return (samples >= ends[0]) & (samples <= ends[1]) & is_wide
