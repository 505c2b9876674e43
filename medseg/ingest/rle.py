"""Rle: one run-length coded frame as plain samples, where it holds as many as its header states.

PS3.5 Annex G: a frame is a header of 64 bytes and a segment for each byte of a sample, the most
significant first, sample by sample. Decoders cut what is too long, which scrambles an image whose
stated matrix is too small; here it is refused.
"""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np

_HEADER_BYTES = 64
_MOST_SEGMENTS = 15
_NO_OPERATION = 128
_PADDING_BYTES = 1
"""A last run may go on by this much: some encoders pad an odd number of pixels before coding."""


def decode_rle(frame: bytes, pixels: int, *, samples: int, bytes_per_sample: int) -> bytes:
    """Decode a frame to its samples, little endian, one colour after the other.

    Args:
        frame: header and segments.
        pixels: rows x columns.
        samples: per pixel.
        bytes_per_sample: 1 or 2.

    Raises:
        ValueError: the frame does not hold exactly these, but for padding: one more byte, and zeros
            behind the code.

    Example:
        >>> header = bytes([1, 0, 0, 0, 64]) + bytes(59)
        >>> decode_rle(header + b"\\xfe\\x07", 3, samples=1, bytes_per_sample=1)
        b'\\x07\\x07\\x07'
    """
    segments = _segments(frame)
    if len(segments) != samples * bytes_per_sample:
        stated = f"{samples} samples of {bytes_per_sample} bytes"
        raise ValueError(f"a run-length code of {len(segments)} segments for {stated}")
    decoded = b"".join(_decoded(segment, pixels) for segment in segments)  # or an error
    planes = np.frombuffer(decoded, np.uint8).reshape(samples, bytes_per_sample, pixels)
    return planes[:, ::-1].swapaxes(1, 2).tobytes()


def _segments(frame: bytes) -> list[bytes]:
    if len(frame) < _HEADER_BYTES:
        raise ValueError("a run-length code that ends within its header")
    count, *offsets = struct.unpack_from("<16I", frame)
    ends = [*offsets[:count], len(frame)]
    if not 0 < count <= _MOST_SEGMENTS or ends[0] < _HEADER_BYTES or sorted(ends) != ends:
        raise ValueError("a run-length code whose segments lie in no order")
    return [frame[start:end] for start, end in pairwise(ends)]


def _decoded(segment: bytes, size: int) -> bytearray:
    """The first `size` bytes that a segment stands for, and no more may follow."""
    out, at, end = bytearray(), 0, len(segment)
    while len(out) < size and at + 1 < end:
        code = segment[at]
        if code < _NO_OPERATION:
            out += segment[at + 1 : at + 2 + code]
            at += 2 + code
        elif code > _NO_OPERATION:
            out += segment[at + 1 : at + 2] * (257 - code)
            at += 2
        else:
            at += 1
    if not size <= len(out) <= size + _PADDING_BYTES or any(segment[at:]):
        raise ValueError(f"a run-length code of more or less than {size} pixels")
    return out[:size]
