"""Scan end: check that the scans of a JPEG hold as many samples as its size asks for.

ITU-T T.81 Annexes B, F and H. Where the stated size was raised, decoders make up the missing
samples, and where it was lowered, they leave samples out, both without an error. No decoder says
how far it read. So the check decodes changed copies: if the image is complete, bytes added behind
its last scan change nothing; if it needs all its bytes, other bytes at the end change it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medseg.ingest.codestreams.codestream import JPEG_MARKER, read_frame_marker

Decode = Callable[[bytes], np.ndarray]

_HUFFMAN_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3)  # baseline, extended, progressive and lossless

_END, _START_OF_SCAN = 0xD9, 0xDA
_RESTARTS = range(0xD0, 0xD8)
_OTHER_BYTES = np.random.default_rng(0).integers(1, 255, 256, dtype=np.uint8).tobytes()
_CHANGED_BYTES = 8  # one more where the first of them would follow 0xFF


def check_scan_end(frame: bytes, decode: Decode) -> None:
    """Refuse a JPEG whose last scan ends before its last sample or goes on behind it.

    Baseline, extended, progressive and lossless frames of Huffman codes are checked, unless all
    samples have one value. Other frames are accepted, and so are up to 8 bytes that are left over.

    Args:
        frame: a JPEG, also with bytes behind its end.
        decode: returns its samples, (rows, columns) or (rows, columns, samples).

    Raises:
        ValueError: the frame holds fewer or more samples than it states.
        Exception: what `decode` raises for the frame as it is.

    Example:
        >>> check_scan_end(b"\\xff\\xd8\\xff\\xd9", np.frombuffer)
    """
    is_checked = read_frame_marker(memoryview(frame)) in _HUFFMAN_FRAMES
    if not is_checked or (scan := _find_last_scan(frame)) is None:
        return
    whole = decode(frame)
    if whole.size == 0 or (whole == whole.flat[0]).all():
        return
    added = _OTHER_BYTES + bytes((0xFF, scan.next_restart)) + _OTHER_BYTES
    other = _try_to_decode(decode, frame[: scan.end] + added + frame[scan.end :])
    if other is None or not np.array_equal(whole, other):
        raise ValueError("the codestream holds fewer samples than an image of its size has")
    other = _try_to_decode(decode, _change_end(frame, scan))
    if other is not None and np.array_equal(whole, other):
        raise ValueError("the codestream holds more samples than an image of its size has")


@dataclass(frozen=True)
class _Scan:
    """Where the codes behind the last restart marker of the last scan are, and the next marker."""

    start: int
    end: int
    next_restart: int


def _find_last_scan(frame: bytes) -> _Scan | None:
    """Find the last scan, marker by marker; None where the image has no end or no scan."""
    at, start, restart, found = 2, 0, _RESTARTS[0], None
    while match := JPEG_MARKER.search(frame, at):
        code, at = match[1][0], match.end()
        if code in _RESTARTS:
            start, restart = at, _RESTARTS[(code - _RESTARTS[0] + 1) % len(_RESTARTS)]
            continue
        if start:
            found = _Scan(start, match.start(), restart)
        if code == _END:
            return found
        at += int.from_bytes(frame[at : at + 2], "big")
        start, restart = (at, _RESTARTS[0]) if code == _START_OF_SCAN else (0, _RESTARTS[0])
    return None


def _change_end(frame: bytes, scan: _Scan) -> bytes:
    """Change the last bytes of a scan; zeros behind its codes do not count."""
    end = scan.end
    while end > scan.start and frame[end - 1] == 0 and frame[end - 2] != 0xFF:
        end -= 1
    start = max(scan.start, end - _CHANGED_BYTES)
    if start > scan.start and frame[start - 1] == 0xFF:
        start -= 1  # with the zero that makes it a code
    return frame[:start] + _OTHER_BYTES[: end - start] + frame[end:]


def _try_to_decode(decode: Decode, frame: bytes) -> np.ndarray | None:
    """Decode a changed frame; None where the decoder refuses it."""
    try:
        return decode(frame)
    except (OSError, RuntimeError, ValueError, SyntaxError):
        return None
