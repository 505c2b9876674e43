"""Suspect files: files beside slices that are not readable DICOM and may still be slices.

Names and first bytes tell a slice that was overwritten, packed or not fetched from the notes, lists
and previews that archives put beside slices.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from medseg.base.walk import describe_odd_entry
from medseg.ingest.formats import has_dicom_prefix, is_named_dicom
from medseg.ingest.packing import PACKED_SUFFIXES
from medseg.ingest.reasons import IngestError, Reason

_UNFINISHED_SUFFIXES = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp")
_DIGITS = re.compile(r"\d+(\.\d+)*")
_HEAD_BYTES = 1024

_OTHER_FORMATS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"%PDF", b"PK\x03\x04", b"\x1f\x8b")


class _Names(NamedTuple):
    """How the slices of one folder are named."""

    patterns: frozenset[str] = frozenset()
    suffixes: frozenset[str] = frozenset()


def find_suspect_files(
    files: Iterable[Path], slices: Iterable[Path]
) -> Iterator[tuple[Path, IngestError]]:
    """Find files without a readable header that may be slices, each with the reason.

    A file may be one where it is named as DICOM is (`.dcm`, `.dicom`, `.ima`), or like a slice of
    its folder but for the digits. Where only its suffix is like theirs, or absent or a number as
    theirs, the bytes decide: text, pictures and archives are no slice, anything else may be one.
    What is packed, or a download that did not end, goes by its name without `.gz` or `.part`,
    unless that file is there too. A link that leads nowhere, a pipe, socket or device has no bytes:
    any without suffix may be one.

    Args:
        files: no DICOM, or what is no file, see `medseg.base.walk.describe_odd_entry`.
        slices: the files that DICOM headers were read of.

    Returns:
        "not-found" for what is no file, else "unreadable".

    Example:
        >>> list(find_suspect_files([Path("ct/list.csv")], [Path("ct/1-01.dcm")]))
        []
    """
    folders: dict[Path, list[str]] = {}
    for path in slices:
        folders.setdefault(path.parent, []).append(path.name)
    beside = {folder: _collect_names(names) for folder, names in folders.items()}
    for path in files:
        if fault := _find_fault(path, beside.get(path.parent, _Names())):
            yield path, fault


def _collect_names(names: Iterable[str]) -> _Names:
    suffixes = frozenset(_find_suffix(Path(name)) for name in names)
    return _Names(frozenset(_make_pattern(n) for n in names if _DIGITS.search(n)), suffixes)


def _find_suffix(name: Path) -> str:
    """The suffix; "" where it has no letter, as at the end of a UID."""
    return name.suffix if any(map(str.isalpha, name.suffix)) else ""


def _make_pattern(name: str) -> str:
    """The name with "#" for numbers, UIDs included: "im0004.dcm" is "im#.dcm"."""
    return _DIGITS.sub("#", name)


def _find_fault(path: Path, beside: _Names) -> IngestError | None:
    is_packed = path.suffix.lower() in PACKED_SUFFIXES
    is_unfinished = path.suffix.lower() in _UNFINISHED_SUFFIXES
    name = Path(path.stem if is_packed or is_unfinished else path.name)
    if name.name != path.name and path.with_name(name.name).exists():
        return None
    is_named = is_named_dicom(name) or _make_pattern(name.name) in beside.patterns
    if what := describe_odd_entry(path):
        finding = f"{path} is {what}"
        may_be_slice = is_named or _find_suffix(name) in ("", *beside.suffixes)
        return IngestError(Reason.NOT_FOUND, finding) if may_be_slice else None
    if is_packed:
        finding = f"{path} is packed and may be a slice: unpack it"
        return IngestError(Reason.UNREADABLE, finding) if is_named else None
    if is_unfinished:
        finding = f"{path} is an unfinished download and may be a slice: download it again"
        return IngestError(Reason.UNREADABLE, finding) if is_named else None
    if not is_named and _find_suffix(name) not in beside.suffixes:
        return None
    head = _read_head(path)
    if has_dicom_prefix(head) or (not is_named and _is_of_another_kind(head)):  # a DICOMDIR
        return None
    return IngestError(Reason.UNREADABLE, f"{path} may be a slice and cannot be read as DICOM")


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _is_of_another_kind(head: bytes) -> bool:
    return head.startswith(_OTHER_FORMATS) or _is_text(head)


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(ord(letter) < 32 and not letter.isspace() for letter in text)
