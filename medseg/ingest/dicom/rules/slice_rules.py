"""Slice rules: what a DICOM file must satisfy before ingest takes it as a slice of a volume.

Each rule looks at the headers of one series, in any order, and returns its finding with the
numbers, or an empty string. `SLICE_RULES` is the order in which they are asked. Those of this file
are about what an object is; the others are about its pixels, values, geometry and consistency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydicom import uid

from medseg.ingest.dicom.consistency.consistency import (
    find_mixed_kernel,
    find_mixed_patient,
    find_mixed_quantity,
    find_mixed_study,
)
from medseg.ingest.dicom.header.image_kind import (
    MULTI_FRAME_CLASSES,
    is_class_without_image,
    is_no_image,
)
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.pixel_rules import (
    find_conflicting_syntax,
    find_contradicting_codestream,
    find_too_large,
    find_trailing_bytes,
    find_truncated,
)
from medseg.ingest.dicom.pixels.real_world import find_conflicting_rescale
from medseg.ingest.dicom.rules.completeness import Part, find_missing_parts
from medseg.ingest.dicom.rules.geometry_rules import (
    find_invalid_geometry,
    find_missing_geometry,
    find_mixed_frame_of_reference,
    find_mixed_orientation,
    find_mixed_size,
    find_mixed_spacing,
    list_absent_geometry,
)
from medseg.ingest.dicom.rules.mosaic import (
    count_places_of_files,
    find_mosaic_sign,
    is_frame_of_slice,
)
from medseg.ingest.dicom.rules.value_rules import (
    find_invalid_rescale,
    find_missing_rescale,
    find_mixed_photometric,
    find_mixed_rescale_type,
    find_unsupported_format,
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


def _find_no_pixels(slices: Sequence[Slice]) -> str:
    for s in slices:
        if s.pixels is None and not is_class_without_image(s.sop_class):
            kind = s.sop_class.name or "no SOP class"
            return f"{s.name} ends before its pixels ({kind}), at {s.ends_at}"
    return ""


def _find_no_image(slices: Sequence[Slice]) -> str:
    others = [s for s in slices if s.pixels is None or is_no_image(s.sop_class, s.modality)]
    if not others:
        return ""
    files, first = len({s.path for s in others}), others[0]
    count = "" if len(others) == len(slices) else f" in {files} of {len(slices)} files"
    stated = f"modality {first.modality or 'not stated'}"
    of_class = f" of {first.sop_class.name}" if is_class_without_image(first.sop_class) else ""
    return f"no image slices{count} ({stated}){of_class}"


def _find_multi_frame(slices: Sequence[Slice]) -> str:
    """Refuse files that `split_frames` could not split, and mosaics of slices side by side.

    Siemens' enhanced MR goes on saying MOSAIC where its frames are slices, one in a file or many at
    several places. Sheets of several times lie at one.
    """
    places, is_alone = count_places_of_files(slices), len(slices) == 1
    for s in slices:
        by = find_mosaic_sign(s)
        if by and not is_frame_of_slice(s, places=places[s.path], is_alone=is_alone):
            return f"{s.name} is a mosaic of slices side by side ({by})"
        if s.frame is None and (s.frames > 1 or s.sop_class in MULTI_FRAME_CLASSES):
            kind = f"{s.name}, {s.sop_class.name}"
            return f"{s.frames} frames in one file ({kind}) without functional groups for each"
    return ""


def _find_missing_parts(slices: Sequence[Slice]) -> str:
    return find_missing_parts({s.path: Part(s.counts, max(1, s.frames)) for s in slices})


def _find_colour(slices: Sequence[Slice]) -> str:
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


def _find_secondary_capture(slices: Sequence[Slice]) -> str:
    count = sum(is_secondary_capture(s) and not is_captured_slice(s) for s in slices)
    return f"{count} of {len(slices)} files are secondary captures" if count else ""


def _find_localizer(slices: Sequence[Slice]) -> str:
    count = sum(map(is_localizer, slices))
    return f"{count} of {len(slices)} files are localizers" if count else ""


def _find_mixed_modality(slices: Sequence[Slice]) -> str:
    return list_several({s.kind for s in slices}, "modalities")


SLICE_RULES: tuple[tuple[Reason, Rule], ...] = (
    (Reason.TRUNCATED, _find_no_pixels),
    (Reason.NOT_AN_IMAGE, _find_no_image),
    (Reason.SECONDARY_CAPTURE, _find_secondary_capture),
    (Reason.MULTI_FRAME, _find_multi_frame),
    (Reason.COLOUR, _find_colour),
    (Reason.LOCALIZER, _find_localizer),
    (Reason.MISSING_PARTS, _find_missing_parts),
    (Reason.MIXED_PATIENT, find_mixed_patient),
    (Reason.MIXED_STUDY, find_mixed_study),
    (Reason.MIXED_MODALITY, _find_mixed_modality),
    (Reason.MIXED_QUANTITY, find_mixed_quantity),
    (Reason.MIXED_KERNEL, find_mixed_kernel),
    (Reason.MISSING_GEOMETRY, find_missing_geometry),
    (Reason.INVALID_GEOMETRY, find_invalid_geometry),
    (Reason.PIXEL_FORMAT, find_unsupported_format),
    (Reason.CONFLICTING_SYNTAX, find_conflicting_syntax),
    (Reason.TRUNCATED, find_truncated),
    (Reason.TRAILING_BYTES, find_trailing_bytes),
    (Reason.UNDECODABLE, find_contradicting_codestream),
    (Reason.TOO_LARGE, find_too_large),
    (Reason.CONFLICTING_RESCALE, find_conflicting_rescale),
    (Reason.MISSING_RESCALE, find_missing_rescale),
    (Reason.INVALID_RESCALE, find_invalid_rescale),
    (Reason.MIXED_RESCALE_TYPE, find_mixed_rescale_type),
    (Reason.MIXED_PHOTOMETRIC, find_mixed_photometric),
    (Reason.MIXED_SIZE, find_mixed_size),
    (Reason.MIXED_FRAME_OF_REFERENCE, find_mixed_frame_of_reference),
    (Reason.MIXED_ORIENTATION, find_mixed_orientation),
    (Reason.MIXED_SPACING, find_mixed_spacing),
)
