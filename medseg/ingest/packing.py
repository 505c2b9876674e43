"""Packing: with what a file is packed, by its first bytes and whatever its name says."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

from medseg.base.walk import describe_odd_entry
from medseg.ingest.formats import DICOM_HEAD_BYTES, has_dicom_prefix
from medseg.ingest.reasons import IngestError, Reason

_MAGIC = {
    b"\x1f\x8b": "gzip",  # RFC 1952 section 2.3.1
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"\x1f\x9d": "compress",  # of Unix, .Z
    b"LZIP": "lzip",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
_ARCHIVES = ("zip", "7z", "rar")
PACKED_VOLUMES = (".gz", ".bz2", ".xz", ".zst", ".z", ".lz", ".lz4", ".lzma")
"""How the name of a packed file ends, in any case of letters; archives of several are others."""

PACKED_SUFFIXES = (*PACKED_VOLUMES, *(f".{archive}" for archive in _ARCHIVES))
"""Archives included."""

_STREAMS = ("gzip", "bzip2")  # what `medseg.ingest.volumes.streams` unpacks

_LONGEST = max(map(len, _MAGIC))


def find_packing(path: Path) -> str:
    """Find the name of the format in which a file is packed; "" where none is known.

    Raises:
        IngestError: "unreadable", where the system gives no bytes of it.

    Example:
        >>> find_packing(Path("case.nii.gz"))  # doctest: +SKIP
        'gzip'
    """
    try:
        with path.open("rb") as file:
            head = file.read(_LONGEST)
    except OSError as error:
        raise IngestError(Reason.UNREADABLE, f"{path} cannot be read ({error.strerror})") from error
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def holds_packed_dicom(path: Path) -> bool:
    """Whether a file is gzip and what it unpacks to begins as DICOM does, with "DICM" at 128."""
    if find_packing(path) != "gzip":
        return False
    try:
        with gzip.open(path) as file:
            return has_dicom_prefix(file.read(DICOM_HEAD_BYTES))
    except (EOFError, OSError, zlib.error):
        return False


def choose_packing(path: Path, *, named: str, plain: tuple[bytes, ...]) -> str:
    """Choose how to unpack a volume file: by its first bytes or, where they say nothing, its name.

    Args:
        path: the file, which is there.
        named: the packing that the name stands for, "gzip" or "".
        plain: what an unpacked file of this format begins with.

    Raises:
        IngestError: "unknown-format", for an archive or a packing that is not read.
    """
    found = find_packing(path)
    if found in _STREAMS:
        return found
    check_unpacked(path)
    with path.open("rb") as file:
        return "" if file.read(_LONGEST).startswith(plain) else named


def make_packed_error(path: Path) -> IngestError | None:
    """Make the refusal of a packed file that is named so, as x.nrrd.gz is; None for any other.

    An archive of several files is another matter.

    Example:
        >>> print(make_packed_error(Path("x.nrrd.gz")))  # doctest: +SKIP
        x.nrrd.gz is packed with gzip: unpack it first, and pass x.nrrd
    """
    found = find_packing(path)
    if path.suffix.lower() not in PACKED_VOLUMES or found in _ARCHIVES:
        return None
    if not found and path.suffix.lower() != ".lzma":  # whose files begin with no mark
        return None
    return IngestError(
        Reason.UNKNOWN_FORMAT,
        f"{path} is packed with {found or 'lzma'}",
        remedy=f"unpack it first, and pass {path.stem}",
    )


def check_is_file(path: Path) -> None:
    """Refuse a path that is no file, and say what it is. Raises IngestError, "not-found"."""
    if os.path.isfile(path):
        return
    what = "a folder, where a file is read" if os.path.isdir(path) else describe_odd_entry(path)
    raise IngestError(Reason.NOT_FOUND, f"{path} is {what}" if what else f"no such file: {path}")


def check_unpacked(path: Path) -> None:
    """Refuse a packed file, and name its packing. Raises IngestError, "unknown-format"."""
    if found := find_packing(path):
        finding = f"{path} is a {found} file, despite its name: unpack it first"
        raise IngestError(Reason.UNKNOWN_FORMAT, finding)
