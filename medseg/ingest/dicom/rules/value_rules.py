"""Value rules: what slices must state about their samples and rescale to be one volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medseg.ingest.dicom.header.slice import Slice

BITS_ALLOCATED = (8, 16, 32)
"""Bits of a sample in its file; some reconstructions and dose-like maps have 32."""

_LARGEST = float(np.finfo(np.float32).max)  # of volumes, which are of single precision
_SMALLEST = float(np.finfo(np.float32).tiny)


def describe_unsupported_format(slices: Sequence[Slice]) -> str:
    """Say what is unsupported or contradictory in the format of the samples; else ""."""
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
        return f"{some} whose PixelRepresentation (the sign) is not stated"
    return ""


def describe_missing_rescale(slices: Sequence[Slice]) -> str:
    """Say how many slices lack the rescale that their kind of image needs; else ""."""
    lacking = [s for s in slices if lacks_rescale(s)]
    if lacking:
        kind = lacking[0].rescaled_kind
        return f"{len(lacking)} of {len(slices)} {kind} slices have no rescale"
    return _describe_partly_rescaled(slices)


def lacks_rescale(header: Slice) -> bool:
    """Whether a slice of a kind that is rescaled lacks its slope or intercept."""
    is_whole = header.slope is not None and header.intercept is not None
    return bool(header.rescaled_kind) and not is_whole


def _describe_partly_rescaled(slices: Sequence[Slice]) -> str:
    """Find a slope or intercept that only some slices state; the identity may be left out."""
    for stated, name, identity in (
        ([s.slope for s in slices], "slope", 1),
        ([s.intercept for s in slices], "intercept", 0),
    ):
        absent = stated.count(None)
        if absent and any(value not in (None, identity) for value in stated):
            return f"{absent} of {len(slices)} slices have no rescale {name}, the others have"
    return ""


def describe_invalid_rescale(slices: Sequence[Slice]) -> str:
    """Find a rescale that is invalid, or whose values single precision cannot hold."""
    for s in slices:
        slope, intercept = s.rescale
        if slope == 0 or not np.isfinite((slope, intercept)).all():
            return f"rescale slope {slope:g} and intercept {intercept:g} of {s.name}"
        largest = 2.0**s.bits_allocated * abs(slope) + abs(intercept)
        if largest > _LARGEST or abs(slope) < _SMALLEST:
            stated = f"rescale slope {slope:g} and intercept {intercept:g}"
            return f"{stated} of {s.name}, whose values single precision cannot hold"
    return ""


def describe_mixed_rescale_type(slices: Sequence[Slice]) -> str:
    """Find two units among the slices that state one. CT that states none is in HU.

    PS3.3 C.8.2.1 and C.11.1.1.2; PET states them in Units (C.8.9.1).
    """
    types = {s.rescale_type or ("HU" if s.kind == "CT" else "") for s in slices}
    units = {s.origin.units for s in slices}
    return list_several(types - {""}, "rescale types") or list_several(units - {""}, "units")


def describe_mixed_photometric(slices: Sequence[Slice]) -> str:
    """Find two interpretations: no value is inverted for MONOCHROME1, so they cannot be mixed."""
    return list_several({s.photometric for s in slices} - {""}, "photometric interpretations")


def list_several(values: set[str], what: str) -> str:
    """Count and list values that should be one: "2 modalities: CT, MR"; "" where there is one."""
    if len(values) < 2:
        return ""
    return f"{len(values)} {what}: {', '.join(sorted(v or 'none' for v in values))}"
