"""Structured report: write measurements as a DICOM Structured Report (SR, TID 1500)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
import pydicom
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from medseg.base.files import whole
from medseg.base.together.collected import find_written
from medseg.export.given import check_kinds, take_source
from medseg.export.new_object import describe_object, hush_highdicom
from medseg.export.segments import (
    MANUFACTURER,
    PRIVATE_SCHEME,
    Algorithm,
    find_codes_of,
    find_site_of,
)
from medseg.export.source.images import SourceImages
from medseg.export.texts import make_long_string
from medseg.export.uids import make_uid
from medseg.ingest.dicom.series import Series
from medseg.labels import Label, LabelTable

logger = logging.getLogger(__name__)

_PROCEDURES = {
    "CT": codes.cid100.CTUnspecifiedBodyRegion,
    "MR": codes.cid100.MRIUnspecifiedBodyRegion,
    "PT": codes.cid100.PETUnspecifiedBodyRegion,
}
_SIGNALS = {"CT": codes.DCM.AttenuationCoefficient, "MR": codes.DCM.MRSignalIntensity}
_SIGNAL = Code("112033", "DCM", "Intensity")
_UNITS = {"HU": codes.UCUM.HounsfieldUnit}
_LENGTHS = {"long_axis_mm": codes.SCT.LongAxis, "perpendicular_mm": codes.SCT.ShortAxis}
_COORDINATES = [
    Code(f"CENTROID_{axis}", PRIVATE_SCHEME, f"Centre of gravity, {axis.lower()} of the patient")
    for axis in "XYZ"
]
"""In the frame of reference of the images (LPS+); the standard has no code for them."""
_STATISTICS = {"mean": codes.SCT.Mean, "standard_deviation": codes.SCT.StandardDeviation}


def write_sr(
    structures: Sequence[Mapping[str, Any]],
    path: str | os.PathLike,
    *,
    source: Series | SourceImages,
    segmentation: str | os.PathLike,
    labels: LabelTable,
    algorithm: Algorithm,
    unit: str = "",
    series_number: int = 901,
) -> tuple[str, ...]:
    """Write measurements as a Comprehensive 3D SR with the template TID 1500.

    Each structure and each lesion is a group of measurements, tied to its segment of a DICOM
    Segmentation: volume in cm3, long axis and, as short axis, its perpendicular in mm, mean and
    standard deviation of the values. What was not measured is left out. A label that the mask lacks
    is a group with a volume of 0. Of a structure that encloses others, such as a liver with its
    tumours, the group is tied to its own segment, and each number names all segments that together
    make the whole as its source. All lesions of a label are in its one segment: each has tracking
    identifiers of its own, and the coordinates of its centre of gravity.

    Args:
        structures: as `medseg.report.WriteMeasurementsd` writes them to its JSON file.
        path: of the object, replaced if it is there.
        source: the series that was measured.
        segmentation: the file of the Segmentation, which must be of the same mask.
        labels: codes of the values.
        algorithm: what made the mask.
        unit: of the values of the image: "HU", or "" for those without one.
        series_number: of the series that the object is in.

    Returns:
        What was missing or not allowed in the headers of the source, see `describe_source`.

    Raises:
        TypeError: an argument of another kind, such as a path for the source.
        IngestError: the source was refused, or cannot be read any more.
        OSError: the Segmentation cannot be read.

    Source: DICOM PS3.16, TID 1500, TID 1411 and TID 300.

    Example:
        >>> write_sr(document["structures"], "sr.dcm", source=series, segmentation="seg.dcm",
        ...          labels=make_table(["liver"]), algorithm=Algorithm("liver", "1.0"),
        ...          unit="HU")  # doctest: +SKIP
    """
    check_kinds(labels=labels, algorithm=algorithm)
    images = take_source(source)
    reference = pydicom.dcmread(find_written(segmentation), stop_before_pixels=True)
    identity = make_uid("sr", reference.SOPInstanceUID, repr([dict(s) for s in structures]))
    modality = str(images.first.Modality)
    common = describe_object(
        "sr",
        identity,
        algorithm,
        series_number=series_number,
        description=f"{algorithm.name}, measurements",
    )
    with hush_highdicom():
        groups = [
            _describe_group(structure, labels, reference, images, algorithm, modality, unit)
            for structure in structures
        ]
        content = hd.sr.MeasurementReport(
            observation_context=_describe_observer(algorithm),
            procedure_reported=_PROCEDURES.get(modality, codes.cid100.ImagingProcedure),
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
        )
        report = hd.sr.Comprehensive3DSR(
            evidence=[*images.headers, reference],
            content=content,
            **common,
        )
        report.SpecificCharacterSet = images.first.SpecificCharacterSet
    with whole(Path(path)) as partial:
        report.save_as(partial)
    logger.debug("DICOM SR: %s", path)
    return images.notes


def _describe_observer(algorithm: Algorithm) -> hd.sr.ObservationContext:
    """A device observed this: the bundle."""
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=make_uid("device", algorithm.name, algorithm.version),
        name=make_long_string(f"{MANUFACTURER} {algorithm.name}"),
        manufacturer_name=MANUFACTURER,
        model_name=make_long_string(algorithm.name),
        serial_number=make_long_string(algorithm.version),
    )
    return hd.sr.ObservationContext(
        observer_device_context=hd.sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _describe_group(
    structure: Mapping[str, Any],
    labels: LabelTable,
    reference: pydicom.Dataset,
    images: SourceImages,
    algorithm: Algorithm,
    modality: str,
    unit: str,
) -> hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    """The group of one structure or lesion."""
    label = labels[int(structure["value"])]
    category, kind = find_codes_of(label)
    lesion = int(structure["lesion"])
    name = make_long_string(label.whole_name)
    site = find_site_of(label)
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=make_uid("tracking", reference.SOPInstanceUID, str(label.index), str(lesion)),
            identifier=f"{name} {lesion}" if lesion else name,
        ),
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=reference.SOPClassUID,
            sop_instance_uid=reference.SOPInstanceUID,
            segment_number=label.index,
            source_series=hd.sr.SourceSeriesForSegmentation(images.first.SeriesInstanceUID),
        ),
        finding_category=category,
        finding_type=kind,
        finding_sites=None if site is None else [site],
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=make_long_string(f"{MANUFACTURER} {algorithm.name}"),
            version=make_long_string(algorithm.version),
        ),
        measurements=[
            *_list_measurements(structure, modality, unit, _refer_to_parts(label, reference)),
            *_list_coordinates(structure),
        ],
    )


def _refer_to_parts(
    label: Label, reference: pydicom.Dataset
) -> list[hd.sr.SourceImageForMeasurement] | None:
    """References to the segments that together are the structure as it is measured.

    None where the segment of the label is the whole, as one of probabilities is. A group itself
    refers to one segment, and readers fail where it refers to more.
    """
    names = {int(item.SegmentNumber): item.SegmentLabel for item in reference.SegmentSequence}
    if label.members is None or names.get(label.index) == make_long_string(label.whole_name):
        return None
    parts = []
    for number in label.members:
        part = hd.sr.SourceImageForMeasurement(reference.SOPClassUID, reference.SOPInstanceUID)
        part.ReferencedSOPSequence[0].ReferencedSegmentNumber = number
        parts.append(part)
    return parts


def _list_coordinates(structure: Mapping[str, Any]) -> Iterator[hd.sr.Measurement]:
    """The centre of gravity of a lesion, which tells it from the others of its segment.

    They are numbers, since a group that refers to a segment may hold no point in space.
    """
    if not structure["lesion"] or structure.get("centroid_mm") is None:
        return
    right, anterior, superior = structure["centroid_mm"]
    for code, value in zip(_COORDINATES, (-right, -anterior, superior), strict=True):
        yield hd.sr.Measurement(code, value, codes.UCUM.Millimeter)


def _list_measurements(
    structure: Mapping[str, Any],
    modality: str,
    unit: str,
    parts: Sequence[hd.sr.SourceImageForMeasurement] | None,
) -> Iterator[hd.sr.Measurement]:
    """Those of one structure that were made; `parts` are the segments that it is made of."""
    yield hd.sr.Measurement(
        codes.SCT.Volume,
        structure["volume_ml"],
        codes.UCUM.CubicCentimeter,
        referenced_images=parts,
    )
    for name, code in _LENGTHS.items():
        if structure.get(name) is not None:
            yield hd.sr.Measurement(
                code, structure[name], codes.UCUM.Millimeter, referenced_images=parts
            )
    for name, derivation in _STATISTICS.items():
        value = (structure.get("intensities") or {}).get(name)
        if value is not None:
            yield hd.sr.Measurement(
                _SIGNALS.get(modality, _SIGNAL),
                value,
                _UNITS.get(unit, codes.UCUM.NoUnits),
                derivation=derivation,
                referenced_images=parts,
            )
