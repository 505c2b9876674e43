"""Judge: the verdict on the slices of one DICOM series.

A verdict needs headers only. Localizers and secondary captures among slices are left aside. Of the
rest `SLICE_RULES` are asked first, then, copies left out, `STACK_RULES` of the sorted slices; the
first rule that finds fault decides. Pixels are read only to tell copies,
and of a few slices to check their bits and sign, see `leave_out_copies` and `correct_samples`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from medseg.base.text import count_noun, shorten_list
from medseg.geometry import Geometry
from medseg.ingest.dicom.copies import leave_out_copies
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.notes import collect_notes, name_slices
from medseg.ingest.dicom.pixels.real_world import put_in_one_scale
from medseg.ingest.dicom.resample import Resampling, explain_irregular, plan_resampling
from medseg.ingest.dicom.rules.slice_rules import (
    SLICE_RULES,
    is_captured_slice,
    is_localizer,
    is_secondary_capture,
)
from medseg.ingest.dicom.sample_checks.stated_bits import correct_samples
from medseg.ingest.dicom.series import Series
from medseg.ingest.dicom.stack import STACK_RULES, find_geometry, sort_along_normal
from medseg.ingest.reasons import IngestError, Note, Reason, Verdict

RESAMPLED_REASONS = (Reason.MISSING_SLICES, Reason.UNEVEN_SPACING, Reason.TILTED_STACK)
"""Reasons that `resample=True` repairs."""

ACCEPTED_REASONS = (
    Reason.LOSSY_COMPRESSION,
    Reason.CONFLICTING_MODALITY,
    Reason.REAL_WORLD_VALUES,
    Reason.UNKNOWN_MODALITY,
    Reason.ALTERNATING_ABSENCE,
    Reason.FEWER_IMAGES,
    Reason.UNLIKELY_VALUES,
    Reason.NOT_HOUNSFIELD,
)
"""Notes that leave a series accepted: nothing was assumed or repaired."""


def judge(slices: Sequence[Slice], *, resample: bool = False) -> Series:
    """Give the verdict on the headers of one series; needs at least one.

    Localizers and secondary captures are left aside where two or more slices remain, which are then
    judged in their place; of a series with fewer, they are refused. Where all are secondary
    captures, those with the geometry and values of slices are judged as slices; so are they among
    slices whose regular stack they go on with.

    Args:
        slices: in any order.
        resample: see `find_series`.
    """
    images = [s for s in slices if not is_localizer(s)]
    stack = [s for s in images if not is_secondary_capture(s)]
    sliced = [s for s in images if not is_secondary_capture(s) or is_captured_slice(s)]
    if not stack or _are_in_one_stack(stack, sliced):
        stack = sliced
    if len(stack) in (0, 1, len(slices)):
        return _judge_slices(slices, resample=resample)
    return _note_left_aside(_judge_slices(stack, resample=resample), slices)


def _are_in_one_stack(stack: Sequence[Slice], with_captures: Sequence[Slice]) -> bool:
    """Whether secondary captures continue a stack: they were its slices, saved in another class."""
    if not 0 < len(stack) < len(with_captures):
        return False
    return _judge_slices(with_captures, resample=False).verdict is not Verdict.REFUSE


def _judge_slices(slices: Sequence[Slice], *, resample: bool) -> Series:
    slices = put_in_one_scale(slices)
    for reason, rule in SLICE_RULES:
        if finding := rule(slices):
            return Series.make_refused(slices, reason, f"{finding} in {name_slices(slices)}")
    single = leave_out_copies(slices)
    try:
        ordered = correct_samples(sort_along_normal(single.slices))
    except IngestError as error:
        return Series.make_refused(slices, error.code, f"{error.finding} in {name_slices(slices)}")
    series = _judge_stack(ordered, resample=resample)
    if len(single.slices) == len(slices):
        return series
    return _note_copies(series, slices, differing=single.differing)


def _judge_stack(ordered: Sequence[Slice], *, resample: bool) -> Series:
    for reason, rule in STACK_RULES:
        if finding := rule(ordered):
            if resample and reason in RESAMPLED_REASONS:
                return _judge_resampled(ordered, reason, finding)
            return Series.make_refused(ordered, reason, f"{finding} in {name_slices(ordered)}")
    return _accept(ordered, collect_notes(ordered), geometry=find_geometry(ordered))


def _note_copies(series: Series, slices: Sequence[Slice], *, differing: Sequence[str]) -> Series:
    """Add a note on how many slices are copies of those that are read."""
    if series.verdict is Verdict.REFUSE:
        return series
    kind = "" if differing else "exact "
    copies = count_noun(len(slices) - len(series.slices), f"{kind}copy", plural=f"{kind}copies")
    but = f" but for {', '.join(differing)}" if differing else ""
    finding = f"{copies}{but} among {len(slices)} slices left out of {name_slices(slices)}"
    finding += _count_by_folder(slices)
    notes = ((Reason.EXACT_COPIES, finding), *series.notes)
    return replace(series, verdict=Verdict.REPAIR, notes=notes)


def _count_by_folder(slices: Sequence[Slice]) -> str:
    """Count the slices of each folder where they lie in several; else empty."""
    counts = Counter(s.path.parent for s in slices)
    if len(counts) == 1:
        return ""
    return (
        f" ({shorten_list([f'{count} in {folder}' for folder, count in sorted(counts.items())])})"
    )


def _note_left_aside(series: Series, slices: Sequence[Slice]) -> Series:
    """Add a note on the slices that are left out of the series."""
    localizers = sum(map(is_localizer, slices))
    used = {(s.path, s.frame) for s in series.slices}
    captures = sum(
        is_secondary_capture(s) and not is_localizer(s) and (s.path, s.frame) not in used
        for s in slices
    )
    counts = ((localizers, "localizer"), (captures, "secondary capture"))
    said = " and ".join(f"{n} {kind}{'s' * (n > 1)}" for n, kind in counts if n)
    if series.verdict is Verdict.REFUSE:
        return replace(series, notes=((series.reason, f"{series.finding} (without {said})"),))
    finding = f"{said} of {len(slices)} slices left aside in {name_slices(slices)}"
    notes = ((Reason.LEFT_ASIDE, finding), *series.notes)
    return replace(series, verdict=Verdict.REPAIR, notes=notes)


def _accept(
    slices: Sequence[Slice],
    notes: tuple[Note, ...],
    *,
    geometry: Geometry,
    resampling: Resampling | None = None,
) -> Series:
    is_repaired = any(reason not in ACCEPTED_REASONS for reason, _ in notes)
    return Series(
        uid=slices[0].series_uid,
        modality=slices[0].modality,
        slices=tuple(slices),
        verdict=Verdict.REPAIR if is_repaired else Verdict.ACCEPT,
        notes=notes,
        geometry=geometry,
        resampling=resampling,
    )


def _judge_resampled(slices: Sequence[Slice], reason: Reason, finding: str) -> Series:
    found = f"{finding} in {name_slices(slices)}"
    if too_irregular := explain_irregular(slices):
        return Series.make_refused(slices, reason, f"{found}, and {too_irregular}")
    plan = plan_resampling(slices)
    why, _, _ = finding.partition(" (tolerance")
    if reason is Reason.MISSING_SLICES:
        why = f"{count_noun(plan.geometry.shape[2] - len(slices), 'slice')} missing"
    plan = replace(plan, why=why)
    notes = ((Reason.RESAMPLED, f"{found}; {plan.outline}"), *collect_notes(slices))
    return _accept(slices, notes, geometry=plan.geometry, resampling=plan)
