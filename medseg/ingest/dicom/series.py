"""Series: group DICOM headers into series and judge each one.

A verdict needs headers only. Localizers and secondary captures among slices are left aside. Of the
rest `SLICE_RULES` are asked first, then, copies left out, `STACK_RULES` of the sorted slices; the
first rule that finds fault decides. Pixels are read only to tell copies,
and of a few slices to check their bits and sign, see `leave_out_copies` and `examine`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

from medseg.base.text import counted, listed
from medseg.base.walk import what_is_no_file
from medseg.geometry import Geometry
from medseg.ingest.dicom.dicomdir import referenced_files
from medseg.ingest.dicom.header import read_series_uid, read_slices
from medseg.ingest.dicom.notes import Note, name_of, notes_on
from medseg.ingest.dicom.pixels.real_world import in_one_scale
from medseg.ingest.dicom.remedies import Given, remedy_for
from medseg.ingest.dicom.resample import Resampling, not_resampled, plan_resampling
from medseg.ingest.dicom.rules.copies import leave_out_copies
from medseg.ingest.dicom.rules.slice_rules import (
    SLICE_RULES,
    is_captured_slice,
    is_localizer,
    is_secondary_capture,
)
from medseg.ingest.dicom.series_groups import (
    Groups,
    lone_slices,
    series_key,
    with_copied_folders_joined,
)
from medseg.ingest.dicom.slice import Slice
from medseg.ingest.dicom.stack import STACK_RULES, sorted_along_normal, stack_geometry
from medseg.ingest.dicom.suspect_files import faults_of_strays
from medseg.ingest.dicom.values.plausible_values import examine
from medseg.ingest.folder import files_below
from medseg.ingest.reasons import IngestError, Reason, Verdict, explain

RESAMPLED_REASONS = (Reason.MISSING_SLICES, Reason.UNEVEN_SPACING, Reason.TILTED_STACK)
"""What `resample=True` repairs."""

ACCEPTED_REASONS = (
    Reason.LOSSY_COMPRESSION,
    Reason.CONFLICTING_MODALITY,
    Reason.REAL_WORLD_VALUES,
    Reason.UNKNOWN_MODALITY,
    Reason.ABSENT_BY_TURNS,
    Reason.FEWER_IMAGES,
    Reason.UNLIKELY_VALUES,
    Reason.NOT_HOUNSFIELD,
)
"""What must be known of a series, without anything being assumed about it."""

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, eq=False)
class Series:
    """One DICOM series and what ingest thinks of it.

    Attributes:
        uid: Series Instance UID; empty where the files have none, or where that of a damaged file
            cannot be read.
        modality: "CT", "MR", ...
        slices: its headers, one for each frame, sorted along the slice normal unless refused,
            without those that were left aside; none for a file that cannot be read.
        verdict: accept, repair or refuse.
        notes: what was found, each with its code: why it is refused, or what was repaired or must
            be known; empty when there is nothing to say.
        geometry: the grid of the volume, None when refused.
        resampling: how slices are laid onto that grid, None where they lie on it.
        unreadable: the files that cannot be read, where that is what this stands for.
        given: what was passed, which remedies go by.
    """

    uid: str
    modality: str
    slices: tuple[Slice, ...]
    verdict: Verdict
    notes: tuple[Note, ...]
    geometry: Geometry | None
    resampling: Resampling | None = None
    unreadable: tuple[Path, ...] = ()
    given: Given = Given.FOLDER

    @property
    def reason(self) -> Reason:
        """The code behind the verdict: that of the first note."""
        return self.notes[0][0] if self.notes else Reason.OK

    @property
    def finding(self) -> str:
        """What was found and where, with the numbers: the first note; empty when there is none."""
        return self.notes[0][1] if self.notes else ""

    @property
    def message(self) -> str:
        """One line for people: finding, place and remedy of each note; empty without notes."""
        said = zip(self.notes, self.remedies, strict=True)
        return "; ".join(explain(*note, remedy=remedy) for note, remedy in said)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What to do about each note, by what was passed."""
        is_one_file = len(self.slices) > 1 and len({s.path for s in self.slices}) == 1
        return tuple(
            remedy_for(reason, given=self.given, is_one_file=is_one_file)
            for reason, _ in self.notes
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files in slice order."""
        return self.unreadable or tuple(dict.fromkeys(s.path for s in self.slices))


def find_series(path: str | Path, *, resample: bool = False) -> list[Series]:
    """Find the DICOM series below a folder, of a DICOMDIR or of a file, and judge each.

    Files that are no DICOM are passed over, and so are hidden files and a DICOMDIR in a folder. A
    file that was meant to be DICOM and cannot be read, a link to one that is not there, and one
    missing from the disk that a DICOMDIR describes, are returned as a refused series, one for those
    of a folder that share the reason, so that no slice is ever lost unnoticed. What tells such a
    file from notes and lists beside slices is in `medseg.ingest.dicom.suspect_files`. Links to
    folders are followed.
    Files with a Series Instance UID each that make one regular stack are one series. Those without
    are one where folder, study, patient and series number are the same; a folder with the same SOP
    Instance UIDs as another is its copy. Pixels are decoded of those slices alone that may be
    copies, and of a few, see `examine`.

    Args:
        path: a folder, searched with its subfolders; a DICOMDIR, whose files are looked at; or one
            file.
        resample: judge tilted, missing and unevenly spaced slices as what resampling makes of them.

    Returns:
        The series in the order of their UIDs; empty when there is no DICOM file.

    Raises:
        IngestError: "not-found".

    Example:
        >>> for series in find_series("study"):  # doctest: +SKIP
        ...     print(series.uid, series.verdict.value, series.reason.value, series.message)
    """
    try:
        files = _files(Path(path))
    except IngestError as error:
        if error.code is Reason.NOT_FOUND:
            raise
        return [replace(_damaged(Path(path), error), given=Given.FILE)]
    groups: Groups = {}
    faults: list[tuple[Path, IngestError]] = []
    others: list[Path] = []
    for file in files:
        try:
            headers = _headers(file, path)
        except IngestError as error:
            faults.append((file, error))
            continue
        if headers:
            groups.setdefault(series_key(headers[0]), []).extend(headers)
        else:
            others.append(file)
    faults.extend(faults_of_strays(others, {s.path for group in groups.values() for s in group}))
    groups = with_copied_folders_joined(groups)
    judged = [*_joined(groups), *_judged_alone(groups, resample=resample)]
    judged.sort(key=lambda series: series.uid)
    found = judged + _damaged_series(sorted(faults, key=itemgetter(0)))
    return [replace(series, given=_given(Path(path), files)) for series in found]


def _joined(groups: Groups) -> list[Series]:
    """Take files with a series UID each out of the groups where they are slices of one stack."""
    found = []
    for keys in list(lone_slices(groups)):
        slices = [s for key in keys for s in groups[key]]
        series = judge(slices)
        if series.verdict is Verdict.REFUSE or len(series.slices) < len(slices):
            continue
        folder = slices[0].path.parent
        finding = f"each of {len(slices)} files states another Series Instance UID in {folder}"
        notes = ((Reason.SERIES_PER_FILE, finding), *series.notes)
        found.append(replace(series, verdict=Verdict.REPAIR, notes=notes))
        for key in keys:
            del groups[key]
    return found


def _judged_alone(groups: Groups, *, resample: bool) -> list[Series]:
    return [judge(groups[key], resample=resample) for key in sorted(groups)]


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
    if not stack or _fit(stack, sliced):
        stack = sliced
    if len(stack) in (0, 1, len(slices)):
        return _judged(slices, resample=resample)
    return _with_left_aside(_judged(stack, resample=resample), slices)


def _fit(stack: Sequence[Slice], with_captures: Sequence[Slice]) -> bool:
    """Whether secondary captures go on with a stack: they were its slices, of another class."""
    if not 0 < len(stack) < len(with_captures):
        return False
    return _judged(with_captures, resample=False).verdict is not Verdict.REFUSE


def _judged(slices: Sequence[Slice], *, resample: bool) -> Series:
    slices = in_one_scale(slices)
    for reason, rule in SLICE_RULES:
        if finding := rule(slices):
            return _refused(slices, reason, f"{finding} in {name_of(slices)}")
    single = leave_out_copies(slices)
    try:
        ordered = examine(sorted_along_normal(single.slices))
    except IngestError as error:
        return _refused(slices, error.code, f"{error.finding} in {name_of(slices)}")
    series = _stacked(ordered, resample=resample)
    if len(single.slices) == len(slices):
        return series
    return _with_copies(series, slices, differing=single.differing)


def _stacked(ordered: Sequence[Slice], *, resample: bool) -> Series:
    for reason, rule in STACK_RULES:
        if finding := rule(ordered):
            finding = f"{finding} in {name_of(ordered)}"
            if resample and reason in RESAMPLED_REASONS:
                return _resampled(ordered, reason, finding)
            return _refused(ordered, reason, finding)
    return _usable(ordered, notes_on(ordered), geometry=stack_geometry(ordered))


def _with_copies(series: Series, slices: Sequence[Slice], *, differing: Sequence[str]) -> Series:
    """Record how many of the slices are copies of those that are read."""
    if series.verdict is Verdict.REFUSE:
        return series
    kind = "" if differing else "exact "
    copies = counted(len(slices) - len(series.slices), f"{kind}copy", plural=f"{kind}copies")
    but = f" but for {', '.join(differing)}" if differing else ""
    finding = f"{copies}{but} among {len(slices)} slices left out of {name_of(slices)}"
    finding += _by_folder(slices)
    notes = ((Reason.EXACT_COPIES, finding), *series.notes)
    return replace(series, verdict=Verdict.REPAIR, notes=notes)


def _by_folder(slices: Sequence[Slice]) -> str:
    """How many slices lie in which folder, where they lie in several; else empty."""
    counts = Counter(s.path.parent for s in slices)
    if len(counts) == 1:
        return ""
    return f" ({listed([f'{count} in {folder}' for folder, count in sorted(counts.items())])})"


def _with_left_aside(series: Series, slices: Sequence[Slice]) -> Series:
    """Record what of the slices is not in the series that the others make."""
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
    finding = f"{said} of {len(slices)} slices left aside in {name_of(slices)}"
    notes = ((Reason.LEFT_ASIDE, finding), *series.notes)
    return replace(series, verdict=Verdict.REPAIR, notes=notes)


def _given(path: Path, files: Sequence[Path]) -> Given:
    if path.is_dir():
        return Given.FOLDER
    return Given.FILE if list(files) == [path] else Given.DIRECTORY


def _files(path: Path) -> list[Path]:
    if os.path.isfile(path):
        referenced = referenced_files(path)
        return [path] if referenced is None else list(dict.fromkeys(referenced))
    if what := what_is_no_file(path):
        raise IngestError(Reason.NOT_FOUND, f"{path} is {what}")
    if not os.path.isdir(path):
        raise IngestError(Reason.NOT_FOUND, f"no such file or folder: {path}")
    return files_below(path)


def _headers(file: Path, source: str | Path) -> tuple[Slice, ...]:
    if os.path.isdir(file):
        raise IngestError(Reason.UNREADABLE, f"{file} is a folder that may not be read")
    if what_is_no_file(file) and os.path.isdir(source):
        return ()
    if not os.path.isfile(file):
        raise IngestError(Reason.NOT_FOUND, f"{source} refers to {file}, which is not there")
    return read_slices(file)


def _usable(
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


def _resampled(slices: Sequence[Slice], reason: Reason, finding: str) -> Series:
    if too_irregular := not_resampled(slices):
        return _refused(slices, reason, f"{finding}, and {too_irregular}")
    plan = plan_resampling(slices)
    notes = ((Reason.RESAMPLED, f"{finding}; {plan.outline}"), *notes_on(slices))
    return _usable(slices, notes, geometry=plan.geometry, resampling=plan)


def _damaged_series(faults: Sequence[tuple[Path, IngestError]]) -> list[Series]:
    """One series for the damaged files of a folder that state the same UID and share the reason."""
    alike: dict[tuple[str, Path, str], list[tuple[Path, IngestError]]] = {}
    for file, error in faults:
        uid = read_series_uid(file) if os.path.isfile(file) else ""
        words = _DIGITS.sub("", error.finding.replace(str(file), ""))
        alike.setdefault((uid, file.parent, words), []).append((file, error))
    return [_damaged_alike(uid, of_one) for (uid, _, _), of_one in alike.items()]


def _damaged_alike(uid: str, faults: Sequence[tuple[Path, IngestError]]) -> Series:
    (file, error), *more = faults
    files = f"{len(more)} more file{'s' * (len(more) > 1)} of {file.parent}"
    finding = f"{error.finding}, and likewise {files}" if more else error.finding
    series = _damaged(file, IngestError(error.code, finding))
    return replace(series, uid=uid, unreadable=tuple(path for path, _ in faults))


def _damaged(file: Path, error: IngestError) -> Series:
    return replace(_refused((), error.code, error.finding), unreadable=(file,))


def _refused(slices: Sequence[Slice], reason: Reason, finding: str) -> Series:
    return Series(
        uid=slices[0].series_uid if slices else "",
        modality=slices[0].modality if slices else "",
        slices=tuple(slices),
        verdict=Verdict.REFUSE,
        notes=((reason, finding),),
        geometry=None,
    )
