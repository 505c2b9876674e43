"""Slice differences: keywords of the elements in which slices of one place differ."""

from __future__ import annotations

from collections.abc import Sequence

from medseg.ingest.slice import Slice

_KEYWORDS = {
    "sop_class": "SOPClassUID",
    "image_type": "ImageType",
    "frame_of_reference": "FrameOfReferenceUID",
    "thickness_mm": "SliceThickness",
    "spacing_between_mm": "SpacingBetweenSlices",
    "photometric": "PhotometricInterpretation",
    "bits_allocated": "BitsAllocated",
    "bits_stored": "BitsStored",
    "pixel_representation": "PixelRepresentation",
    "padding": "PixelPaddingValue",
    "slope": "RescaleSlope",
    "intercept": "RescaleIntercept",
    "rescale_type": "RescaleType",
    "real_world": "RealWorldValueMappingSequence",
}
_PIXELS = "pixels"


def names_of_differences(slices: Sequence[Slice]) -> list[str]:
    """Name what differs in the headers of slices, or say that it is their pixels.

    Nothing is said of slices that differ in nothing but their SOP Instance UID, or their pixels.

    Args:
        slices: of one place, no two of which are copies of each other.

    Example:
        >>> names_of_differences([header, another])  # doctest: +SKIP
        ['RescaleIntercept']
    """
    named = [
        keyword
        for field, keyword in _KEYWORDS.items()
        if any(getattr(s, field) != getattr(slices[0], field) for s in slices)
    ]
    others = [dict(s.origin.others) for s in slices]
    keywords = sorted(set().union(*others))
    named += [k for k in keywords if len({one.get(k, "") for one in others}) > 1]
    is_one_instance = len({s.instance for s in slices}) == 1 and slices[0].instance
    return named or ([_PIXELS] if is_one_instance else [])
