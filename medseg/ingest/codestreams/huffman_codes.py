"""Huffman codes: find codes of a damaged JPEG that are in none of its Huffman tables.

ITU-T T.81 section B.2.4.2 and Annex C. libjpeg-turbo reads such a code as symbol 0 and goes on
without an error. `add_free_codes` gives all free codes of the tables to symbol 1 instead. If the
image then stays the same, it has no such code.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from medseg.ingest.codestreams.codestream import JPEG_MARKER

_TABLES, _WITHOUT_LENGTH = 0xC4, (0x01, *range(0xD0, 0xDA))
_LENGTHS = 16  # a code has one bit to 16
_HEADER_BYTES = 1 + _LENGTHS  # of a table: its number, and how many codes of each length it has
_MOST_SYMBOLS = 256
_OTHER_SYMBOL = b"\1"  # the decoder reads 0


def add_free_codes(frame: bytes) -> bytes:
    """Add the free codes of each Huffman table of a JPEG to it, for symbol 1.

    All other bytes stay as they are, and so does a damaged table.

    Args:
        frame: a JPEG of Huffman codes.

    Example:
        >>> tables = b"\\0\\1" + bytes(15) + b"\\7"  # the code 0, for the symbol 7
        >>> changed = add_free_codes(b"\\xff\\xd8\\xff\\xc4\\0\\x14" + tables + b"\\xff\\xd9")
        >>> list(changed[7:23])  # and 10, 110, 1110 and so on for the symbol 1
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    made, at = bytearray(), 0
    while match := JPEG_MARKER.search(frame, at):
        code, start, at = match[1][0], at, match.end()
        if code not in _WITHOUT_LENGTH:
            at += int.from_bytes(frame[at : at + 2], "big")
        if code != _TABLES:
            made += frame[start:at]
            continue
        made += frame[start : match.start()]
        for table in map(_add_to_table, _split_tables(frame[match.end() + 2 : at])):
            made += struct.pack(">BBH", 0xFF, _TABLES, 2 + len(table)) + table
    return bytes(made) + frame[at:]


def _split_tables(segment: bytes) -> Iterator[bytes]:
    while segment:
        end = _HEADER_BYTES + sum(segment[1:_HEADER_BYTES])
        yield segment[:end]
        segment = segment[end:]


def _add_to_table(table: bytes) -> bytes:
    """Append free codes, as long as the longest of the table or longer.

    Shorter ones would change the codes that exist. The code of all ones stays free: it must not be
    in any table.
    """
    counts, symbols = list(table[1:_HEADER_BYTES]), table[_HEADER_BYTES:]
    used = [bits for bits, count in enumerate(counts, 1) if count]
    if not used or len(table) < _HEADER_BYTES:
        return table
    free = 2**_LENGTHS - sum(count << (_LENGTHS - bits) for bits, count in enumerate(counts, 1))
    for bits in range(used[-1], _LENGTHS + 1):
        room = min(0xFF - counts[bits - 1], _MOST_SYMBOLS - len(symbols))
        more = max(0, min(room, (free >> (_LENGTHS - bits)) - 1))
        counts[bits - 1] += more
        symbols += more * _OTHER_SYMBOL
        free -= more << (_LENGTHS - bits)
    return table[:1] + bytes(counts) + symbols
