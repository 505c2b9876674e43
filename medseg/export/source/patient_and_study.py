"""Patient and study: what a result takes of them from the headers of its images, and what is noted.

Headers are often incomplete or against the standard, which must not stop a result. What is missing,
empty or not allowed is left empty, and a note names the element, without its value. A PatientID
that is left empty has a note of its own, since a PACS may file a result without it under another
patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import validate_value

from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.parse import parse, stop_validation
from medseg.ingest.reasons import IngestError, Reason

_REQUIRED = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
)
"""May be empty and must be there (type 2 in PS3.3 C.7.1.1 and C.7.2.1)."""

_OPTIONAL = (
    *("IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "StudyDescription"),
    *(
        "PatientIdentityRemoved",
        "DeidentificationMethod",
        "LongitudinalTemporalInformationModified",
    ),
)
PATIENT_AND_STUDY = (*_REQUIRED, *_OPTIONAL)
"""Keywords of all that is copied from the source, as far as it is known."""

_PATIENT = "PatientID"
_NO_PATIENT = (
    "PatientID of the source is not allowed in DICOM (one text of at most 64 characters) and was "
    "left empty: a PACS may file the result under another patient, so correct the PatientID of the "
    "images before the result is stored there"
)
_KEEP_LEADING_BLANKS = ("LO", "SH", "PN")
"""Blanks before such a text mean nothing (PS3.5 section 6.2), but a PACS may compare them: without
them it may file a result under another patient. In dates, codes and numbers they are not kept."""

_MULTIPLE = ("DeidentificationMethod",)
_SEXES = ("M", "F", "O")
_READ = (
    *("SOPClassUID", "StudyInstanceUID", "PositionReferenceIndicator", "SpecificCharacterSet"),
    *PATIENT_AND_STUDY,
)
_OFTEN_EMPTY = "ReferringPhysicianName"  # scanners leave it so, and nothing is filed by it
_UNICODE = "ISO_IR 192"


def read_patient_id(path: Path) -> str | None:
    """The PatientID of an image, as its results have it; "" where the image has none.

    Blanks before it are kept, and padding at its end is not.
    None stands for one that DICOM does not allow: results cannot have it.

    Raises:
        IngestError: the file cannot be read.

    Example:
        >>> read_patient_id(Path("study/ct/1.dcm"))  # doctest: +SKIP
        '4711'
    """
    return _get_valid(read_header(path), _PATIENT)


def read_header(path: Path) -> pydicom.Dataset:
    """The elements of an image that a result takes.

    Raises:
        IngestError: the file cannot be read.
    """
    with BoundedFile(path) as file, stop_validation():
        parsed = parse(file, path, keywords=_READ)
    if parsed is None:
        raise IngestError(Reason.UNREADABLE, f"{path} was changed since it was read")
    return parsed.dataset


def copy_patient_and_study(stated: Sequence[pydicom.Dataset], notes: list[str]) -> pydicom.Dataset:
    """Copy what is known of patient and study, with text in Unicode, and note what is not."""
    found = pydicom.Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.SpecificCharacterSet = _UNICODE
    missing, wrong = [], []
    for keyword in PATIENT_AND_STUDY:
        value = find_value(stated, keyword)
        if value is None and keyword == _PATIENT:
            notes.append(_NO_PATIENT)
        elif value is None:
            wrong.append(keyword)
        elif value == "" and keyword in _REQUIRED and keyword != _OFTEN_EMPTY:
            missing.append(keyword)
        if value or keyword in _REQUIRED:
            setattr(found, keyword, value or "")
    _note(notes, missing, "{is_} missing or empty in the source, and empty in the result")
    _note(notes, wrong, "of the source {is_} not allowed there and {was} left empty")
    _note_disagreement(stated, notes)
    if found.get("PatientIdentityRemoved") == "YES" and "DeidentificationMethod" not in found:
        notes.append("DeidentificationMethod is not in the source: the result says 'not stated'")
        found.DeidentificationMethod = "not stated"
    return found


def find_value(stated: Sequence[pydicom.Dataset], keyword: str) -> str | None:
    """What the first image states that states anything; None where it is not allowed."""
    values = (_get_valid(one, keyword) for one in stated)
    return next((value for value in values if value != ""), "")


def _note_disagreement(stated: Sequence[pydicom.Dataset], notes: list[str]) -> None:
    """Note what only some of the images state, and what they do not state alike."""
    partial, differing = [], []
    for keyword in (*PATIENT_AND_STUDY, "StudyInstanceUID"):
        if not find_value(stated, keyword):
            continue  # has a note of its own
        values = {_get_valid(one, keyword) for one in stated}
        if "" in values:
            partial.append(keyword)
        if len(values - {""}) > 1:
            differing.append(keyword)
    _note(
        notes, partial, "{is_} missing or empty in some images: the result has that of the others"
    )
    _note(notes, differing, "{is_} not the same in all images: the result has that of the first")


def _note(notes: list[str], keywords: Sequence[str], said: str) -> None:
    """Add one note for all elements of which the same is said."""
    if keywords:
        is_, was = ("is", "was") if len(keywords) == 1 else ("are", "were")
        notes.append(f"{name_all(keywords)} {said.format(is_=is_, was=was)}")


def _get_valid(stated: pydicom.Dataset, keyword: str) -> str | None:
    """The text of an element; "" where it is absent or empty, None where it is not allowed.

    It has no padding at its end, as pydicom reads it. Blanks before a name or identifier are kept.
    """
    vr = dictionary_VR(tag_for_keyword(keyword) or 0)
    strip = str.rstrip if vr in _KEEP_LEADING_BLANKS else str.strip
    try:
        with stop_validation():
            value = stated.get(keyword)
        values = value if isinstance(value, MultiValue) else ["" if value is None else value]
        texts = [strip(str(one), " \0") for one in values]
        for text in texts:
            validate_value(vr, text, config.RAISE)
    except (ValueError, TypeError, LookupError, NotImplementedError, OverflowError):
        return None
    text = "\\".join(texts)
    has_control = any(ord(letter) < 32 or "\ud800" <= letter <= "\udfff" for letter in text)
    is_single = len(texts) == 1 or keyword in _MULTIPLE
    if has_control or not is_single or (keyword == "PatientSex" and text not in ("", *_SEXES)):
        return None
    return text


def name_all(keywords: Sequence[str]) -> str:
    """Keywords as a list in words.

    Example:
        >>> name_all(["StudyID", "StudyDate"])
        'StudyID and StudyDate'
    """
    *others, last = keywords
    return f"{', '.join(others)} and {last}" if others else last
