"""Dicomdir: the files that a DICOMDIR refers to (PS3.3 Annex F, PS3.10 section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pydicom.uid import MediaStorageDirectoryStorage

from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.elements import ElementError, get_texts
from medseg.ingest.dicom.files.parse import PARSE_ERRORS, parse, read_meta, stop_validation
from medseg.ingest.reasons import IngestError, Reason


def list_referenced_files(path: Path) -> list[Path] | None:
    """List the files of a DICOMDIR in the order of its records; None when it is none.

    A name is looked for as written, and then in lower case, since media without Rock Ridge or
    Joliet extensions are copied either way. A file that is not there is listed as written.

    Raises:
        IngestError: "unreadable", when the directory is damaged or refers to a file outside its
            folder.

    Example:
        >>> list_referenced_files(Path("cd/DICOMDIR"))  # doctest: +SKIP
        [PosixPath('cd/IMAGES/IM1'), PosixPath('cd/IMAGES/IM2')]
    """
    try:
        with BoundedFile(path) as file, stop_validation():
            if not _is_directory(file):
                return None
            parsed = parse(file, path, keywords=["DirectoryRecordSequence"])
            records = () if parsed is None else parsed.dataset.get("DirectoryRecordSequence") or ()
            names = [get_texts(record, "ReferencedFileID") for record in records]
    except ElementError as error:
        raise IngestError(Reason.UNREADABLE, f"{error}, in the header of {path}") from error
    except IngestError:
        raise
    except PARSE_ERRORS as error:
        finding = f"DICOMDIR {path} is damaged ({type(error).__name__})"
        raise IngestError(Reason.UNREADABLE, finding) from error
    return [_find_on_disk(path, name) for name in names if name]


def _is_directory(file: BinaryIO) -> bool:
    """Whether the file meta information says that it is a DICOMDIR; the file is rewound."""
    try:
        meta = read_meta(file)
    except PARSE_ERRORS:  # whoever reads it as a slice gives the reason
        return False
    file.seek(0)
    return meta is not None and meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage


def _find_on_disk(directory: Path, name: Sequence[str]) -> Path:
    if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in name):
        finding = f"{directory} refers to a file outside its folder"
        raise IngestError(Reason.UNREADABLE, finding)
    written = directory.parent.joinpath(*name)
    lower = directory.parent.joinpath(*(part.lower() for part in name))
    return lower if lower.is_file() and not written.is_file() else written
