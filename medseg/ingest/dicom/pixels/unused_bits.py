"""Unused bits: drop the bits of samples above BitsStored, and find those that matter."""

from __future__ import annotations

import numpy as np

from medseg.ingest.dicom.header.slice import Slice


def drop_unused_bits(samples: np.ndarray, header: Slice) -> np.ndarray:
    """Drop the bits above BitsStored, in place; shifting back keeps the sign.

    Example:
        >>> drop_unused_bits(np.array([0x1001], np.uint16), header_of_12_bits)  # doctest: +SKIP
        array([1], dtype=uint16)
    """
    unused_bits = 8 * samples.itemsize - header.bits_stored
    if unused_bits > 0:
        samples <<= unused_bits
        samples >>= unused_bits
    return samples


def find_surplus(samples: np.ndarray, header: Slice) -> tuple[np.ndarray, np.ndarray] | None:
    """Find samples with bits above BitsStored that nothing explains, and those that are padding.

    Three things explain such bits: the sign of a negative value, a padding value that needs more
    bits than BitsStored, and an overlay in the bits that the header states for it.

    Args:
        samples: with all their bits, in the type that the header states.
        header: of the slice.

    Returns:
        Two masks of the shape of the samples; None where no sample has such bits.
    """
    one_more = header.bits_stored - header.pixel_representation
    if not samples.size or (samples.min() >= -(2**one_more) and samples.max() < 2**one_more):
        return None
    differ = samples ^ drop_unused_bits(samples.copy(), header)
    padded = _is_wide_padding(samples, header)
    explained = np.array(header.overlay_bits).astype(samples.dtype)
    return (differ & ~explained != 0) & ~padded, padded


def _is_wide_padding(samples: np.ndarray, header: Slice) -> np.ndarray:
    """Samples that the header calls padding and that BitsStored cannot hold."""
    if header.padding is None:
        return np.zeros(samples.shape, dtype=bool)
    ends = np.array(header.padding).astype(samples.dtype)
    is_wide = bool((ends != drop_unused_bits(ends.copy(), header)).any())
    return (samples >= ends[0]) & (samples <= ends[1]) & is_wide
