"""Transfer syntax: how a data set is written, also where its file states it wrongly or not at all.

The first element tells explicit from implicit VR and one byte order from the other. pydicom guesses
from it too, but goes by a statement that is wrong, and takes noise for a data set.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import VR

from medseg.ingest.reasons import IngestError, Reason

PLAIN_SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
"""Little endian and uncompressed. Which of the two a file is written in shows as it is parsed."""

_FIRST_GROUPS = (0x0002, 0x0008)
_LAST_FIRST_ELEMENT = 0x0018  # data sets begin with group length, character set, type or UIDs
_LONGEST_FIRST_VALUE = 256
_DEFLATED_HEAD_BYTES = 4096
_VRS = frozenset(str(vr).encode() for vr in VR)


def begins_like_a_data_set(head: bytes) -> bool:
    """Whether the first element is one with which data sets begin, whatever its encoding."""
    if len(head) < 8:
        return False
    is_explicit = head[4:6] in _VRS
    for order in "<>" if is_explicit else "<":
        group, element, length = struct.unpack(order + "HHI", head[:8])
        if group in _FIRST_GROUPS and element <= _LAST_FIRST_ELEMENT:
            return is_explicit or (length <= _LONGEST_FIRST_VALUE and length % 2 == 0)
    return False


def find_transfer_syntax(file: BinaryIO, stated: UID, path: Path) -> UID:
    """The transfer syntax that a data set is written in.

    It is the one stated, unless that is uncompressed and the first element is of another byte
    order, or shows that the data set is deflated, or is not.

    Args:
        file: at the first element, where it still is afterwards.
        stated: in the file meta information; empty where it states none.
        path: what to call the file in messages.

    Raises:
        IngestError: "unreadable", when the one that is stated is none of the standard.
    """
    if stated and (stated.is_private or not stated.is_transfer_syntax):
        raise IngestError(Reason.UNREADABLE, f"{path} states no known transfer syntax")
    if stated and stated.is_encapsulated:
        return stated
    head = file.read(_DEFLATED_HEAD_BYTES)
    file.seek(-len(head), os.SEEK_CUR)
    if not stated:
        return _guess_transfer_syntax(head)
    if not begins_like_a_data_set(head):
        return DeflatedExplicitVRLittleEndian if _is_deflated(head) else stated
    found = _guess_transfer_syntax(head)
    is_other_order = found.is_little_endian != stated.is_little_endian
    return found if is_other_order or stated.is_deflated else stated


def _is_deflated(head: bytes) -> bool:
    """Whether bytes begin a deflate stream of a data set."""
    try:
        start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(head, _LONGEST_FIRST_VALUE)
    except zlib.error:
        return False
    return start[4:6] in _VRS and begins_like_a_data_set(start)


def _guess_transfer_syntax(first: bytes) -> UID:
    if first[4:6] not in _VRS:
        return ImplicitVRLittleEndian
    return ExplicitVRBigEndian if first[0] == 0 else ExplicitVRLittleEndian


def check_is_known_object(dataset: pydicom.Dataset, path: Path) -> None:
    """Refuse what was parsed by a guess and does not name what it is, as noise does not.

    Raises:
        IngestError: "unreadable".
    """
    sop_class = dataset.get("SOPClassUID")
    if not isinstance(sop_class, UID) or sop_class.type != "SOP Class":
        finding = f"{path} states no correct transfer syntax, and its content is of no known object"
        raise IngestError(Reason.UNREADABLE, finding)
