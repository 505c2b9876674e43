"""Multiframe: the frames of an enhanced multi-frame object as slices.

Enhanced CT, MR and PET, and their legacy converted kin, state for each frame what a file of its own
states in its header: functional groups, one item per frame, and one that all frames share
(PS3.3 C.7.6.16). An item of the frame goes before the shared one.
"""

from __future__ import annotations

from dataclasses import replace

import pydicom

from medseg.ingest.dicom.files.elements import (
    get_macro,
    get_number,
    get_unit,
    get_vector,
    get_words,
)
from medseg.ingest.dicom.header.origin import add_shared, read_frame_origin
from medseg.ingest.dicom.header.real_world_mapping import read_mappings
from medseg.ingest.dicom.header.slice import Slice

KEYWORDS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")

_FRAME_TYPES = (
    *("CTImageFrameTypeSequence", "MRImageFrameTypeSequence", "PETFrameTypeSequence"),
    *("XRay3DFrameTypeSequence",),
)

Groups = tuple[pydicom.Dataset, pydicom.Dataset]


def split_frames(header: Slice, dataset: pydicom.Dataset) -> tuple[Slice, ...]:
    """Give each frame of a file a header of its own.

    Args:
        header: that of the file as a whole.
        dataset: the file's functional groups.

    Returns:
        One slice for each frame, in the order of the file. The header itself, alone, where the file
        has no functional groups or not one for each frame; it is then no slice of a volume, so a
        lying NumberOfFrames allocates nothing.

    Example:
        >>> split_frames(header, dataset)[2].position  # doctest: +SKIP
    """
    own_groups = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if not own_groups or len(own_groups) != header.frames:
        return (header,)
    shared = next(iter(dataset.get("SharedFunctionalGroupsSequence") or ()), pydicom.Dataset())
    header = replace(header, origin=add_shared(header.origin, shared))
    return tuple(_make_frame(header, k, groups=(own, shared)) for k, own in enumerate(own_groups))


def _make_frame(header: Slice, index: int, *, groups: Groups) -> Slice:
    position = get_macro(groups, "PlanePositionSequence")
    orientation = get_macro(groups, "PlaneOrientationSequence")
    measures = get_macro(groups, "PixelMeasuresSequence")
    transformation = get_macro(groups, "PixelValueTransformationSequence")
    thickness_mm = get_number(measures, "SliceThickness")
    spacing_mm = get_number(measures, "SpacingBetweenSlices")
    slope, intercept = (get_number(transformation, f"Rescale{k}") for k in ("Slope", "Intercept"))
    return replace(
        header,
        frame=index,
        origin=read_frame_origin(header.origin, groups),
        real_world=read_mappings(groups) or header.real_world,
        image_type=_read_frame_type(groups) or header.image_type,
        position=get_vector(position, "ImagePositionPatient"),
        orientation=get_vector(orientation, "ImageOrientationPatient"),
        pixel_spacing_mm=get_vector(measures, "PixelSpacing"),
        thickness_mm=header.thickness_mm if thickness_mm is None else thickness_mm,
        spacing_between_mm=header.spacing_between_mm if spacing_mm is None else spacing_mm,
        slope=header.slope if slope is None else slope,
        intercept=header.intercept if intercept is None else intercept,
        rescale_type=get_unit(transformation) or header.rescale_type,
    )


def _read_frame_type(groups: Groups) -> tuple[str, ...]:
    found = (get_words(get_macro(groups, keyword), "FrameType") for keyword in _FRAME_TYPES)
    return next((values for values in found if values), ())
