"""Notes: what users must know about slices that make a volume, and how messages name slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from medseg.base.text import count_noun
from medseg.ingest.dicom.consistency.alternating import list_left_out_by_turns
from medseg.ingest.dicom.consistency.consistency import is_uid_per_file
from medseg.ingest.dicom.header.image_kind import RESCALED_KINDS, describe_contradiction
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.pixels.rescale import CT_PADDING_HU
from medseg.ingest.dicom.rules.completeness import (
    Part,
    count_uncounted_parts,
    describe_missing_images,
)
from medseg.ingest.dicom.rules.mosaic import describe_mosaic_sign, describe_weak_mosaic_sign
from medseg.ingest.dicom.rules.slice_rules import is_captured_slice
from medseg.ingest.dicom.stack import find_thickness_mm
from medseg.ingest.reasons import Note, Reason

TISSUE_HU = (-950.0, 3071.0)
"""Between these a CT value is tissue, from emphysema to the end of the usual 12 bits.

Padding is below or above: beyond the reach of what was measured.
"""

_FEW_RESCALES, _LEAST_JUMP_HU = 2, 500.0


def collect_notes(slices: Sequence[Slice]) -> tuple[Note, ...]:
    """List what was assumed about slices that make a volume, and what must be known of them.

    Args:
        slices: those of one series, which no rule refuses.

    Example:
        >>> collect_notes([header])  # doctest: +SKIP
        ((<Reason.SINGLE_SLICE: 'single-slice'>, 'one slice, 5 mm thick, in series 1.2.3 (a.dcm)'),)
    """
    name, notes = name_slices(slices), []
    if assumed := [s for s in slices if s.is_syntax_assumed]:
        syntaxes = ", ".join(sorted({s.transfer_syntax.name for s in assumed}))
        finding = f"{len(assumed)} slices state no correct transfer syntax, read as {syntaxes}"
        notes.append((Reason.NO_FILE_META, f"{finding}, in {name}"))
    if padded := [s for s in slices if s.excess_bytes]:
        finding = f"{padded[0].excess_bytes} zeros follow the pixels of {padded[0].path.name}"
        notes.append((Reason.PADDED_PIXELS, f"{finding} ({len(padded)} slices), in {name}"))
    if captured := [s for s in slices if is_captured_slice(s)]:
        stated = "geometry" if any(s.slope is None for s in captured) else "geometry and rescale"
        finding = f"{count_noun(len(captured), 'secondary capture')} with {stated}"
        notes.append((Reason.CAPTURED_SLICES, f"{finding}, taken as slices, in {name}"))
    if len(slices) == 1:
        finding = f"one slice, {find_thickness_mm(slices[0]):.4g} mm thick, in {name}"
        notes.append((Reason.SINGLE_SLICE, finding))
    elif not slices[0].series_uid:
        files = len({s.path for s in slices})
        finding = f"{files} file{'s' * (files > 1)} without Series Instance UID in {name}"
        notes.append((Reason.NO_SERIES_UID, finding))
    notes.extend(_note_uids_of_each_file(slices, name))
    if absent := list_left_out_by_turns(slices):
        finding = (
            f"{', '.join(absent)} missing in every second slice, and the slices overlap, in {name}"
        )
        notes.append((Reason.ALTERNATING_ABSENCE, finding))
    is_one_acquisition = len({s.origin.acquisition for s in slices}) == 1
    counted_more = describe_missing_images([s.counts for s in slices]) if is_one_acquisition else ""
    if counted_more:
        finding = f"{counted_more} and {len(slices)} images are there, in {name}"
        notes.append((Reason.FEWER_IMAGES, finding))
    parts = {s.path: Part(s.counts, max(1, s.frames)) for s in slices}
    if count := count_uncounted_parts(parts):
        finding = (
            f"{count_noun(count, 'part')} of a concatenation that does not state how many it has"
        )
        notes.append((Reason.FEWER_IMAGES, f"{finding}, in {name}"))
    if (begins := _find_first_in_stack(slices)) > 1:
        finding = f"the first InStackPositionNumber is {begins}, of {len(slices)} frames"
        notes.append((Reason.FEWER_IMAGES, f"{finding}, in {name}"))
    if by := _describe_mosaic_sign(slices):
        finding = f"an image may show several slices side by side ({by}), in {name}"
        notes.append((Reason.POSSIBLE_MOSAIC, finding))
    return (*notes, *_collect_value_notes(slices, name))


def _describe_mosaic_sign(slices: Sequence[Slice]) -> str:
    """Find a sign that an image may show several slices side by side; "" where there is none."""
    if len(slices) == 1 and (by := describe_mosaic_sign(slices[0])):
        return by
    return next(filter(None, (describe_weak_mosaic_sign(s) for s in slices if s.frame is None)), "")


def _note_uids_of_each_file(slices: Sequence[Slice], name: str) -> list[Note]:
    studies = [(s.path, s.origin.study) for s in slices]
    frames = [(s.path, s.frame_of_reference) for s in slices]
    uids = {"Study Instance UID": studies, "Frame of Reference UID": frames}
    return [
        (Reason.STUDY_PER_FILE, f"each of {len(set(of))} files states another {uid} in {name}")
        for uid, of in uids.items()
        if is_uid_per_file(of)
    ]


def _find_first_in_stack(slices: Sequence[Slice]) -> int:
    """Find the number with which the frames of one stack begin; 0 where some state none."""
    stated = [s.origin.in_stack for s in slices]
    is_one_stack = len({s.origin.stack for s in slices}) == 1
    return min(map(int, stated)) if is_one_stack and all(map(str.isdecimal, stated)) else 0


def _collect_value_notes(slices: Sequence[Slice], name: str) -> list[Note]:
    notes = []
    if said := describe_contradiction(slices[0].sop_class, slices[0].modality):
        kind = slices[0].kind
        notes.append((Reason.CONFLICTING_MODALITY, f"{said}, read as {kind}, in {name}"))
    if slices[0].kind in ("", "OT"):
        finding = f"neither SOP class nor Modality says what kind of image it is, in {name}"
        notes.append((Reason.UNKNOWN_MODALITY, finding))
    if count := sum(s.is_lossy for s in slices):
        finding = f"{count} of {len(slices)} slices were compressed with loss in {name}"
        notes.append((Reason.LOSSY_COMPRESSION, finding))
    if ranges := set(filter(None, map(find_padding_in_tissue, slices))):
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        finding = f"values from {low:g} to {high:g} HU are declared as padding and become"
        notes.append((Reason.PADDED_TISSUE, f"{finding} {CT_PADDING_HU} HU in {name}"))
    of_samples = dict.fromkeys(note for s in slices for note in s.sample_notes)
    notes.extend((reason, f"{finding}, in {name}") for reason, finding in of_samples)
    if not of_samples and _has_no_air(slices):
        finding = "the rescale leaves no CT value below 0 HU, where air and fat are"
        notes.append((Reason.UNLIKELY_VALUES, f"{finding}, in {name}"))
    if said := _describe_other_intercept(slices):
        notes.append((Reason.UNLIKELY_VALUES, f"{said}, in {name}"))
    if any(s.kind in RESCALED_KINDS and s.rescale[0] < 0 for s in slices):
        finding = f"a negative rescale slope reverses {slices[0].kind} values"
        notes.append((Reason.UNLIKELY_VALUES, f"{finding}, in {name}"))
    scales = {f"{s.scale_slope * s.rescale[0]:.4g}" for s in slices if s.scale_slope}
    if len(scales) > 1:
        finding = f"{len(scales)} private scales of Philips make the brightness of slices differ"
        notes.append((Reason.UNLIKELY_VALUES, f"{finding}, in {name}"))
    if slices[0].is_real_world:
        unit = slices[0].rescale_type or "no unit"
        finding = f"values are real world values in {unit}, by the mapping of each slice, in {name}"
        notes.append((Reason.REAL_WORLD_VALUES, finding))
    units = {s.rescale_type for s in slices if s.kind == "CT"} - {"", "HU"}
    if units:
        finding = f"values are stated in {', '.join(sorted(units))}, not HU, in {name}"
        notes.append((Reason.NOT_HOUNSFIELD, finding))
    return notes


def _describe_other_intercept(slices: Sequence[Slice]) -> str:
    """Describe CT slices of which some have another intercept, with samples stored alike.

    One scanner has one. Programs that scale each slice for itself change the slope too.
    """
    rescales = Counter(s.rescale for s in slices if s.kind == "CT")
    stored = {(s.pixel_representation, s.bits_allocated) for s in slices}
    if len(rescales) != _FEW_RESCALES or len(stored) > 1:
        return ""
    ((slope, usual), _), ((other_slope, other), count) = rescales.most_common()
    if slope != other_slope or abs(usual - other) < _LEAST_JUMP_HU:
        return ""
    some = f"{count_noun(count, 'slice')} of {len(slices)} with a rescale intercept of {other:g}"
    return f"{some}, the others with {usual:g}: air does not have one value"


def _has_no_air(slices: Sequence[Slice]) -> bool:
    """Whether CT has neither a sign nor a negative intercept: its values lost their rescale."""
    return all(
        s.kind == "CT"
        and s.rescale_type in ("", "HU")
        and s.pixel_representation == 0
        and min(s.rescale) >= 0
        for s in slices
    )


def name_slices(slices: Sequence[Slice]) -> str:
    """Name slices in a message: by series or folder, and by the file where there is only one."""
    first = slices[0]
    where = f"series {first.series_uid}" if first.series_uid else f"{first.path.parent}"
    files = {s.path for s in slices}
    return where if len(files) > 1 else f"{where} ({first.path.name})"


def find_padding_in_tissue(header: Slice) -> tuple[float, float] | None:
    """Lowest and highest value in HU that a CT slice calls padding, where tissue has such values.

    None where it states no padding, or one outside `TISSUE_HU`, as it should be. What is known here
    is the range alone; the voxels are not read.

    Example:
        >>> find_padding_in_tissue(header)  # value 1024, intercept -1024  # doctest: +SKIP
        (0.0, 0.0)
    """
    if header.rescaled_kind != "CT" or header.padding is None:
        return None
    kind = "i" if header.pixel_representation else "u"
    stored = np.array(header.padding).astype(f"{kind}{header.bits_allocated // 8}")
    slope, intercept = header.rescale
    low, high = sorted(float(value) * slope + intercept for value in stored)
    is_empty = stored[0] > stored[1]  # its ends were of another sign
    return None if is_empty or high <= TISSUE_HU[0] or low >= TISSUE_HU[1] else (low, high)
