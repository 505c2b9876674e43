"""Strips: some rows of the samples of a slice, read to compare slices that lie beside each other.

A strip is a few kilobytes of a slice, so that one of each slice of a long series can be looked at
before a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import FileIO

import numpy as np

from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.stored_planes import read_stored_planes
from medseg.ingest.reasons import IngestError

TIMES_CLOSER = 3.0
"""A slice read rightly is this many times closer to its neighbours than one read wrongly."""

_ROWS, _COLUMNS = 32, 256
"""At most this many rows of a slice are read, evenly spaced, and this many columns kept."""


def read_strips(slices: Sequence[Slice]) -> dict[int, np.ndarray]:
    """Read the strip of each slice: (rows, columns), whole samples in native byte order.

    Args:
        slices: with a pixel data element of a supported sample size.

    Returns:
        The strips by the place of their slice. Those that cannot be read are left out: whoever
        reads the volume says why.
    """
    places: dict[bool, list[int]] = {True: [], False: []}
    for k, header in enumerate(slices):
        places[_is_plain(header)].append(k)
    found = {k: rows for k in places[True] if (rows := _read_plain_rows(slices[k])) is not None}
    found.update(_decode_rows(slices, places[False]))
    return {k: _thin_columns(rows) for k, rows in found.items()}


def measure_distance(one: np.ndarray, other: np.ndarray) -> float:
    """How far values are from others of the same shape: the mean of their absolute difference.

    Example:
        >>> measure_distance(np.array([0, 4]), np.array([2, 2]))
        2.0
    """
    return float(np.abs(one.astype(np.float64) - other).mean())


def find_neighbours(place: int, others: np.ndarray) -> list[int]:
    """Find the nearest other place on each side of a place; at an end there is only one.

    Args:
        place: of a slice, none of the others.
        others: places in ascending order, one or more.

    Example:
        >>> find_neighbours(4, np.array([1, 3, 6, 7])), find_neighbours(0, np.array([2, 3]))
        ([3, 6], [2])
    """
    after = int(np.searchsorted(others, place))
    return [int(k) for k in others[max(0, after - 1) : after + 1]]


def read_whole_planes(slices: Sequence[Slice]) -> Iterator[tuple[int, np.ndarray]]:
    """The place and the samples of each slice, with the bits above BitsStored.

    Raises:
        IngestError: where one cannot be read.
    """
    return read_stored_planes([_take_all_bits(s) for s in slices])


def _take_all_bits(header: Slice) -> Slice:
    """Make a header with which samples are read with all their bits, the sign included."""
    codestream = header.pixels.codestream if header.pixels else None
    if header.is_sign_unknown and codestream is not None and codestream.bits <= header.bits_stored:
        return header
    return replace(header, bits_stored=header.bits_allocated)


def _is_plain(header: Slice) -> bool:
    """Whether samples lie in the file as little endian numbers, each at a known place."""
    syntax, pixels = header.transfer_syntax, header.pixels
    is_plain = syntax.is_little_endian and not syntax.is_encapsulated
    return is_plain and pixels is not None and pixels.offset is not None


def _choose_rows(header: Slice) -> np.ndarray:
    if header.rows <= _ROWS:
        return np.arange(header.rows)
    return np.linspace(0, header.rows - 1, _ROWS + 2)[1:-1].astype(int)


def _read_plain_rows(header: Slice) -> np.ndarray | None:
    """The rows of a plain slice, read one by one; None where one of them is not there."""
    kind = "i" if header.pixel_representation else "u"
    dtype = np.dtype(f"<{kind}{header.bits_allocated // 8}")
    row_bytes = header.columns * dtype.itemsize
    start = header.pixels.offset if header.pixels and header.pixels.offset else 0
    start += (header.frame or 0) * header.plane_bytes
    try:
        with header.path.open("rb", buffering=0) as file:
            rows = [
                _read_bytes_at(file, start + int(r) * row_bytes, row_bytes)
                for r in _choose_rows(header)
            ]
    except OSError:
        return None
    if any(len(row) < row_bytes for row in rows):
        return None
    samples = np.frombuffer(b"".join(rows), dtype).reshape(len(rows), header.columns)
    return _swap_if_stated(samples.astype(dtype.newbyteorder("=")), header)


def _read_bytes_at(file: FileIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _swap_if_stated(samples: np.ndarray, header: Slice) -> np.ndarray:
    return samples.byteswap() if header.is_swapped else samples


def _decode_rows(slices: Sequence[Slice], places: Sequence[int]) -> dict[int, np.ndarray]:
    found: dict[int, np.ndarray] = {}
    try:
        for n, plane in read_whole_planes([slices[k] for k in places]):
            found[places[n]] = plane[_choose_rows(slices[places[n]])]
    except IngestError:
        return {}
    return found


def _thin_columns(rows: np.ndarray) -> np.ndarray:
    return rows[:, :: -(-rows.shape[1] // _COLUMNS)]
