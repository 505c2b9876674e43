"""Packing: what a file is packed with, by its first bytes and whatever its name says."""

from __future__ import annotations

from pathlib import Path

_MAGIC = {
    b"\x1f\x8b": "gzip",  # RFC 1952 section 2.3.1
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
_LONGEST = max(map(len, _MAGIC))


def packing_of(path: Path) -> str:
    """The name of the format that a file is packed in; "" where it is none that is known.

    Example:
        >>> packing_of(Path("case.nii.gz"))  # doctest: +SKIP
        'gzip'
    """
    with path.open("rb") as file:
        head = file.read(_LONGEST)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")
