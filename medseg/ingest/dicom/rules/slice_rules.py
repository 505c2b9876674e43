"""Rules: what a DICOM file must be before ingest takes it as a slice of a volume.

Each rule looks at the headers of one series, in any order, and returns its finding with the
numbers, or an empty string. `SLICE_RULES` is the order in which they are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from pydicom import uid

from medseg.geometry import ORTHOGONALITY_TOLERANCE
from medseg.ingest.dicom.consistency.consistency import (
    is_uid_per_file,
    mixed_kernel,
    mixed_patient,
    mixed_quantity,
    mixed_study,
)
from medseg.ingest.dicom.header.image_kind import (
    MULTI_FRAME_CLASSES,
    is_class_without_image,
    is_no_image,
)
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.pixel_rules import (
    conflicting_syntax,
    contradicting_codestream,
    too_large,
    trailing_bytes,
    truncated,
)
from medseg.ingest.dicom.pixels.real_world import conflicting_rescale
from medseg.ingest.dicom.rules.completeness import Part, missing_parts
from medseg.ingest.dicom.rules.mosaic import is_frame_of_slice, mosaic_by, places_of_files
from medseg.ingest.reasons import Reason

ORIENTATION_TOLERANCE = 1e-4
"""Direction cosines of one series may differ by this much (rounding of decimal strings)."""

PIXEL_SPACING_TOLERANCE_MM = 1e-4
"""In-plane spacings of one series may differ by this much (rounding of decimal strings)."""

LONGEST_MM = 1e9
"""No coordinate or spacing is larger: a thousand kilometres; beyond that numbers overflow."""

SHORTEST_MM = 1e-9
"""No spacing is smaller: a millionth of a micrometre."""

BITS_ALLOCATED = (8, 16, 32)
"""Bits of a sample in its file; some reconstructions and dose-like maps have 32."""

Rule = Callable[[Sequence[Slice]], str]

_LARGEST = float(np.finfo(np.float32).max)  # of volumes, which are of single precision
_SMALLEST = float(np.finfo(np.float32).tiny)
_SECONDARY_CAPTURE_CLASSES = (
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
)
_MEASURING_KINDS = ("CT", "MR", "PT", "NM")
_SCANNED = ("DV", "DF", "SD", "SI", "DRW")  # ConversionType, PS3.3 C.8.6.1.1


def _no_pixels(slices: Sequence[Slice]) -> str:
    for s in slices:
        if s.pixels is None and not is_class_without_image(s.sop_class):
            kind = s.sop_class.name or "no SOP class"
            return f"{s.name} ends before its pixels ({kind}), at {s.ends_at}"
    return ""


def _no_image(slices: Sequence[Slice]) -> str:
    others = [s for s in slices if s.pixels is None or is_no_image(s.sop_class, s.modality)]
    if not others:
        return ""
    files, first = len({s.path for s in others}), others[0]
    count = "" if len(others) == len(slices) else f" in {files} of {len(slices)} files"
    stated = f"modality {first.modality or 'not stated'}"
    of_class = f" of {first.sop_class.name}" if is_class_without_image(first.sop_class) else ""
    return f"no image slices{count} ({stated}){of_class}"


def _multi_frame(slices: Sequence[Slice]) -> str:
    """What `multiframe.frames` could not take apart, and the sheets of slices of a MOSAIC.

    Siemens' enhanced MR goes on saying MOSAIC where its frames are slices, one in a file or many at
    several places. Sheets of several times lie at one.
    """
    places, is_alone = places_of_files(slices), len(slices) == 1
    for s in slices:
        by = mosaic_by(s)
        if by and not is_frame_of_slice(s, places=places[s.path], is_alone=is_alone):
            return f"{s.name} is a mosaic of slices side by side ({by})"
        if s.frame is None and (s.frames > 1 or s.sop_class in MULTI_FRAME_CLASSES):
            kind = f"{s.name}, {s.sop_class.name}"
            return f"{s.frames} frames in one file ({kind}) without functional groups for each"
    return ""


def _missing_parts(slices: Sequence[Slice]) -> str:
    return missing_parts({s.path: Part(s.counts, max(1, s.frames)) for s in slices})


def _colour(slices: Sequence[Slice]) -> str:
    stated = {s.photometric for s in slices} - {""}
    usual = stated.pop() if len(stated) == 1 else ""  # of the slices that leave it out
    for s in slices:
        if s.samples != 1 or not (s.photometric or usual).startswith("MONOCHROME"):
            kind = s.photometric or "no photometric value"
            return f"{s.samples} samples per pixel, {kind}, of {s.name}"
    return ""


def is_secondary_capture(header: Slice) -> bool:
    """By SOP class, or the screen saves that scanners store as images of their own kind."""
    return header.sop_class in _SECONDARY_CAPTURE_CLASSES or "SCREEN SAVE" in header.image_type


def is_captured_slice(header: Slice) -> bool:
    """A secondary capture that states all that a slice states: ITK and 3D Slicer may write such.

    Those are its place, its spacing, a modality that measures, and a rescale where values mean
    nothing without, of grey samples that nothing was written over and no film, video or paper was
    scanned for.
    """
    return (
        header.sop_class in _SECONDARY_CAPTURE_CLASSES
        and "SCREEN SAVE" not in header.image_type
        and header.kind in _MEASURING_KINDS
        and header.samples == 1
        and not _lacks_rescale(header)
        and header.conversion not in _SCANNED
        and not header.has_burned_in_text
        and not _absent_geometry(header)
    )


def is_localizer(header: Slice) -> bool:
    """By the third value of ImageType (PS3.3 C.8.2.1.1.1), wherever it is written."""
    return "LOCALIZER" in header.image_type


def _secondary_capture(slices: Sequence[Slice]) -> str:
    count = sum(is_secondary_capture(s) and not is_captured_slice(s) for s in slices)
    return f"{count} of {len(slices)} files are secondary captures" if count else ""


def _localizer(slices: Sequence[Slice]) -> str:
    count = sum(map(is_localizer, slices))
    return f"{count} of {len(slices)} files are localizers" if count else ""


def _mixed_modality(slices: Sequence[Slice]) -> str:
    return _listed({s.kind for s in slices}, "modalities")


def _mixed_size(slices: Sequence[Slice]) -> str:
    return _listed({f"{s.rows}x{s.columns}" for s in slices}, "matrix sizes (rows x columns)")


def _pixel_format(slices: Sequence[Slice]) -> str:
    for s in slices:
        if s.has_modality_lut:
            return "values go through a Modality LUT Sequence"
        if s.pixels is not None and s.pixels.is_float:
            return "floating-point samples (Float or Double Float Pixel Data)"
        if s.bits_allocated not in BITS_ALLOCATED or not 0 < s.bits_stored <= s.bits_allocated:
            return f"samples of {s.bits_stored or 'no stated number'} of {s.bits_allocated} bits"
        if s.high_bit != s.bits_stored - 1:
            bits = f"{s.bits_stored} of {s.bits_allocated} bits"
            return f"samples of {bits} whose HighBit is {s.high_bit}, not {s.bits_stored - 1}"
    unsigned = sum(s.pixel_representation not in (0, 1) for s in slices)
    if unsigned:
        some = f"{unsigned} of {len(slices)} slices" if unsigned < len(slices) else "samples"
        return f"{some} whose PixelRepresentation, the sign, is not stated"
    return ""


def _missing_rescale(slices: Sequence[Slice]) -> str:
    lacking = [s for s in slices if _lacks_rescale(s)]
    if lacking:
        kind = lacking[0].rescaled_kind
        return f"{len(lacking)} of {len(slices)} {kind} slices have no rescale"
    return _partly_rescaled(slices)


def _lacks_rescale(header: Slice) -> bool:
    is_whole = header.slope is not None and header.intercept is not None
    return bool(header.rescaled_kind) and not is_whole


def _partly_rescaled(slices: Sequence[Slice]) -> str:
    """A slope or intercept that only some slices state; the identity may be left out."""
    for stated, name, identity in (
        ([s.slope for s in slices], "slope", 1),
        ([s.intercept for s in slices], "intercept", 0),
    ):
        absent = stated.count(None)
        if absent and any(value not in (None, identity) for value in stated):
            return f"{absent} of {len(slices)} slices have no rescale {name}, the others have"
    return ""


def _invalid_rescale(slices: Sequence[Slice]) -> str:
    """One that is none, or of which single precision would make infinities or zeros."""
    for s in slices:
        slope, intercept = s.rescale
        if slope == 0 or not np.isfinite((slope, intercept)).all():
            return f"rescale slope {slope:g} and intercept {intercept:g} of {s.name}"
        largest = 2.0**s.bits_allocated * abs(slope) + abs(intercept)
        if largest > _LARGEST or abs(slope) < _SMALLEST:
            stated = f"rescale slope {slope:g} and intercept {intercept:g}"
            return f"{stated} of {s.name}, whose values single precision cannot hold"
    return ""


def _mixed_rescale_type(slices: Sequence[Slice]) -> str:
    """Two units, where those slices count that state one. CT that states none is in HU.

    PS3.3 C.8.2.1 and C.11.1.1.2; PET states them in Units (C.8.9.1).
    """
    types = {s.rescale_type or ("HU" if s.kind == "CT" else "") for s in slices}
    units = {s.origin.units for s in slices}
    return _listed(types - {""}, "rescale types") or _listed(units - {""}, "units")


def _mixed_photometric(slices: Sequence[Slice]) -> str:
    """No value is inverted for MONOCHROME1, so what the two have in common is not known."""
    return _listed({s.photometric for s in slices} - {""}, "photometric interpretations")


def _missing_geometry(slices: Sequence[Slice]) -> str:
    found = (
        f"{s.name} lacks {', '.join(absent)}" for s in slices if (absent := _absent_geometry(s))
    )
    return next(found, "")


def _absent_geometry(header: Slice) -> list[str]:
    """The elements that say where a slice lies and that it lacks, or has with too few values."""
    vectors = {
        "ImagePositionPatient": (header.position.size, 3),
        "ImageOrientationPatient": (header.orientation.size, 6),
        "PixelSpacing": (header.pixel_spacing_mm.size, 2),
    }
    absent = [
        f"{keyword} of {wanted} values ({found} are stated)" if found else keyword
        for keyword, (found, wanted) in vectors.items()
        if found != wanted
    ]
    return absent if header.rows > 0 and header.columns > 0 else [*absent, "Rows and Columns"]


def _invalid_geometry(slices: Sequence[Slice]) -> str:
    for s in slices:
        if not np.isfinite(np.concatenate([s.position, s.orientation, s.pixel_spacing_mm])).all():
            return f"{s.name} has a position, orientation or spacing that is not finite"
        if np.abs(s.position).max() > LONGEST_MM:
            return f"{s.name} lies at {s.position.tolist()} mm"
        low_mm, high_mm = s.pixel_spacing_mm.min(), s.pixel_spacing_mm.max()
        if low_mm < SHORTEST_MM or high_mm > LONGEST_MM:
            return f"{s.name} has pixel spacing {s.pixel_spacing_mm.tolist()} mm"
        axes = s.orientation.reshape(2, 3)
        if np.abs(axes @ axes.T - np.eye(2)).max() > ORTHOGONALITY_TOLERANCE:
            return f"{s.name} has direction cosines {s.orientation.tolist()}"
    return ""


def _mixed_frame_of_reference(slices: Sequence[Slice]) -> str:
    if is_uid_per_file((s.path, s.frame_of_reference) for s in slices):
        return ""
    return _listed({s.frame_of_reference for s in slices} - {""}, "frames of reference")


def _mixed_orientation(slices: Sequence[Slice]) -> str:
    cosines = np.array([s.orientation for s in slices])
    spread = np.abs(cosines - cosines[0]).max()
    if spread <= ORIENTATION_TOLERANCE:
        return ""
    return f"direction cosines differ by up to {spread:.4g} (tolerance {ORIENTATION_TOLERANCE:g})"


def _mixed_spacing(slices: Sequence[Slice]) -> str:
    spacings = np.array([s.pixel_spacing_mm for s in slices])
    if np.ptp(spacings, axis=0).max() <= PIXEL_SPACING_TOLERANCE_MM:
        return ""
    return f"pixel spacing varies from {spacings.min():.6g} to {spacings.max():.6g} mm"


def _listed(values: set[str], what: str) -> str:
    if len(values) < 2:
        return ""
    return f"{len(values)} {what}: {', '.join(sorted(v or 'none' for v in values))}"


SLICE_RULES: tuple[tuple[Reason, Rule], ...] = (
    (Reason.TRUNCATED, _no_pixels),
    (Reason.NOT_AN_IMAGE, _no_image),
    (Reason.SECONDARY_CAPTURE, _secondary_capture),
    (Reason.MULTI_FRAME, _multi_frame),
    (Reason.COLOUR, _colour),
    (Reason.LOCALIZER, _localizer),
    (Reason.MISSING_PARTS, _missing_parts),
    (Reason.MIXED_PATIENT, mixed_patient),
    (Reason.MIXED_STUDY, mixed_study),
    (Reason.MIXED_MODALITY, _mixed_modality),
    (Reason.MIXED_QUANTITY, mixed_quantity),
    (Reason.MIXED_KERNEL, mixed_kernel),
    (Reason.MISSING_GEOMETRY, _missing_geometry),
    (Reason.INVALID_GEOMETRY, _invalid_geometry),
    (Reason.PIXEL_FORMAT, _pixel_format),
    (Reason.CONFLICTING_SYNTAX, conflicting_syntax),
    (Reason.TRUNCATED, truncated),
    (Reason.TRAILING_BYTES, trailing_bytes),
    (Reason.UNDECODABLE, contradicting_codestream),
    (Reason.TOO_LARGE, too_large),
    (Reason.CONFLICTING_RESCALE, conflicting_rescale),
    (Reason.MISSING_RESCALE, _missing_rescale),
    (Reason.INVALID_RESCALE, _invalid_rescale),
    (Reason.MIXED_RESCALE_TYPE, _mixed_rescale_type),
    (Reason.MIXED_PHOTOMETRIC, _mixed_photometric),
    (Reason.MIXED_SIZE, _mixed_size),
    (Reason.MIXED_FRAME_OF_REFERENCE, _mixed_frame_of_reference),
    (Reason.MIXED_ORIENTATION, _mixed_orientation),
    (Reason.MIXED_SPACING, _mixed_spacing),
)
