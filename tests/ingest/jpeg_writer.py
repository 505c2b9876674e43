"""JPEG writer: codestreams for the tests, by Pillow or bit by bit, and changes of their size."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image


def jpeg(stored, **options):
    """A JPEG with loss, by Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def lossless(stored, *, bits=8, restart_rows=0):
    """ITU-T T.81 Annex H: each sample less its left neighbour, the first of a row less that above.

    After a restart marker, one for `restart_rows` rows, the first sample is less half the range.
    """
    rows, columns = stored.shape
    interval = restart_rows or rows
    parts = [_scan_code(stored[k : k + interval], bits) for k in range(0, rows, interval)]
    code = parts[0] + b"".join(bytes((0xFF, 0xD0 + k % 8)) + p for k, p in enumerate(parts[1:]))
    restart = {0xDD: struct.pack(">H", restart_rows * columns)} if restart_rows else {}
    return lossless_of_code(code, (rows, columns), bits=bits, segments=restart)


def lossless_of_code(code, size, *, bits=8, segments=None):
    """A lossless JPEG of bytes that are given: each of 0 to 16 bits has a code of five bits."""
    frame = struct.pack(">BHHBBBB", bits, *size, 1, 1, 0x11, 0)
    tables = b"\0" + bytes([0, 0, 0, 0, 17]) + bytes(11) + bytes(range(17))
    scan = bytes([1, 1, 0, 1, 0, 0])
    segments = {0xC3: frame, 0xC4: tables, **(segments or {}), 0xDA: scan}
    head = b"".join(struct.pack(">BBH", 0xFF, k, len(s) + 2) + s for k, s in segments.items())
    return b"\xff\xd8" + head + code + b"\xff\xd9"


def _scan_code(stored, bits):
    """Each difference, modulo 2**16, is its number of bits, in five, and then these (16: none)."""
    whole = stored.astype(int)
    before = np.full(len(whole), 2 ** (bits - 1))
    before[1:] = whole[:-1, 0]
    steps = np.diff(whole, axis=1, prepend=before[:, None]).ravel()
    code = []
    for step in ((steps + 2**15) % 2**16 - 2**15).tolist():
        size = abs(step).bit_length()
        code.append(f"{size:05b}")
        if 0 < size < 16:
            code.append(f"{step - (step < 0) & 2**size - 1:0{size}b}")
    return packed("".join(code))


def packed(code):
    """Bits, written as 0 and 1, as the bytes of a scan."""
    code += "1" * (-len(code) % 8)
    content = bytes(int(code[at : at + 8], 2) for at in range(0, len(code), 8))
    return content.replace(b"\xff", b"\xff\0")


def with_size(frame, rows, columns):
    """The same codestream under another size."""
    changed, at = bytearray(frame), 2
    while changed[at + 1] not in (0xC0, 0xC1, 0xC2, 0xC3):
        at += 2 + struct.unpack_from(">H", changed, at + 2)[0]
    struct.pack_into(">2H", changed, at + 5, rows, columns)
    return bytes(changed)
