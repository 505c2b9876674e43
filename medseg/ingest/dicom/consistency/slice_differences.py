"""Slice differences: keywords of the elements in which slices of one place differ."""

from __future__ import annotations

from collections.abc import Sequence

from medseg.ingest.dicom.header.slice import Slice

KEYWORDS = {
    "sop_class": "SOPClassUID",
    "instance": "SOPInstanceUID",
    "counts": "the number of images",
    "conversion": "ConversionType",
    "has_burned_in_text": "BurnedInAnnotation",
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
"""Fields of `Slice` and the keyword of each."""

_OWN_OF_EACH_FILE = ("instance", "counts")
_PIXELS = "pixels"


def name_differences(slices: Sequence[Slice]) -> list[str]:
    """Name what differs in the headers of slices, or say that it is their pixels.

    Args:
        slices: of one place, no two of which are copies of each other.

    Example:
        >>> name_differences([header, another])  # doctest: +SKIP
        ['RescaleIntercept']
    """
    named = [
        keyword
        for field, keyword in KEYWORDS.items()
        if field not in _OWN_OF_EACH_FILE
        and any(getattr(s, field) != getattr(slices[0], field) for s in slices)
    ]
    others = [dict(s.origin.others) for s in slices]
    keywords = sorted(set().union(*others))
    named += [k for k in keywords if len({one.get(k, "") for one in others}) > 1]
    return list(dict.fromkeys(named)) or [_PIXELS]
