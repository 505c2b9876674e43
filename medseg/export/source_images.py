"""Source images: what a DICOM object says of the images that it was made from.

A result belongs to a patient, a study and a frame of reference, and names the images that it was
made from. All of this comes from their headers, and headers are often incomplete or against the
standard. What is missing, empty or not allowed there cannot be copied, and must not stop the
result. So it is left empty, or replaced where the standard asks for a value, and a note names the
element, without its value. A PatientID that is left empty has a note of its own, since a PACS may
file a result without it under another patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import config, uid
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat, validate_value

from medseg.base.text import count_noun
from medseg.export.uids import is_valid_uid, make_uid
from medseg.geometry import Geometry
from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.parse import parse, stop_validation
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.series import Series
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

_FAR_MM = 1e5
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
_CLASSES_OF: dict[bool, dict[str, uid.UID]] = {
    False: {
        "CT": uid.CTImageStorage,
        "MR": uid.MRImageStorage,
        "PT": uid.PositronEmissionTomographyImageStorage,
    },
    True: {
        "CT": uid.EnhancedCTImageStorage,
        "MR": uid.EnhancedMRImageStorage,
        "PT": uid.EnhancedPETImageStorage,
    },
}
"""Whether a file holds several frames -> Modality -> the class of its images."""

_OFTEN_EMPTY = "ReferringPhysicianName"  # scanners leave it so, and nothing is filed by it
_UNICODE = "ISO_IR 192"


@dataclass(frozen=True, eq=False)
class SourceImages:
    """The headers of the images that a result was made from, fit to be copied from.

    Attributes:
        headers: a data set for each slice, in the order of the slices; or one for a file of several
            frames. They have no pixels, no private elements, and text in Unicode.
        notes: what was left empty or replaced; none holds a value of the headers.
        geometry: the grid of the volume.
        is_multiframe: whether one file holds all slices.
    """

    headers: tuple[pydicom.Dataset, ...]
    notes: tuple[str, ...]
    geometry: Geometry
    is_multiframe: bool = False

    @property
    def first(self) -> pydicom.Dataset:
        """The header that patient, study and frame of reference are taken from."""
        return self.headers[0]


def describe_source(series: Series) -> SourceImages:
    """Describe the images of a series for the objects that are made from them.

    Patient and study are what the first of the images states that states anything: some may have
    lost a PatientID that the others still have. A note names what they do not all state alike.

    Args:
        series: accepted or repaired, as `find_series` found it.

    Raises:
        IngestError: the series was refused, or one of its files cannot be read any more.

    Example:
        >>> (series,) = find_series("study/ct")  # doctest: +SKIP
        >>> describe_source(series).notes  # doctest: +SKIP
        ('StudyDate of the source is not allowed there and was left empty',)
    """
    if series.geometry is None or not series.slices:
        raise IngestError(series.reason, series.finding, remedy=series.remedies[0])
    first = series.slices[0]
    stated = [_parse(path) for path in dict.fromkeys(header.path for header in series.slices)]
    notes: list[str] = []
    shared = _copy_patient_and_study(stated, notes)
    _add_identity(shared, stated, series, notes)
    spacing_mm = series.geometry.spacing_mm[2]
    if unstated := sum(not _states_thickness(header) for header in series.slices):
        notes.append(
            f"SliceThickness of {count_noun(unstated, 'image')} of the source is missing or not "
            "above 0: the result has the distance of its slices in its place"
        )
    if first.frame is not None and first.frames > 1:
        file = _describe_file(series.slices, shared, spacing_mm)
        return SourceImages((file,), tuple(notes), series.geometry, is_multiframe=True)
    headers = tuple(_describe_slice(header, shared, spacing_mm) for header in series.slices)
    if replaced := sum(not is_valid_uid(header.instance) for header in series.slices):
        notes.append(
            f"SOPInstanceUID of {count_noun(replaced, 'image')} of the source is not valid: what "
            "refers to them has a UID in its place"
        )
    return SourceImages(headers, tuple(notes), series.geometry)


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
    return _get_valid(_parse(path), _PATIENT)


def _parse(path: Path) -> pydicom.Dataset:
    with BoundedFile(path) as file, stop_validation():
        parsed = parse(file, path, keywords=_READ)
    if parsed is None:
        raise IngestError(Reason.UNREADABLE, f"{path} was changed since it was read")
    return parsed.dataset


def _copy_patient_and_study(stated: Sequence[pydicom.Dataset], notes: list[str]) -> pydicom.Dataset:
    """Copy what is known of patient and study, with text in Unicode, and note what is not."""
    found = pydicom.Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.SpecificCharacterSet = _UNICODE
    missing, wrong = [], []
    for keyword in PATIENT_AND_STUDY:
        value = _find_value(stated, keyword)
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


def _find_value(stated: Sequence[pydicom.Dataset], keyword: str) -> str | None:
    """What the first image states that states anything; None where it is not allowed."""
    values = (_get_valid(one, keyword) for one in stated)
    return next((value for value in values if value != ""), "")


def _note_disagreement(stated: Sequence[pydicom.Dataset], notes: list[str]) -> None:
    """Note what only some of the images state, and what they do not state alike."""
    partial, differing = [], []
    for keyword in (*PATIENT_AND_STUDY, "StudyInstanceUID"):
        if not _find_value(stated, keyword):
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
        notes.append(f"{_name_all(keywords)} {said.format(is_=is_, was=was)}")


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


def _add_identity(
    shared: pydicom.Dataset, stated: Sequence[pydicom.Dataset], series: Series, notes: list[str]
) -> None:
    """Add class, study, series and frame of reference; a UID in the place of one that is wrong."""
    first = series.slices[0]
    replaced: dict[str, list[str]] = {"missing": [], "not valid": []}
    study = next(filter(None, (str(one.get("StudyInstanceUID") or "") for one in stated)), "")
    frames = (header.frame_of_reference for header in series.slices)
    for keyword, value in (
        ("StudyInstanceUID", study),
        ("SeriesInstanceUID", first.series_uid),
        ("FrameOfReferenceUID", next(filter(None, frames), "")),
    ):
        if not is_valid_uid(value):
            replaced["not valid" if value else "missing"].append(keyword)
            value = make_uid(keyword, value or first.series_uid or first.instance or study)
        setattr(shared, keyword, value)
    for what, keywords in replaced.items():
        if keywords:
            is_one = len(keywords) == 1
            notes.append(
                f"{_name_all(keywords)} of the source {'is' if is_one else 'are'} {what}: the "
                f"result has {'another' if is_one else 'others'} in {'its' if is_one else 'their'} "
                "place"
            )
    shared.PositionReferenceIndicator = _find_value(stated, "PositionReferenceIndicator") or ""
    shared.SOPClassUID = first.sop_class
    if not _is_image_class(first.sop_class):
        notes.append(
            "SOPClassUID of the source is not known: the result names another in its place"
        )
        shared.SOPClassUID = _CLASSES_OF[first.frame is not None and first.frames > 1].get(
            first.modality, uid.SecondaryCaptureImageStorage
        )
    shared.Modality = first.modality or "OT"
    shared.LossyImageCompression = "01" if first.is_lossy else "00"


def _name_all(keywords: Sequence[str]) -> str:
    *others, last = keywords
    return f"{', '.join(others)} and {last}" if others else last


def _is_image_class(sop_class: uid.UID) -> bool:
    return sop_class.type == "SOP Class" and "Image Storage" in sop_class.name


def _states_thickness(header: Slice) -> bool:
    return header.thickness_mm is not None and header.thickness_mm > 0


def _find_thickness(header: Slice, spacing_mm: float) -> DSfloat:
    """The stated thickness, or the distance of slices, since an object must have one above 0."""
    stated = header.thickness_mm if _states_thickness(header) else None
    return _to_decimal(spacing_mm if stated is None else stated)


def _describe_slice(header: Slice, shared: pydicom.Dataset, spacing_mm: float) -> pydicom.Dataset:
    """The header of one slice in a file of its own."""
    found = pydicom.Dataset()
    found.update(shared)
    found.file_meta = shared.file_meta
    found.SOPInstanceUID = _choose_instance(header)
    found.Rows, found.Columns = header.rows, header.columns
    found.ImagePositionPatient = _to_decimals(header.position)
    found.ImageOrientationPatient = _to_decimals(header.orientation)
    found.PixelSpacing = _to_decimals(header.pixel_spacing_mm)
    found.SliceThickness = _find_thickness(header, spacing_mm)
    return found


def _describe_file(
    slices: Sequence[Slice], shared: pydicom.Dataset, spacing_mm: float
) -> pydicom.Dataset:
    """The header of a file of several frames, with the places of those that are slices.

    A frame that is none, such as one of another phase, is put where no mask lies, so that no frame
    of a result refers to it.
    """
    first = slices[0]
    found = pydicom.Dataset()
    found.update(shared)
    found.file_meta = shared.file_meta
    found.SOPInstanceUID = _choose_instance(first)
    found.Rows, found.Columns, found.NumberOfFrames = first.rows, first.columns, first.frames
    measures = pydicom.Dataset()
    measures.PixelSpacing = _to_decimals(first.pixel_spacing_mm)
    measures.SliceThickness = _find_thickness(first, spacing_mm)
    orientation, groups = pydicom.Dataset(), pydicom.Dataset()
    orientation.ImageOrientationPatient = _to_decimals(first.orientation)
    groups.PixelMeasuresSequence, groups.PlaneOrientationSequence = [measures], [orientation]
    found.SharedFunctionalGroupsSequence = [groups]
    of_frame = {header.frame: header for header in slices}
    found.PerFrameFunctionalGroupsSequence = [
        _describe_frame(of_frame.get(frame), first) for frame in range(first.frames)
    ]
    return found


def _describe_frame(header: Slice | None, other: Slice) -> pydicom.Dataset:
    """The place of a frame; where it is no slice, far from that of another."""
    at = other.position + _FAR_MM if header is None else header.position
    position, groups = pydicom.Dataset(), pydicom.Dataset()
    position.ImagePositionPatient = _to_decimals(at)
    groups.PlanePositionSequence = [position]
    return groups


def _choose_instance(header: Slice) -> str:
    if is_valid_uid(header.instance):
        return header.instance
    return make_uid("SOPInstanceUID", header.instance, str(header.position), str(header.path.name))


def _to_decimals(values: NDArray[np.float64]) -> list[DSfloat]:
    return [_to_decimal(value) for value in values]


def _to_decimal(value: float) -> DSfloat:
    """A number of at most 16 characters, as a decimal string must have."""
    return DSfloat(float(value), auto_format=True)
