"""Rescale: make one volume of physical values of the stored planes of sorted slices.

Values are stored value * RescaleSlope + RescaleIntercept, per slice (PS3.3 C.11.1). MONOCHROME1 is
a matter of display and changes no value.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np

from medseg.ingest.checks import check_room
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.histogram import BLOCK_SAMPLES
from medseg.ingest.dicom.pixels.stored_planes import read_stored_planes
from medseg.ingest.reasons import IngestError, Reason, explain

CT_PADDING_HU = -1024
"""Value that is written for CT pixels that the scanner padded (outside its field of view).

It is below any tissue. The least value that a CT may state, which happens to be as low, is
`medseg.ingest.dicom.sample_checks.sample_findings.LOWEST_HU`.
"""

HIGHEST_HU = 32767.0
"""No CT value is higher: the end of 16 bits with a sign. Steel and gold are below, at any scale."""

logger = logging.getLogger(__name__)

_INT16 = np.iinfo(np.int16)
_EXACT_IN_SINGLE = 2**24  # whole numbers up to here


def read_volume(slices: Sequence[Slice]) -> np.ndarray:
    """Read the slices of one accepted series into a volume, in their order.

    CT is in HU. Pixels equal to PixelPaddingValue become `CT_PADDING_HU` in CT and keep their value
    in other modalities.

    Args:
        slices: headers of equal matrix size, sorted along the slice normal.

    Returns:
        (columns, rows, slices): int16 where every value is exact in it, else float32; float64 where
        stored values of more than 24 bits would lose some in single precision.

    Raises:
        IngestError: "undecodable", "truncated", "no-memory" or "conflicting-rescale", naming the
            file.
    """
    is_whole = all(value.is_integer() for s in slices for value in s.rescale)
    shape = (len(slices), slices[0].rows, slices[0].columns)
    least = np.dtype(np.int16 if is_whole else np.float32)
    check_room(slices[0].path.parent, math.prod(shape) * least.itemsize)
    volume = np.empty(shape, dtype=least)
    for k, stored in read_stored_planes(slices):
        dtype = np.promote_types(volume.dtype, _choose_dtype(stored, slices[k], is_whole=is_whole))
        volume = volume.astype(dtype, copy=False)
        _rescale(stored, slices[k], out=volume[k])
    _warn_of_impossible(volume, slices[0])
    return volume.transpose(2, 1, 0)


def _warn_of_impossible(volume: np.ndarray, header: Slice) -> None:
    """Warn of values that CT never has, and that the few slices of the verdict did not show."""
    is_hu = header.kind == "CT" and header.rescale_type in ("", "HU")
    if header.sample_notes or not is_hu or volume.dtype == np.int16:
        return
    if (highest := float(volume.max())) > HIGHEST_HU:
        finding = f"values up to {highest:g} HU, which CT never has, in {header.path.parent}"
        logger.warning("%s", explain(Reason.UNLIKELY_VALUES, finding))


def _choose_dtype(stored: np.ndarray, header: Slice, *, is_whole: bool) -> type[np.generic]:
    """Choose the smallest type of a volume that holds every value of a slice exactly."""
    slope, intercept = header.rescale
    lowest, highest = float(stored.min()), float(stored.max())
    low, high = sorted((lowest * slope + intercept, highest * slope + intercept))
    if is_whole and low >= _INT16.min and high <= _INT16.max:
        return np.int16
    if max(-lowest, highest) <= _EXACT_IN_SINGLE:
        return np.float32
    return np.float32 if is_whole and max(-low, high) <= _EXACT_IN_SINGLE else np.float64


def _rescale(stored: np.ndarray, header: Slice, *, out: np.ndarray) -> None:
    check_mapped_range(stored, header)
    slope, intercept = header.rescale
    if out.dtype == np.int16:
        _rescale_modulo(stored, int(slope), intercept=int(intercept), out=out)
    else:
        rows = max(1, BLOCK_SAMPLES // max(1, stored.shape[1]))
        for row in range(0, len(stored), rows):  # in blocks: the product is of double precision
            out[row : row + rows] = stored[row : row + rows] * slope + intercept
    if header.rescaled_kind == "CT" and header.padding is not None:
        low, high = np.array(header.padding).astype(stored.dtype)  # its VR may differ in sign
        out[(stored >= low) & (stored <= high)] = CT_PADDING_HU


def to_real_values(stored: np.ndarray, header: Slice) -> np.ndarray:
    """Rescale samples as for a volume, but in double precision: (rows, columns).

    Raises:
        IngestError: "conflicting-rescale", see `check_mapped_range`.
    """
    values = np.zeros(stored.shape)
    _rescale(stored, header, out=values)
    return values + 0.0  # no negative zero


def check_mapped_range(stored: np.ndarray, header: Slice) -> None:
    """Refuse values outside the range that a real world value mapping is stated for.

    Args:
        stored: samples without the bits above BitsStored.
        header: of the slice.

    Raises:
        IngestError: "conflicting-rescale", with both ranges.
    """
    if not header.is_real_world:
        return
    (mapping,) = header.real_world
    low, high = int(stored.min()), int(stored.max())
    if low < mapping.first or high > mapping.last:
        stated = f"its real world mapping is for {mapping.first:g} to {mapping.last:g}"
        finding = f"{header.path} holds values from {low} to {high} and {stated}"
        raise IngestError(Reason.CONFLICTING_RESCALE, finding)


def _rescale_modulo(stored: np.ndarray, slope: int, *, intercept: int, out: np.ndarray) -> None:
    """Rescale in 16 bits: sums and products modulo 2**16 are right where the result fits."""
    out[...] = stored
    if slope != 1:
        out *= np.array(slope, dtype=np.int64).astype(np.int16)
    if intercept != 0:
        out += np.array(intercept, dtype=np.int64).astype(np.int16)
