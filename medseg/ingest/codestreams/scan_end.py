"""Scan end: whether the scans of a JPEG hold as many samples as its size asks for.

ITU-T T.81 Annexes B, F and H. Where the stated size was raised, decoders make up what is missing,
and where it was lowered, they pass over what is left, both without a word. None says how far it
read, so it is tried: bytes added behind the last scan change no image that is complete, and its
last bytes, when they are changed, change an image that has no more than it needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medseg.ingest.codestreams.codestream import read_frame_marker

Decode = Callable[[bytes], np.ndarray]

_COSINE, _LOSSLESS = (0xC0, 0xC1, 0xC2), 0xC3  # frames of Huffman codes
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_END, _START_OF_SCAN = 0xD9, 0xDA
_RESTARTS = range(0xD0, 0xD8)
_OTHER_BYTES = np.random.default_rng(0).integers(1, 255, 256, dtype=np.uint8).tobytes()
_CHANGED_BYTES = 8  # one more where the first of them would follow 0xFF
_MOST_CHANGED_SAMPLES = (_CHANGED_BYTES + 1) * 8  # each has a code of one bit or more
_ZEROS = bytes(_CHANGED_BYTES + 1)
_FEWER = "the codestream holds fewer samples than its size asks for"
_MORE = "the codestream holds more samples than its size asks for"


def check_scan_end(frame: bytes, decode: Decode, *, plane: np.ndarray | None = None) -> None:
    """Refuse a JPEG whose last scan ends before its last sample or goes on behind it.

    Baseline, extended, progressive and lossless frames of Huffman codes are judged, unless all
    samples have one value; others are passed over. Up to 8 bytes that are left over are let pass.

    Args:
        frame: a JPEG, also with bytes behind its end.
        decode: makes samples of it, (rows, columns) or (rows, columns, samples).
        plane: the grey samples of a lossless frame, where they are known: spares decoding it again.

    Raises:
        ValueError: the frame holds fewer or more samples than it states.
        Exception: what `decode` raises for the frame as it is.

    Example:
        >>> check_scan_end(b"\\xff\\xd8\\xff\\xd9", np.frombuffer)
    """
    process = read_frame_marker(memoryview(frame))
    scan = _last_scan(frame) if process in (*_COSINE, _LOSSLESS) else None
    if scan is None:
        return
    whole = decode(frame) if plane is None or process != _LOSSLESS or plane.ndim != 2 else plane
    if whole.size == 0 or (whole == whole.flat[0]).all():
        return
    if process != _LOSSLESS or whole.shape[1] <= _MOST_CHANGED_SAMPLES:
        _check_by_two(frame, scan, decode, whole=decode(frame) if whole is plane else whole)
    elif finding := _finding_by_one(frame, scan, decode, whole=whole):
        if whole is plane:  # it may be shifted or signed
            finding = _finding_by_one(frame, scan, decode, whole=decode(frame))
        if finding:
            raise ValueError(finding)


@dataclass(frozen=True)
class _Scan:
    """Where the codes behind the last restart marker of the last scan lie, and the next marker."""

    start: int
    end: int
    next_restart: int


def _last_scan(frame: bytes) -> _Scan | None:
    """Walk the markers to the end of the image; None where there is no end or no scan."""
    at, start, restart, found = 2, 0, _RESTARTS[0], None
    while match := _MARKER.search(frame, at):
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


def _check_by_two(frame: bytes, scan: _Scan, decode: Decode, *, whole: np.ndarray) -> None:
    """Try for missing codes, and then for those that are left over."""
    added = _OTHER_BYTES + bytes((0xFF, scan.next_restart)) + _OTHER_BYTES
    other = _tried(decode, frame[: scan.end] + added + frame[scan.end :])
    if other is None or not np.array_equal(whole, other):
        raise ValueError(_FEWER)
    other = _tried(decode, _with_other_end(frame, scan, _OTHER_BYTES))
    if other is not None and np.array_equal(whole, other):
        raise ValueError(_MORE)


def _finding_by_one(frame: bytes, scan: _Scan, decode: Decode, *, whole: np.ndarray) -> str:
    """Samples without loss lie in order, so where they begin to change tells both; "" if right."""
    pixels, needed = whole.shape[0] * whole.shape[1], False
    for other_bytes in (_ZEROS, _OTHER_BYTES):  # zeros are a code always, others perhaps none
        other = _tried(decode, _with_other_end(frame, scan, other_bytes))
        first = pixels if other is None else _first_changed(whole, other)
        if first < pixels - whole.shape[1]:
            return _FEWER
        needed = needed or other is None or first < pixels
    return "" if needed else _MORE


def _first_changed(whole: np.ndarray, other: np.ndarray) -> int:
    """The first pixel that differs, counted row by row; the number of pixels where none does."""
    pixels = whole.shape[0] * whole.shape[1]
    if other.shape != whole.shape:
        return 0
    differs = (whole.reshape(pixels, -1) != other.reshape(pixels, -1)).any(axis=1)
    return int(differs.argmax()) if differs.any() else pixels


def _with_other_end(frame: bytes, scan: _Scan, other: bytes) -> bytes:
    """Change the last bytes of a scan, zeros behind its codes not counted."""
    end = scan.end
    while end > scan.start and frame[end - 1] == 0 and frame[end - 2] != 0xFF:
        end -= 1
    start = max(scan.start, end - _CHANGED_BYTES)
    if start > scan.start and frame[start - 1] == 0xFF:
        start -= 1  # with the zero that makes it a code
    return frame[:start] + other[: end - start] + frame[end:]


def _tried(decode: Decode, frame: bytes) -> np.ndarray | None:
    """The samples of a changed frame; None where the decoder refuses it."""
    try:
        return decode(frame)
    except (OSError, RuntimeError, ValueError, SyntaxError):
        return None
