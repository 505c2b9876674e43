"""Source images: what a DICOM object says of the images that it was made from.

A result belongs to a patient, a study and a frame of reference, and names the images that it was
made from. All of this comes from their headers. A UID that is missing or not valid there is
replaced, since the standard asks for one, and a note says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import uid
from pydicom.valuerep import DSfloat

from medseg.base.text import count_noun
from medseg.export.source.patient_and_study import (
    copy_patient_and_study,
    find_value,
    name_all,
    read_header,
)
from medseg.export.uids import is_valid_uid, make_uid
from medseg.geometry import Geometry
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.series import Series
from medseg.ingest.reasons import IngestError

_FAR_MM = 1e5
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
    stated = [read_header(path) for path in dict.fromkeys(header.path for header in series.slices)]
    notes: list[str] = []
    shared = copy_patient_and_study(stated, notes)
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
                f"{name_all(keywords)} of the source {'is' if is_one else 'are'} {what}: the "
                f"result has {'another' if is_one else 'others'} in {'its' if is_one else 'their'} "
                "place"
            )
    shared.PositionReferenceIndicator = find_value(stated, "PositionReferenceIndicator") or ""
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
