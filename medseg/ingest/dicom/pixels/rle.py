"""Rle: one run-length coded frame as plain samples, where it holds as many as its header states.

PS3.5 Annex G: a frame is a header of 64 bytes and a segment for each byte of a sample, the most
significant first, sample by sample. Decoders cut what is too long, which scrambles an image whose
stated matrix is too small; here it is refused.
"""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
from PIL import Image

_HEADER_BYTES = 64
_MOST_SEGMENTS = 15
_MOST_PIXELS = 2**28 - 1  # Pillow counts bits in 32
_CHUNK = 2**20
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
    if not 0 < pixels <= _MOST_PIXELS:
        raise ValueError(f"a run-length code of {pixels} pixels")
    segments = _segments(frame)
    if len(segments) != samples * bytes_per_sample:
        stated = f"{samples} samples of {bytes_per_sample} bytes"
        raise ValueError(f"a run-length code of {len(segments)} segments for {stated}")
    out = np.empty((samples, pixels, bytes_per_sample), dtype=np.uint8)
    for k, segment in enumerate(segments):
        sample, place = divmod(k, bytes_per_sample)
        out[sample, :, bytes_per_sample - 1 - place] = _decoded(segment, pixels)
    return out


def _segments(frame: bytes) -> list[bytes]:
    if len(frame) < _HEADER_BYTES:
        raise ValueError("a run-length code that ends within its header")
    count, *offsets = struct.unpack_from("<16I", frame)
    ends = [*offsets[:count], len(frame)]
    if not 0 < count <= _MOST_SEGMENTS or ends[0] < _HEADER_BYTES or sorted(ends) != ends:
        raise ValueError("a run-length code whose segments lie in no order")
    return [frame[start:end] for start, end in pairwise(ends)]


def _decoded(segment: bytes, size: int) -> np.ndarray:
    """The `size` bytes that a segment stands for, (size,); no more may follow but padding."""
    line = _unpacked(segment, size)
    if line is None or _unpacked(segment.rstrip(b"\0"), size + _PADDING_BYTES + 1) is not None:
        raise ValueError(f"a run-length code of more or less than {size} pixels")
    out = np.empty(size, dtype=np.uint8)
    for start in range(0, size, _CHUNK):  # at once, Pillow would take four times the memory
        end = min(start + _CHUNK, size)
        out[start:end] = np.asarray(line.crop((start, 0, end, 1)))[0]
    return out


def _unpacked(segment: bytes, size: int) -> Image.Image | None:
    """The first `size` bytes as a picture of one row; None where there are fewer.

    The code is PackBits, which Pillow decodes in C and to no more than it is asked for.
    """
    try:
        return Image.frombytes("L", (size, 1), segment, "packbits", "L")
    except ValueError:  # not enough image data
        return None
