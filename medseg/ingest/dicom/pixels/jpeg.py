"""Jpeg: decode lossless and 12-bit JPEG, as a plugin of pydicom.

The decoder is libjpeg-turbo, which is part of imagecodecs. Colours are returned as they are stored,
and pydicom converts them by the header and the markers of the frame. libjpeg-turbo makes up missing
samples without an error, so `scan_end` checks each frame afterwards.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

from medseg.ingest.codestreams.codestream import read_codestream
from medseg.ingest.codestreams.huffman_codes import add_free_codes

PLUGIN = "imagecodecs"
LOSSLESS_JPEG = (JPEGLossless, JPEGLosslessSV1)

DECODER_DEPENDENCIES = dict.fromkeys(LOSSLESS_JPEG, ("imagecodecs>=2024.12.30",))
"""What pydicom lists as missing where `is_available` is False."""

_COLOUR_SPACES = {1: "GRAYSCALE", 3: "RGB"}  # read as stored, so that nothing is converted


def decode_jpeg(frame: bytes) -> np.ndarray:
    """Decode a JPEG to its samples, without conversion of colours.

    Args:
        frame: a JPEG of 2 to 16 bits without loss, or of 8 or 12 bits with loss.

    Returns:
        (rows, columns), or (rows, columns, 3): uint8, or uint16 for more than 8 bits.

    Raises:
        RuntimeError: the decoder cannot read it.
        ValueError: it states no size.

    Example:
        >>> decode_jpeg(b"")
        Traceback (most recent call last):
        ValueError: a JPEG without a frame header
    """
    from imagecodecs import jpeg8_decode

    if (found := read_codestream(frame)) is None:
        raise ValueError("a JPEG without a frame header")
    space = _COLOUR_SPACES.get(found.samples)
    return np.asarray(jpeg8_decode(frame, colorspace=space, outcolorspace=space))


def decode_for_pydicom(frame: bytes, runner: DecodeRunner) -> bytes:
    """Decode a frame to the bytes of its samples, pixel by pixel, as pydicom asks its plugins.

    Raises:
        ValueError: it holds a code that is in none of its Huffman tables, which is damage.
    """
    samples = decode_jpeg(frame)
    if not np.array_equal(samples, decode_jpeg(add_free_codes(frame))):
        raise ValueError("the codestream holds a code that is in none of its Huffman tables")
    return samples.tobytes()


def is_available(syntax: str) -> bool:
    """Whether this plugin decodes a transfer syntax, which pydicom asks when it is added."""
    return syntax in LOSSLESS_JPEG and find_spec("imagecodecs") is not None


def add_to_pydicom() -> None:
    """Add this plugin to the decoders of pydicom, where there is none of its name."""
    for decoder in map(get_decoder, LOSSLESS_JPEG):
        if PLUGIN not in decoder.available_plugins:
            decoder.add_plugin(PLUGIN, (__name__, decode_for_pydicom.__name__))
