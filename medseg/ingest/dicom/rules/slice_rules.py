"""Slice rules: what a DICOM file must satisfy before ingest takes it as a slice of a volume.

Each rule looks at the headers of one series, in any order, and returns its finding with the
numbers, or an empty string. `SLICE_RULES` is the order in which they are asked. Those of this file
are about what an object is; the others are about its pixels, values, geometry and consistency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydicom import uid

from medseg.ingest.dicom.consistency.consistency import (
    describe_mixed_kernel,
    describe_mixed_patient,
    describe_mixed_quantity,
    describe_mixed_study,
)
from medseg.ingest.dicom.header.image_kind import (
    MULTI_FRAME_CLASSES,
    is_class_without_image,
    is_no_image,
)
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.pixel_rules import (
    describe_conflicting_syntax,
    describe_contradicting_codestream,
    describe_too_large,
    describe_trailing_bytes,
    describe_truncated,
)
from medseg.ingest.dicom.pixels.real_world import describe_conflicting_rescale
from medseg.ingest.dicom.rules.completeness import Part, describe_missing_parts
from medseg.ingest.dicom.rules.geometry_rules import (
    describe_invalid_geometry,
    describe_missing_geometry,
    describe_mixed_frame_of_reference,
    describe_mixed_orientation,
    describe_mixed_size,
    describe_mixed_spacing,
    list_absent_geometry,
)
from medseg.ingest.dicom.rules.mosaic import (
    count_places_of_files,
    describe_mosaic_sign,
    is_frame_of_slice,
)
from medseg.ingest.dicom.rules.value_rules import (
    describe_invalid_rescale,
    describe_missing_rescale,
    describe_mixed_photometric,
    describe_mixed_rescale_type,
    describe_unsupported_format,
    lacks_rescale,
    list_several,
)
from medseg.ingest.reasons import Reason

Rule = Callable[[Sequence[Slice]], str]


_SECONDARY_CAPTURE_CLASSES = (
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
)
_MEASURING_KINDS = ("CT", "MR", "PT", "NM")
_SCANNED = ("DV", "DF", "SD", "SI", "DRW")  # ConversionType, PS3.3 C.8.6.1.1


def _describe_no_pixels(slices: Sequence[Slice]) -> str:
    for s in slices:
        if s.pixels is None and not is_class_without_image(s.sop_class):
            kind = s.sop_class.name or "no SOP class"
            return f"{s.name} ends before its pixels ({kind}), at {s.ends_at}"
    return ""


def _describe_no_image(slices: Sequence[Slice]) -> str:
    others = [s for s in slices if s.pixels is None or is_no_image(s.sop_class, s.modality)]
    if not others:
        return ""
    files, first = len({s.path for s in others}), others[0]
    count = "" if len(others) == len(slices) else f" in {files} of {len(slices)} files"
    stated = f"modality {first.modality or 'not stated'}"
    of_class = f" of {first.sop_class.name}" if is_class_without_image(first.sop_class) else ""
    return f"no image slices{count} ({stated}){of_class}"


def _describe_multi_frame(slices: Sequence[Slice]) -> str:
    """Refuse files that `split_frames` could not split, and mosaics of slices side by side.

    Siemens' enhanced MR goes on saying MOSAIC where its frames are slices, one in a file or many at
    several places. Sheets of several times lie at one.
    """
    places, is_alone = count_places_of_files(slices), len(slices) == 1
    for s in slices:
        by = describe_mosaic_sign(s)
        if by and not is_frame_of_slice(s, places=places[s.path], is_alone=is_alone):
            return f"{s.name} is a mosaic of slices side by side ({by})"
        if s.frame is None and (s.frames > 1 or s.sop_class in MULTI_FRAME_CLASSES):
            kind = f"{s.name}, {s.sop_class.name}"
            return f"{s.frames} frames in one file ({kind}) without functional groups for each"
    return ""


def _describe_missing_parts(slices: Sequence[Slice]) -> str:
    return describe_missing_parts({s.path: Part(s.counts, max(1, s.frames)) for s in slices})


def _describe_colour(slices: Sequence[Slice]) -> str:
    stated = {s.photometric for s in slices} - {""}
    usual = stated.pop() if len(stated) == 1 else ""  # of the slices that leave it out
    for s in slices:
        if s.samples != 1 or not (s.photometric or usual).startswith("MONOCHROME"):
            kind = s.photometric or "no photometric value"
            return f"{s.samples} samples per pixel, {kind}, of {s.name}"
    return ""


def is_secondary_capture(header: Slice) -> bool:
    """Whether the SOP class, or "SCREEN SAVE" in ImageType, says that it is a secondary capture."""
    return header.sop_class in _SECONDARY_CAPTURE_CLASSES or "SCREEN SAVE" in header.image_type


def is_captured_slice(header: Slice) -> bool:
    """Whether a secondary capture states all that a slice states: ITK and 3D Slicer may write such.

    Those are its place, its spacing, a modality that measures, and a rescale where values mean
    nothing without, of grey samples that nothing was written over and no film, video or paper was
    scanned for.
    """
    return (
        header.sop_class in _SECONDARY_CAPTURE_CLASSES
        and "SCREEN SAVE" not in header.image_type
        and header.kind in _MEASURING_KINDS
        and header.samples == 1
        and not lacks_rescale(header)
        and header.conversion not in _SCANNED
        and not header.has_burned_in_text
        and not list_absent_geometry(header)
    )


def is_localizer(header: Slice) -> bool:
    """Whether ImageType says LOCALIZER, at whatever place (PS3.3 C.8.2.1.1.1)."""
    return "LOCALIZER" in header.image_type


def _describe_secondary_capture(slices: Sequence[Slice]) -> str:
    count = sum(is_secondary_capture(s) and not is_captured_slice(s) for s in slices)
    return f"{count} of {len(slices)} files are secondary captures" if count else ""


def _describe_localizer(slices: Sequence[Slice]) -> str:
    count = sum(map(is_localizer, slices))
    return f"{count} of {len(slices)} files are localizers" if count else ""


def _describe_mixed_modality(slices: Sequence[Slice]) -> str:
    return list_several({s.kind for s in slices}, "modalities")


SLICE_RULES: tuple[tuple[Reason, Rule], ...] = (
    (Reason.TRUNCATED, _describe_no_pixels),
    (Reason.NOT_AN_IMAGE, _describe_no_image),
    (Reason.SECONDARY_CAPTURE, _describe_secondary_capture),
    (Reason.MULTI_FRAME, _describe_multi_frame),
    (Reason.COLOUR, _describe_colour),
    (Reason.LOCALIZER, _describe_localizer),
    (Reason.MISSING_PARTS, _describe_missing_parts),
    (Reason.MIXED_PATIENT, describe_mixed_patient),
    (Reason.MIXED_STUDY, describe_mixed_study),
    (Reason.MIXED_MODALITY, _describe_mixed_modality),
    (Reason.MIXED_QUANTITY, describe_mixed_quantity),
    (Reason.MIXED_KERNEL, describe_mixed_kernel),
    (Reason.MISSING_GEOMETRY, describe_missing_geometry),
    (Reason.INVALID_GEOMETRY, describe_invalid_geometry),
    (Reason.PIXEL_FORMAT, describe_unsupported_format),
    (Reason.CONFLICTING_SYNTAX, describe_conflicting_syntax),
    (Reason.TRUNCATED, describe_truncated),
    (Reason.TRAILING_BYTES, describe_trailing_bytes),
    (Reason.UNDECODABLE, describe_contradicting_codestream),
    (Reason.TOO_LARGE, describe_too_large),
    (Reason.CONFLICTING_RESCALE, describe_conflicting_rescale),
    (Reason.MISSING_RESCALE, describe_missing_rescale),
    (Reason.INVALID_RESCALE, describe_invalid_rescale),
    (Reason.MIXED_RESCALE_TYPE, describe_mixed_rescale_type),
    (Reason.MIXED_PHOTOMETRIC, describe_mixed_photometric),
    (Reason.MIXED_SIZE, describe_mixed_size),
    (Reason.MIXED_FRAME_OF_REFERENCE, describe_mixed_frame_of_reference),
    (Reason.MIXED_ORIENTATION, describe_mixed_orientation),
    (Reason.MIXED_SPACING, describe_mixed_spacing),
)
