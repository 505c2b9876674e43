"""Compare: two studies of a patient: registration, lesions, changes and response."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from medseg.labels import Label
from medseg.report.followup.case import Case
from medseg.report.followup.change import LesionChange, make_letters, measure_change
from medseg.report.followup.lesion_map import LesionMap, map_lesions
from medseg.report.followup.match_lesions import FARTHEST_MM, Outcome, match_lesions
from medseg.report.followup.recist import SMALLEST_MM, Recist, assess_response
from medseg.report.followup.register import DOUBTFUL_SIMILARITY, Registration, register, stay
from medseg.report.followup.structures import check_same_table, choose_lesions, find_organs
from medseg.report.measure import Measurement, find_slice_axis, measure_structures

logger = logging.getLogger(__name__)

_ONE_SIDED = "some of its lesions are in one of the two studies only"
_CONTRARY = 20.0
"""A change of volume, in percent, that a contrary change of the axes must not hide."""

_UNSURE = (Outcome.MERGED, Outcome.SPLIT, Outcome.REGROUPED)


@dataclass(frozen=True, eq=False)
class Followup:
    """What changed between two studies of a patient.

    Attributes:
        before: the earlier study.
        after: the later one.
        registration: how the earlier one lies in the later one.
        structures: the change of each label, in their order.
        lesions: the change of the lesions of each match, with a letter each.
        recist: the response category.
        maps: where the lesions of each structure lie, in the earlier and the later study.
        farthest_mm: see `match_lesions`.
        smallest_ml: smaller lesions were left out.
        warnings: what is doubtful.
    """

    before: Case
    after: Case
    registration: Registration
    structures: tuple[LesionChange, ...]
    lesions: tuple[LesionChange, ...]
    recist: Recist
    maps: dict[str, tuple[LesionMap, LesionMap]]
    farthest_mm: float
    smallest_ml: float
    warnings: tuple[str, ...]

    @property
    def days(self) -> int | None:
        """From the earlier to the later study; None where a date is not known."""
        if self.before.date is None or self.after.date is None:
            return None
        return (self.after.date - self.before.date).days

    def is_target(self, change: LesionChange) -> bool:
        """Whether a target lesion is among those of a change."""
        targets = {(one.structure, one.lesion) for one in self.recist.targets}
        return any((one.name, one.lesion) in targets for one in change.before)


def compare_studies(
    before: Case,
    after: Case,
    *,
    structures: Sequence[str] = (),
    registered: bool = True,
    farthest_mm: float = FARTHEST_MM,
    smallest_ml: float = 0.0,
    same_patient: bool = False,
) -> Followup:
    """Register two studies, match their lesions, and measure how these changed.

    Args:
        before: the earlier study.
        after: the later one.
        structures: names of the labels whose pieces are lesions, see `choose_lesions`.
        registered: whether the earlier image is moved onto the later one; False for two masks on
            one grid.
        farthest_mm: see `match_lesions`.
        smallest_ml: lesions of a smaller volume are left out.
        same_patient: give a RECIST category also where the headers or the images look like those
            of two patients.

    Raises:
        ValueError: both are one label map, their labels differ, the later study is of an earlier
            day, an image is missing, or the registration failed.
    """
    _check_pair(before, after)
    check_same_table(before.labels, after.labels)
    chosen = choose_lesions(before.labels, structures)
    registration = _register(before, after) if registered else stay(before.geometry, after.geometry)
    names = [label.whole_name for label in chosen]
    measured = [
        measure_structures(case.mask, case.geometry, case.labels, pieces_of=names)
        for case in (before, after)
    ]
    maps = _map_lesions((before, after), measured, chosen, smallest_ml)
    dates = (before.date, after.date)
    matched = (
        change
        for pair in maps.values()
        for change in _compare_lesions(pair, registration, farthest_mm, dates)
    )
    lesions = [replace(one, letter=make_letters(number)) for number, one in enumerate(matched)]
    whole = [[one for one in side if not one.lesion] for side in measured]
    changes = tuple(
        _compare_whole(old, new, lesions, dates) for old, new in zip(*whole, strict=True)
    )
    recist = assess_response(
        lesions,
        organs=find_organs(before.labels),
        slice_thickness_mm=before.geometry.spacing_mm[find_slice_axis(before.geometry)],
        doubt="" if same_patient else _doubt_patient(before, after, registration),
    )
    doubts = tuple(_list_doubts(before, after, registration, lesions))
    for doubt in doubts:
        logger.warning("%s", doubt)
    return Followup(
        before=before,
        after=after,
        registration=registration,
        structures=changes,
        lesions=tuple(lesions),
        recist=recist,
        maps=maps,
        farthest_mm=farthest_mm,
        smallest_ml=smallest_ml,
        warnings=doubts,
    )


def _map_lesions(
    cases: tuple[Case, Case],
    measured: Sequence[Sequence[Measurement]],
    chosen: Sequence[Label],
    smallest_ml: float,
) -> dict[str, tuple[LesionMap, LesionMap]]:
    """Where the lesions of each chosen label lie, in the earlier and the later study."""
    maps = {}
    for label in chosen:
        first, second = (
            map_lesions(case.mask, case.geometry, label, side, smallest_ml=smallest_ml)
            for case, side in zip(cases, measured, strict=True)
        )
        maps[label.whole_name] = first, second
    return maps


def _check_pair(before: Case, after: Case) -> None:
    if os.path.samefile(before.mask_file, after.mask_file):
        raise ValueError(
            f"--before and --after are one label map, {before.mask_file}: name two studies"
        )
    if before.date and after.date and after.date < before.date:
        raise ValueError(
            f"the study of --after is of an earlier day ({after.date}) than that of --before "
            f"({before.date}): exchange them, or give the right days with --before-date and "
            "--after-date"
        )


def _register(before: Case, after: Case) -> Registration:
    if before.image is None or after.image is None:
        raise ValueError(
            "registration needs the images of both studies: read both cases with their images"
        )
    return register(before.image, before.geometry, after.image, after.geometry)


def _compare_lesions(
    maps: tuple[LesionMap, LesionMap],
    registration: Registration,
    farthest_mm: float,
    dates: tuple[date | None, date | None],
) -> Iterator[LesionChange]:
    """The changes of the lesions of one label."""
    before, after = maps
    for match in match_lesions(before, after, registration.matrix, farthest_mm=farthest_mm):
        yield measure_change(
            [before.measurements[number - 1] for number in match.before],
            [after.measurements[number - 1] for number in match.after],
            match=match,
            dates=dates,
        )


def _compare_whole(
    old: Measurement,
    new: Measurement,
    lesions: Sequence[LesionChange],
    dates: tuple[date | None, date | None],
) -> LesionChange:
    """The change of a whole structure, which doubles only where all its lesions go on."""
    change = measure_change([old], [new], match=None, dates=dates)
    if change.doubling_days is None:
        return change
    one_sided = [
        one for one in lesions if one.structure == old.name and not (one.before and one.after)
    ]
    return change.without_doubling(_ONE_SIDED) if one_sided else change


def _doubt_patient(before: Case, after: Case, registration: Registration) -> str:
    """Why the two studies may not be of one patient; "" where nothing says so."""
    if before.patient and after.patient and before.patient != after.patient:
        return "the images state different PatientIDs"
    if registration.similarity is not None and registration.similarity < DOUBTFUL_SIMILARITY:
        return (
            f"the images have a similarity of {registration.similarity:.2f}, as those of two "
            "patients have"
        )
    return ""


def _list_doubts(
    before: Case, after: Case, registration: Registration, lesions: Sequence[LesionChange]
) -> Iterator[str]:
    """What a reader of the comparison has to know."""
    yield from registration.warnings
    if before.patient and after.patient and before.patient != after.patient:
        yield "the images state different PatientIDs: make sure that they are of one patient"
    if _is_same_image(before, after):
        yield (
            "both studies have the identical image, voxel for voxel: make sure that --before and "
            "--after are two studies"
        )
    if before.date is not None and before.date == after.date:
        yield (
            f"both studies are of one day ({before.date}): make sure that they are two, or give "
            "their days with --before-date and --after-date"
        )
    if before.made_by != after.made_by:
        yield (
            f"the masks were made by {before.made_by or 'an unknown bundle'} and "
            f"{after.made_by or 'an unknown bundle'}: a change may be one of the method"
        )
    for change in lesions:
        yield from _list_doubts_of(change)


def _is_same_image(before: Case, after: Case) -> bool:
    """Whether both images have the same voxels on the same grid."""
    if before.image is None or after.image is None:
        return False
    if before.geometry.describe_difference(after.geometry):
        return False
    return np.array_equal(before.image, after.image)


def _list_doubts_of(change: LesionChange) -> Iterator[str]:
    for side, found in (("earlier", change.before), ("later", change.after)):
        if edge := [str(one.lesion) for one in found if one.is_at_edge]:
            them = f" ({', '.join(edge)})" if len(found) > 1 else ""
            yield (
                f"{change.label} reaches the edge of the {side} image{them}: it may go on outside, "
                "so its sizes there are lower bounds"
            )
    match = change.match
    if match is None:
        return
    volume, axis = change.volume_ml.percent, change.long_axis_mm.percent
    if volume is not None and axis is not None and volume * axis < 0 and abs(volume) >= _CONTRARY:
        yield (
            f"{change.label}: the volume changed by "
            f"{volume:+.0f} % and the long axes by {axis:+.0f} %: the RECIST category, which goes "
            "by the axes, does not show this"
        )
    if match.outcome in _UNSURE:
        yield (
            f"the lesions of {change.label} have {match.outcome.value}: their sizes are compared "
            "as sums"
        )
    elif match.outcome is Outcome.OUTSIDE:
        yield f"{change.label} lies outside the other image: what became of it is not known"
    elif match.outcome is Outcome.NEW and (change.long_axis_mm.after or 0.0) < SMALLEST_MM:
        yield (
            f"{change.label} is new and less than {SMALLEST_MM:g} mm long "
            f"({change.volume_ml.after:.3f} mL): make sure that it is no fault of the "
            "segmentation; --min-volume leaves small ones out"
        )
    elif match.matched_by == "distance":
        yield (
            f"the lesions of {change.label} do not overlap and are {match.distance_mm:.1f} mm "
            "apart: make sure that they are one lesion"
        )
