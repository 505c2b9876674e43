"""Pixel rules: what the pixel data of a series must hold, judged without decoding it.

Each rule returns its finding, or an empty string, like those of
`medseg.ingest.dicom.rules.slice_rules`.
"""

from __future__ import annotations

from collections.abc import Sequence

from medseg.ingest.codestreams.codestream import Codestream
from medseg.ingest.dicom.header.slice import PixelData, Slice
from medseg.ingest.dicom.pixels.pixel_content import matches_syntax

FREE_DECODED_BYTES = 2**26
"""A compressed series may always decode to this much, whatever its files hold."""

MAX_COMPRESSION_RATIO = 200
"""Beyond `FREE_DECODED_BYTES`, a series may decode to this many times its compressed bytes.

Lossless compression of real slices reaches 2 to 4, lossy rarely 50; a blank slice is small. Deflate
and the decoders of JPEG 2000 can make a thousand bytes and more of one.
"""


def describe_conflicting_syntax(slices: Sequence[Slice]) -> str:
    """Pixel data whose bytes are not what the transfer syntax says, see `pixel_content`."""
    for s in slices:
        if s.pixels is None:
            continue
        if said := _describe_mismatch(s, s.pixels):
            return f"{s.path.name} holds {said} under {s.transfer_syntax.name}"
    return ""


def _describe_mismatch(header: Slice, pixels: PixelData) -> str:
    """Name the pixel data where it is not of the transfer syntax; "" where both agree."""
    is_compressed = header.transfer_syntax.is_encapsulated
    if pixels.is_encapsulated and not is_compressed:
        return f"encapsulated items of {pixels.content or 'no known codestream'}"
    if not pixels.is_encapsulated and (is_compressed or pixels.content):
        return f"{pixels.content or 'uncompressed pixels'} without items"
    if pixels.missing_bytes or not is_compressed:
        return ""
    plain_bytes = header.samples * header.plane_bytes * max(1, header.frames)
    if not pixels.content and pixels.length < plain_bytes:
        return ""  # perhaps a codestream that is damaged at its start: the decoder will report it
    if not matches_syntax(pixels.content, header.transfer_syntax):
        return pixels.content or "uncompressed pixels in items"
    return ""


def describe_header_conflict(codestream: Codestream, header: Slice) -> str:
    """Say how a codestream contradicts the DICOM header; empty where its samples can be read.

    Samples may have fewer bits than BitsStored, and also more, as long as BitsAllocated holds them.
    Unsigned samples under a signed header are two's complement, so their sign bit must be there.

    Example:
        >>> describe_header_conflict(Codestream((64, 64), bits=12), header)  # doctest: +SKIP
        'a codestream of 12 bits in 8'
    """
    size, bits = (header.rows, header.columns), codestream.bits
    if codestream.size != size:
        return f"a codestream of {codestream.size}, not {size} pixels"
    if codestream.samples != header.samples:
        return f"a codestream of {codestream.samples} samples per pixel, not {header.samples}"
    if bits > header.bits_allocated:
        return f"a codestream of {bits} bits in {header.bits_allocated}"
    if codestream.is_signed and header.pixel_representation == 0:
        return "a codestream of signed samples under an unsigned header"
    is_blind = header.pixel_representation == 1 and not codestream.is_signed
    if is_blind and bits < header.bits_stored:
        return f"a codestream of {bits} unsigned bits for {header.bits_stored} signed ones"
    return ""


def describe_truncated(slices: Sequence[Slice]) -> str:
    """Fewer bytes than the element or the header states."""
    for s in slices:
        if s.pixels is None:
            continue
        if s.pixels.missing_bytes:
            return f"{s.path.name} ends {s.pixels.missing_bytes} bytes early"
        expected = s.plane_bytes * max(1, s.frames)
        if not s.transfer_syntax.is_encapsulated and s.pixels.length < expected:
            return f"{s.path.name} holds {s.pixels.length} of {expected} bytes of pixels"
    return ""


def describe_trailing_bytes(slices: Sequence[Slice]) -> str:
    """More pixels than the header states: it belongs to other pixels, and would scramble these.

    One byte may make an odd length even. Zeros of at most one row are accepted, since older writers
    padded so (PS3.5 section 8.1.1), and the caller records them. Fragments that begin no frame are
    not counted: a frame may lie in several, and some writers add empty ones.
    """
    for s in slices:
        if s.pixels is None:
            continue
        excess = s.excess_bytes
        if excess > min(s.pixels.zeros, s.plane_bytes // s.rows):
            held = s.pixels.length
            return f"{s.path.name} holds {held} bytes of pixels, {held - excess} are stated"
        stated = max(1, s.frames)
        if s.pixels.codestreams > stated:
            held = s.pixels.codestreams
            return f"{s.path.name} holds {held} compressed frames, {stated} stated"
    return ""


def describe_contradicting_codestream(slices: Sequence[Slice]) -> str:
    """A codestream that states another size, depth or sign than its header states."""
    for s in slices:
        if s.pixels is None or s.pixels.codestream is None:
            continue
        if said := describe_header_conflict(s.pixels.codestream, s):
            return f"{s.path.name} holds {said}"
    return ""


def describe_too_large(slices: Sequence[Slice]) -> str:
    """Compressed pixels that would decode to far more than their bytes can hold.

    Uncompressed pixels need no such limit: `describe_truncated` checks that the file holds them.
    """
    compressed = [s for s in slices if s.pixels is not None and s.pixels.compressed]
    stored = {s.path: s.pixels.compressed for s in compressed if s.pixels is not None}
    promised, held = sum(s.plane_bytes for s in compressed), sum(stored.values())
    if is_plausible(promised, held):
        return ""
    return f"{held} bytes of compressed pixels would have to expand to {promised} bytes"


def is_plausible(promised: int, held: int) -> bool:
    """Whether `held` compressed bytes may be real images of `promised` decoded bytes."""
    return promised <= max(FREE_DECODED_BYTES, MAX_COMPRESSION_RATIO * held)
