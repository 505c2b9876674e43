"""Nothing found: what a path holds in place of DICOM and NIfTI, said with what to do about it."""

from pathlib import Path
from typing import NoReturn

from medseg.base.text import count_noun
from medseg.ingest.content import make_content_error, make_format_error
from medseg.ingest.dicom.read_slices import read_header
from medseg.ingest.folder import list_files_below
from medseg.ingest.formats import (
    DICOM_HEAD_BYTES,
    PICTURES,
    has_dicom_prefix,
    is_named_dicom,
    is_picture_file,
    is_volume_file,
)
from medseg.ingest.packing import PACKED_VOLUMES
from medseg.ingest.reasons import IngestError, Reason

_ANY_IMAGE = (
    "pass DICOM, NIfTI, NRRD, MetaImage or MGH under its own suffix, or for a bundle of pictures "
    f"one of {', '.join(PICTURES)}"
)
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".rar")


def refuse_nothing_found(path: Path) -> NoReturn:
    """Refuse a folder or file with neither DICOM nor a volume file.

    Pictures have no geometry that could be judged, and no archive is opened: both are named where
    they are all that is there.
    """
    if found := _name_kinds(path, PICTURES):
        held = count_noun(len(found), "picture") + " and no DICOM or volume file"
        raise ValueError(
            f"{path} {f'holds {held}' if path.is_dir() else 'is a picture'}. Pictures need no "
            "inspection: convert a dataset with `medseg prepare NAME`, or segment pictures with "
            "one of the picture bundles, such as bundles/nuclei or bundles/polyp"
        )
    if found := _name_kinds(path, ARCHIVES):
        held = count_noun(len(found), "archive") + " and no DICOM or volume file"
        raise ValueError(
            f"{path} {f'holds {held}' if path.is_dir() else 'is an archive'}: unpack it, or "
            "convert a dataset as published with `medseg prepare NAME`"
        )
    if path.is_file():
        raise make_format_error(path)
    if found := _name_kinds(path, PACKED_VOLUMES):
        held = count_noun(len(found), "packed file") + " and no DICOM or volume file"
        raise ValueError(f"{path} holds {held}, first {found[0].name}: unpack them first")
    raise IngestError(Reason.EMPTY_FOLDER, f"neither DICOM nor a volume file in {path}")


def refuse_no_image(path: Path) -> None:
    """Refuse what no bundle takes for an image, which is known before a network is made.

    A folder passes unless it is empty, and so does a file that is named like an image or is DICOM:
    what it holds is judged when it is read.

    Raises:
        IngestError: "unknown-format", with what the file is where its first bytes tell; or
            "truncated", of an empty one.
        ValueError: an empty folder.
    """
    if path.is_dir() and not any(True for _ in path.iterdir()):
        raise ValueError(
            f"{path.absolute()} holds no case, it is empty: pass an image, a DICOM folder or a "
            "folder of cases"
        )
    if path.is_file() and path.stat().st_size == 0 and (error := make_content_error(path)):
        raise error
    is_named = is_volume_file(path) or is_picture_file(path) or is_named_dicom(path)
    if is_named or not path.is_file():
        return
    try:
        with path.open("rb") as file:
            if has_dicom_prefix(file.read(DICOM_HEAD_BYTES)):
                return
        if read_header(path) is not None:  # old files have no prefix
            return
    except (IngestError, OSError):  # whoever reads it says why it cannot be read
        return
    error = make_format_error(path)
    raise IngestError(error.code, error.finding, remedy=error.remedy or _ANY_IMAGE)


def _name_kinds(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files below a folder, or the file itself, with one of these endings."""
    files = list_files_below(path) if path.is_dir() else [path]
    return [f for f in files if f.name.lower().endswith(suffixes) and f.is_file()]
