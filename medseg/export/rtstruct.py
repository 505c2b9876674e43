"""RT structure set: write a mask as the contours of a DICOM RT Structure Set (RTSTRUCT)."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage
from scipy import ndimage

from medseg.base.files import whole
from medseg.export.contours import trace_outlines
from medseg.export.given import check_kinds, take_numbers, take_source
from medseg.export.image_planes import find_images, refer_to
from medseg.export.label_values import check_label_values, check_upright
from medseg.export.mask_place import check_place
from medseg.export.segments import (
    MANUFACTURER,
    Algorithm,
    find_codes_of,
    find_software_version,
    make_code_item,
)
from medseg.export.source.images import SourceImages
from medseg.export.source.patient_and_study import PATIENT_AND_STUDY
from medseg.export.texts import make_long_string, make_short_string
from medseg.export.uids import make_uid
from medseg.geometry import Geometry
from medseg.ingest.dicom.series import Series
from medseg.labels import ANATOMY, Label, LabelTable

logger = logging.getLogger(__name__)

DECIMALS = 3
"""Of coordinates in mm; more where a thousandth of a millimetre is over a hundredth of a pixel."""

_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management, retired: what a reference to a study names as its class."""

_CONTOUR_DATA = BaseTag(0x30060050)
_LONGEST_NUMBER = 16  # characters of DS


def write_rtstruct(
    mask: NDArray,
    path: str | os.PathLike,
    *,
    source: Series | SourceImages,
    geometry: Geometry,
    labels: LabelTable,
    algorithm: Algorithm,
    series_number: int = 902,
) -> tuple[str, ...]:
    """Write a mask as a DICOM RT Structure Set.

    Each label becomes an ROI (region of interest). Its contours lie in the planes (I, J) of the
    grid, which are those of the images, and each names the image on its plane, where there is one.
    They run along the edges of voxels, and holes are joined by keyholes, see
    `medseg.export.contours`. A label without a voxel is an ROI without contours.

    Args:
        mask: (I, J, K), label values.
        path: of the object, replaced if it is there.
        source: the series that the mask was made from.
        geometry: the grid of the mask, in RAS+. It need not be the grid of the series.
        labels: names, codes and colours of the values.
        algorithm: what made the mask.
        series_number: of the series that the object is in.

    Returns:
        What was missing or not allowed in the headers of the source, see `describe_source`.

    Raises:
        TypeError: an argument of another kind, such as a path for the source.
        ValueError: the mask has another shape than the geometry, or a value without a label, or the
            grid is sheared, or puts most of the mask outside the images.
        IngestError: the source was refused, or cannot be read any more.

    Source: DICOM PS3.3 section A.19.

    Example:
        >>> write_rtstruct(mask, "rtstruct.dcm", source=series, geometry=series.geometry,
        ...                labels=make_table(["liver"]),
        ...                algorithm=Algorithm("liver", "1.0"))  # doctest: +SKIP
    """
    check_kinds(geometry=geometry, labels=labels, algorithm=algorithm)
    check_upright(geometry)
    values = check_label_values(take_numbers(mask, "mask"), geometry, labels)
    images = take_source(source)
    check_place(values, geometry, images)
    identity = make_uid(
        *("rtstruct", images.first.SeriesInstanceUID, images.first.SOPInstanceUID),
        *(algorithm.name, algorithm.version, repr(labels), geometry.affine.tobytes()),
        *(str(values.shape), np.ascontiguousarray(values).tobytes()),
    )
    found = _describe(images, algorithm, identity, series_number)
    found.ReferencedFrameOfReferenceSequence = [_refer_to_images(images)]
    of_plane, decimals = find_images(images, geometry), _count_decimals(geometry)
    boxes = [*ndimage.find_objects(values), *[None] * len(labels)]
    found.StructureSetROISequence = []
    found.ROIContourSequence = []
    found.RTROIObservationsSequence = []
    for label in labels.foreground:
        contours = list(_draw_contours(values, label.index, boxes[label.index - 1], geometry))
        found.StructureSetROISequence.append(_describe_roi(label, algorithm, images))
        found.ROIContourSequence.append(_describe_contours(label, contours, of_plane, decimals))
        found.RTROIObservationsSequence.append(_observe(label))
    with whole(Path(path)) as partial:
        found.save_as(partial, enforce_file_format=True)
    logger.debug("DICOM RTSTRUCT: %s", path)
    return images.notes


