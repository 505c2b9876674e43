"""Content: recognise a file by its first bytes, where its name promises another format.

A download that failed leaves a web page under the name of a scan, and a repository that keeps large
files apart leaves a few lines of text. Whoever reads the refusal should learn that from it.
"""

from __future__ import annotations

import bz2
import gzip
import zlib
from pathlib import Path

from medseg.ingest.formats import PAIR_IMAGES, find_suffix, is_picture_file
from medseg.ingest.packing import find_packing, make_packed_error
from medseg.ingest.reasons import IngestError, Reason

_HEAD_BYTES = 512
_DOWNLOAD = "download the file again, and sign in or accept the terms where that page asks for it"
_OTHER_SUFFIX = "give it the right suffix"
_FIRST_BYTES = (
    (b"version https://git-lfs", "the pointer that Git LFS keeps for a file", "run `git lfs pull`"),
    (b"/annex/objects/", "the pointer that git-annex keeps for a file", "run `git annex get`"),
    (b"<!doctype html", "a web page (HTML)", _DOWNLOAD),
    (b"<html", "a web page (HTML)", _DOWNLOAD),
    (b"<?xml", "an XML document", _DOWNLOAD),
    (b"nrrd000", "NRRD", f"{_OTHER_SUFFIX}, .nrrd"),
    (b"objecttype", "MetaImage", f"{_OTHER_SUFFIX}, .mha"),
    (b"ndims", "MetaImage", f"{_OTHER_SUFFIX}, .mha"),
    (b"\x89png", "a PNG picture", "pass a volume"),
    (b"%pdf", "a PDF document", "pass a volume"),
    (b"\x89hdf", "HDF5", "convert it to NIfTI"),
    (b"\x1f\x8b", "packed twice", "unpack it once"),
    (b"pk\x03\x04", "a zip archive", "unpack it, and pass the folder"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it, and pass the folder"),
    (b"rar!", "a rar archive", "unpack it, and pass the folder"),
)
_ARCHIVE_SUFFIXES = (".zip", ".7z", ".rar", ".tar")
_MARKS_AT = (
    (128, b"DICM", "DICOM", f"{_OTHER_SUFFIX}, .dcm"),
    (257, b"ustar", "a tar archive", "unpack it"),
    (344, b"n+1\0", "NIfTI", f"{_OTHER_SUFFIX}, .nii, or .nii.gz where it is packed"),
    (4, b"n+2\0", "NIfTI", f"{_OTHER_SUFFIX}, .nii, or .nii.gz where it is packed"),
)


def make_content_error(path: Path, *, promised: str = "") -> IngestError | None:
    """Make the refusal of a file that is something else than its name says; None for others.

    Files that are packed with gzip or bzip2 are looked into. It is for files that could not be
    read: the voxels of one that can may begin with anything.

    Args:
        path: the file.
        promised: the format that its name stands for, as in `medseg.ingest.formats.SUFFIXES`.

    Example:
        >>> print(make_content_error(Path("case.nii.gz")).finding)  # doctest: +SKIP
        case.nii.gz is a web page (HTML), despite its name
    """
    head = _read_head(path)
    if not head:
        return IngestError(
            Reason.TRUNCATED, f"{path} is empty", remedy="copy or download the file again"
        )
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    found = [(what, remedy) for mark, what, remedy in _FIRST_BYTES if start.startswith(mark)]
    found += [(what, remedy) for at, mark, what, remedy in _MARKS_AT if head[at:].startswith(mark)]
    if not found or found[0][0] == promised:
        return None
    what, remedy = found[0]
    contradicts = bool(promised) or path.suffix.lower() not in _ARCHIVE_SUFFIXES
    finding = f"{path} is {what}{', despite its name' * contradicts}"
    return IngestError(Reason.UNKNOWN_FORMAT, finding, remedy=remedy)


def make_format_error(path: Path) -> IngestError:
    """Make the refusal of a file that is neither named like a volume file nor DICOM."""
    if find_suffix(path.name) in PAIR_IMAGES:
        finding = (
            f"{path} is the half of an .hdr and .img pair that holds the voxels, and is not DICOM"
        )
        return IngestError(Reason.PAIRED_FILES, finding)
    known = None if is_picture_file(path) else make_content_error(path)
    is_named = known is not None and find_suffix(path.stem) and _is_read_under_another_name(known)
    if (known is None or is_named) and (packed := make_packed_error(path)):
        return packed
    return known or IngestError(Reason.UNKNOWN_FORMAT, f"{path} is neither NIfTI nor DICOM")


def _is_read_under_another_name(refusal: IngestError) -> bool:
    """Whether a file of this content is read under another name."""
    return (refusal.remedy or "").startswith(_OTHER_SUFFIX)


def _read_head(path: Path) -> bytes:
    """Read the first bytes, unpacked as far as a damaged file allows."""
    openers = {"gzip": gzip.open, "bzip2": bz2.open}
    try:
        with openers.get(find_packing(path), open)(path, "rb") as file:  # type: ignore[operator]
            return file.read(_HEAD_BYTES)
    except (EOFError, OSError, zlib.error):
        return b"?"
