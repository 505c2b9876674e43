"""Directory: the files that a DICOMDIR refers to (PS3.3 Annex F, PS3.10 section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.uid import MediaStorageDirectoryStorage

from medseg.ingest.dicom.elements import ElementError, texts
from medseg.ingest.dicom.file import PARSE_ERRORS, open_bounded, parse, without_validation
from medseg.ingest.reasons import IngestError, Reason


def referenced_files(path: Path) -> list[Path] | None:
    """List the files of a DICOMDIR in the order of its records; None when it is none.

    A name is looked for as written, and then in lower case, since media without Rock Ridge or
    Joliet extensions are copied either way. A file that is not there is listed as written.

    Raises:
        IngestError: "unreadable", when the directory is damaged or refers to a file outside its
            folder.

    Example:
        >>> referenced_files(Path("cd/DICOMDIR"))  # doctest: +SKIP
        [PosixPath('cd/IMAGES/IM1'), PosixPath('cd/IMAGES/IM2')]
    """
    try:
        with without_validation():
            names = _referenced_names(path)
    except ElementError as error:
        raise IngestError(Reason.UNREADABLE, f"{error}, in the header of {path}") from error
    except PARSE_ERRORS as error:
        if isinstance(error, IngestError):
            return None  # no DICOMDIR for certain; whoever reads it as a slice gives the reason
        finding = f"DICOMDIR {path} is damaged ({type(error).__name__})"
        raise IngestError(Reason.UNREADABLE, finding) from error
    return None if names is None else [_on_disk(path, name) for name in names]


def _referenced_names(path: Path) -> list[tuple[str, ...]] | None:
    with open_bounded(path) as file:
        parsed = parse(file, path, keywords=["DirectoryRecordSequence"])
    if parsed is None:
        return None
    if parsed.dataset.file_meta.get("MediaStorageSOPClassUID") != MediaStorageDirectoryStorage:
        return None
    records = parsed.dataset.get("DirectoryRecordSequence") or ()
    names = [texts(record, "ReferencedFileID") for record in records]
    return [name for name in names if name]


def _on_disk(directory: Path, name: Sequence[str]) -> Path:
    if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in name):
        finding = f"{directory} refers to a file outside its folder"
        raise IngestError(Reason.UNREADABLE, finding)
    written = directory.parent.joinpath(*name)
    lower = directory.parent.joinpath(*(part.lower() for part in name))
    return lower if lower.is_file() and not written.is_file() else written