def _describe(
    images: SourceImages, algorithm: Algorithm, identity: str, series_number: int
) -> Dataset:
    """All but the structures: patient, study, series, equipment and the structure set itself.

    The transfer syntax is implicit, since in an explicit one a decimal string may have 65,534 bytes
    only, which long contours exceed (PS3.3 section C.8.8.6).
    """
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    found.SpecificCharacterSet = images.first.SpecificCharacterSet
    for keyword in PATIENT_AND_STUDY:
        if keyword in images.first:
            found[keyword] = images.first[keyword]
    found.SOPClassUID, found.SOPInstanceUID = RTStructureSetStorage, identity
    found.StudyInstanceUID = images.first.StudyInstanceUID
    found.Modality = "RTSTRUCT"
    found.SeriesInstanceUID = make_uid("rtstruct series", identity)
    found.SeriesNumber, found.InstanceNumber = series_number, 1
    found.SeriesDescription = make_long_string(f"{algorithm.name}, structures")
    found.OperatorsName = ""
    found.Manufacturer = MANUFACTURER
    found.ManufacturerModelName = make_long_string(algorithm.name)
    found.DeviceSerialNumber = make_long_string(algorithm.version)
    found.SoftwareVersions = find_software_version()
    found.FrameOfReferenceUID = images.first.FrameOfReferenceUID
    found.PositionReferenceIndicator = images.first.PositionReferenceIndicator
    found.StructureSetLabel = make_short_string(algorithm.name)
    found.StructureSetName = make_long_string(f"{algorithm.name} {algorithm.version}")
    now = datetime.now()
    found.StructureSetDate, found.StructureSetTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    found.ApprovalStatus = "UNAPPROVED"
    return found


def _refer_to_images(images: SourceImages) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = images.first.SeriesInstanceUID
    series.ContourImageSequence = [refer_to(header) for header in images.headers]
    study.ReferencedSOPClassUID = _STUDY_CLASS
    study.ReferencedSOPInstanceUID = images.first.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = images.first.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _draw_contours(
    values: NDArray[np.uint8], index: int, box: tuple[slice, ...] | None, geometry: Geometry
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The contours of a label: the index k of the plane, and points (n, 3) in LPS+ mm."""
    if box is None:
        return
    start = np.array([axis.start for axis in box], float)
    for k, plane in enumerate(np.moveaxis(values[box] == index, 2, 0)):
        for outline in trace_outlines(plane):
            voxels = start + np.pad(outline, ((0, 0), (0, 1)), constant_values=k)
            yield int(voxels[0, 2]), geometry.voxel_to_world(voxels) * (-1, -1, 1)


def _describe_roi(label: Label, algorithm: Algorithm, images: SourceImages) -> Dataset:
    roi = Dataset()
    roi.ROINumber = label.index
    roi.ReferencedFrameOfReferenceUID = images.first.FrameOfReferenceUID
    roi.ROIName = make_long_string(label.name)
    roi.ROIGenerationAlgorithm = "AUTOMATIC"
    described = f"{MANUFACTURER} {algorithm.name} {algorithm.version}"
    roi.ROIGenerationDescription = make_long_string(described)
    return roi


def _describe_contours(
    label: Label,
    contours: Sequence[tuple[int, NDArray[np.float64]]],
    of_plane: Mapping[int, list[Dataset]],
    decimals: int,
) -> Dataset:
    roi = Dataset()
    roi.ReferencedROINumber = label.index
    roi.ROIDisplayColor = list(label.rgb)
    items = []
    for number, (k, points) in enumerate(contours, start=1):
        item = Dataset()
        item.ContourNumber = number
        if k in of_plane:
            item.ContourImageSequence = of_plane[k]
        item.ContourGeometricType = "CLOSED_PLANAR"
        item.NumberOfContourPoints = len(points)
        item[_CONTOUR_DATA] = _make_contour_data(points, decimals)
        items.append(item)
    if items:
        roi.ContourSequence = items
    return roi


def _observe(label: Label) -> Dataset:
    observation = Dataset()
    observation.ObservationNumber = observation.ReferencedROINumber = label.index
    if label.category is not None:
        category, kind = find_codes_of(label)
        observation.SegmentedPropertyCategoryCodeSequence = [make_code_item(category)]
        observation.RTROIIdentificationCodeSequence = [make_code_item(kind)]
    observation.RTROIInterpretedType = "ORGAN" if label.category == ANATOMY else ""
    observation.ROIInterpreter = ""
    return observation


def _count_decimals(geometry: Geometry) -> int:
    return max(DECIMALS, 2 - math.floor(math.log10(min(geometry.spacing_mm))))


def _make_contour_data(points: NDArray[np.float64], decimals: int) -> DataElement:
    """The element ContourData: decimal strings, x, y and z of each point in turn.

    The text is given as it will be written: else pydicom would turn each of a million numbers into
    an object and back, for 20 seconds.
    """
    texts = [f"{value:.{decimals}f}" for value in (points.round(decimals) + 0.0).ravel()]
    if max(map(len, texts)) > _LONGEST_NUMBER:
        raise ValueError(
            f"a coordinate of {max(texts, key=len)} mm has over {_LONGEST_NUMBER} characters, "
            "which DICOM does not allow: check the origin of the grid"
        )
    return DataElement(_CONTOUR_DATA, "DS", "\\".join(texts), already_converted=True)
