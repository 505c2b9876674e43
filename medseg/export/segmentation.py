"""Segmentation: write a mask as a DICOM Segmentation object (SEG)."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from medseg.base.arguments import check_choice
from medseg.base.files import whole
from medseg.export.given import check_kinds, take_numbers, take_source
from medseg.export.label_values import (
    check_label_values,
    check_probabilities,
    check_shape,
    check_upright,
)
from medseg.export.mask_place import check_place, find_high
from medseg.export.new_object import describe_object, hush_highdicom
from medseg.export.segments import Algorithm, describe_segments
from medseg.export.source.images import SourceImages
from medseg.export.texts import make_long_string
from medseg.export.uids import make_uid
from medseg.geometry import Geometry
from medseg.ingest.dicom.series import Series
from medseg.labels import LabelTable

logger = logging.getLogger(__name__)

SegmentationType = Literal["BINARY", "LABELMAP", "FRACTIONAL"]
SYNTAXES = {
    "BINARY": ExplicitVRLittleEndian,
    "LABELMAP": RLELossless,
    "FRACTIONAL": RLELossless,
}
"""The transfer syntax of each type; one bit for each voxel cannot be compressed. JPEG-LS would make
a LABELMAP a quarter as large, but dcmqi and dcmtk do not read it."""

SERIES_NUMBER = 900
"""Of the first result of a study, far from the numbers that scanners give."""


def write_seg(
    mask: NDArray,
    path: str | os.PathLike,
    *,
    source: Series | SourceImages,
    geometry: Geometry,
    labels: LabelTable,
    algorithm: Algorithm,
    segmentation_type: SegmentationType = "BINARY",
    series_number: int = SERIES_NUMBER,
) -> tuple[str, ...]:
    """Write a mask as a DICOM Segmentation.

    Each slice that holds a label becomes a frame, at its place in the patient, and names the image
    that it was made from, where that lies on the same plane. A mask without any label becomes an
    object whose frames are empty, so that "nothing was found" can be told from "not computed".

    Args:
        mask: (I, J, K), label values; or, for FRACTIONAL, also (labels without background, I, J, K)
            of probabilities, 0 to 1, each of a whole structure: of a label that encloses others,
            with them. Its segment is named after the whole.
        path: of the object, replaced if it is there.
        source: the series that the mask was made from.
        geometry: the grid of the mask, in RAS+. It need not be the grid of the series.
        labels: names, codes and colours of the values.
        algorithm: what made the mask.
        segmentation_type: "BINARY", one bit for each voxel and label, which every viewer reads;
            "LABELMAP", one value for each voxel, small, for new viewers; "FRACTIONAL", 8 bits of
            probability.
        series_number: of the series that the object is in.

    Returns:
        What was missing or not allowed in the headers of the source, see `describe_source`.

    Raises:
        TypeError: an argument of another kind, such as a path for the source.
        ValueError: an unknown type, or probabilities that are none; the mask has another shape
            than the geometry, or a value without a label, or the grid is sheared, or puts most of
            the mask outside the images.
        IngestError: the source was refused, or cannot be read any more.

    Source: DICOM PS3.3 section A.51.

    Example:
        >>> write_seg(mask, "seg.dcm", source=series, geometry=series.geometry,
        ...           labels=make_table(["liver"]),
        ...           algorithm=Algorithm("liver", "1.0"))  # doctest: +SKIP
    """
    check_choice("segmentation_type", segmentation_type, tuple(SYNTAXES))
    check_kinds(geometry=geometry, labels=labels, algorithm=algorithm)
    images, mask = take_source(source), take_numbers(mask, "mask")
    stacked = _stack(mask, geometry, labels, segmentation_type)
    check_place(mask if mask.ndim == 3 else find_high(mask), geometry, images)
    identity = make_uid(
        *("seg", segmentation_type, images.first.SeriesInstanceUID, images.first.SOPInstanceUID),
        *(algorithm.name, algorithm.version, repr(labels), geometry.affine.tobytes()),
        *(str(stacked.shape), np.ascontiguousarray(stacked).tobytes()),
    )
    common = describe_object(
        "seg",
        identity,
        algorithm,
        series_number=series_number,
        description=f"{algorithm.name}, segmentation",
    )
    with hush_highdicom():
        segmentation = hd.seg.Segmentation(
            source_images=images.headers,
            pixel_array=place_in_patient(stacked, geometry, images, labels=labels),
            segmentation_type=segmentation_type,
            segment_descriptions=list(
                describe_segments(labels, algorithm, as_wholes=stacked.ndim == 4)
            ),
            **common,
            fractional_type="PROBABILITY",
            max_fractional_value=255,
            content_label="SEGMENTATION",
            content_description=make_long_string(f"{algorithm.name} {algorithm.version}"),
            transfer_syntax_uid=SYNTAXES[segmentation_type],
            omit_empty_frames=True,
        )
    with whole(Path(path)) as partial:
        segmentation.save_as(partial)
    logger.debug("DICOM SEG: %s", path)
    return images.notes


def _stack(
    mask: NDArray, geometry: Geometry, labels: LabelTable, kind: SegmentationType
) -> NDArray:
    """The mask as slices of rows, (K, J, I), or with the labels at the end."""
    check_shape(mask, geometry)
    if mask.ndim == 4:
        if kind != "FRACTIONAL" or mask.shape[0] != len(labels.foreground):
            raise ValueError(
                f"a mask of shape {mask.shape} for {len(labels.foreground)} labels and "
                f"{kind}: give label values (I, J, K), or FRACTIONAL one probability for each label"
            )
        check_probabilities(mask, "probability")
        return np.moveaxis(mask, 0, -1).transpose(2, 1, 0, 3).astype(np.float32)
    return check_label_values(mask, geometry, labels).transpose(2, 1, 0)


def place_in_patient(
    slices: NDArray, geometry: Geometry, images: SourceImages, *, labels: LabelTable | None = None
) -> hd.Volume:
    """Give slices of rows, (K, J, I), their place in the patient, in LPS+ millimetres.

    Args:
        slices: with the labels as a fourth axis, or without.
        geometry: the grid of the array whose axes were turned round, (I, J, K).
        images: say which frame of reference it is.
        labels: of the fourth axis.

    Raises:
        ValueError: the grid is sheared, for which DICOM has no place.
    """
    check_upright(geometry)
    channels = None
    if labels is not None and slices.ndim == 4:
        channels = {"SegmentNumber": [label.index for label in labels.foreground]}
    return hd.Volume(
        slices,
        geometry.affine_lps[:, [2, 1, 0, 3]],
        coordinate_system="PATIENT",
        frame_of_reference_uid=images.first.FrameOfReferenceUID,
        channels=channels,
    )
