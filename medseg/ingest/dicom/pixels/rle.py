"""Rle: decode one run-length coded frame, which must hold as many samples as its header states.

PS3.5 Annex G: a frame is a header of 64 bytes and a segment for each byte of a sample, the most
significant first, sample by sample. The code of a segment is PackBits, which imagecodecs decodes.
Decoders of whole frames cut a segment that is too long, which scrambles an image whose stated
matrix is too small, or fill one that is too short. Here both are refused.
"""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np

_HEADER_BYTES = 64
_MOST_SEGMENTS = 15
_PADDING_BYTES = 1
"""A last run may go on by this much: some encoders pad an odd number of pixels before coding."""


def decode_rle(frame: bytes, pixels: int, *, samples: int, bytes_per_sample: int) -> np.ndarray:
    """Decode a frame to the bytes of its samples, little endian, one colour after the other.

    Args:
        frame: header and segments.
        pixels: rows x columns.
        samples: per pixel.
        bytes_per_sample: 1, 2 or 4.

    Returns:
        (samples, pixels, bytes_per_sample), uint8. No more is written than that, whatever the runs
        of the frame stand for.

    Raises:
        ValueError: the frame does not hold exactly these, but for padding: one more byte, and zeros
            behind the code.

    Example:
        >>> header = bytes([1, 0, 0, 0, 64]) + bytes(59)
        >>> decode_rle(header + b"\\xfe\\x07", 3, samples=1, bytes_per_sample=1).tobytes()
        b'\\x07\\x07\\x07'
    """
    if pixels <= 0:
        raise ValueError(f"a run-length code of {pixels} pixels")
    segments = _split_segments(frame)
    if len(segments) != samples * bytes_per_sample:
        stated = f"{samples} samples of {bytes_per_sample} bytes"
        raise ValueError(f"a run-length code of {len(segments)} segments for {stated}")
    out = np.empty((samples, pixels, bytes_per_sample), dtype=np.uint8)
    for k, segment in enumerate(segments):
        sample, place = divmod(k, bytes_per_sample)
        out[sample, :, bytes_per_sample - 1 - place] = _decode_segment(segment, pixels)
    return out


def _split_segments(frame: bytes) -> list[bytes]:
    if len(frame) < _HEADER_BYTES:
        raise ValueError("a run-length code that ends within its header")
    count, *offsets = struct.unpack_from("<16I", frame)
    ends = [*offsets[:count], len(frame)]
    if not 0 < count <= _MOST_SEGMENTS or ends[0] < _HEADER_BYTES or sorted(ends) != ends:
        raise ValueError("a run-length code whose segments are not in order")
    return [frame[start:end] for start, end in pairwise(ends)]


def _decode_segment(segment: bytes, size: int) -> np.ndarray:
    """The `size` bytes that a segment stands for, (size,); no more may follow but padding."""
    from imagecodecs import packbits_decode

    zeros = len(segment) - len(segment.rstrip(b"\0"))
    room = np.empty(size + _PADDING_BYTES + zeros // 2, dtype=np.uint8)  # a pair decodes to one
    try:
        decoded = np.frombuffer(packbits_decode(segment, out=room.data), dtype=np.uint8)
    except RuntimeError:  # ends within a code, or is longer than the room
        decoded = room[:0]
    if len(decoded) < size or decoded[size + _PADDING_BYTES :].any():
        raise ValueError(f"a run-length code of more or less than {size} pixels")
    return decoded[:size]
