"""Selection: choose one series among those of a folder, or refuse to guess.

A series of nothing but localizers, secondary captures, colour and objects without image slices
(SEG, RTSTRUCT, SR, ...) is a companion, which is left aside.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medseg.base.arguments import is_integer
from medseg.base.text import count_noun
from medseg.ingest.content import make_format_error
from medseg.ingest.dicom.judge import judge
from medseg.ingest.dicom.series import Series
from medseg.ingest.formats import is_volume_file
from medseg.ingest.reasons import SERIES_UID, IngestError, Reason, Verdict

logger = logging.getLogger(__name__)

RULES = ("largest",)
"""Ways to choose among several: the accepted or repaired image series with most slices."""

_NUMBER = re.compile(r"[+-]?\d{1,11}")  # an IS is at most 12 characters long

COMPANIONS = {
    Reason.NOT_AN_IMAGE: "no image",
    Reason.LOCALIZER: "localizer",
    Reason.SECONDARY_CAPTURE: "secondary capture",
    Reason.COLOUR: "colour image",
}
"""What lies beside the images of a study and is left aside, by the reason of its refusal."""

REFERRED_IMAGES = "pass the folder of the image series that they refer to"
"""What to do about objects that are no images, such as an RTSTRUCT and an SR."""


def choose_series(
    found: Sequence[Series],
    path: Path,
    *,
    series_uid: str | None = None,
    choose: str | int | None = None,
) -> Series:
    """Pick the series that is meant; a file that cannot be read leaves no choice but by UID.

    Args:
        found: what `find_series(path)` gave.
        path: where; for messages.
        series_uid: the UID of the one that is meant. It is taken beside damaged files, which are
            counted in a warning, unless one of them states the same UID, or states none and lies in
            a folder of the series.
        choose: the rule to go by where several image series are found, one of `RULES`, or the
            SeriesNumber of the one that is meant; a tie is refused. None refuses several.

    Returns:
        The series, which may be refused for reasons of its own. A rule that had to decide is
        recorded in it as "chosen-series".

    Raises:
        IngestError: "several-series", "unknown-series", "empty-folder", "unknown-format", or the
            reason of a file that may belong to any series.
        ValueError: an unknown rule, one beside a UID, or an empty UID.

    Example:
        >>> choose_series(find_series("cd"), Path("cd"), choose="largest")  # doctest: +SKIP
    """
    _check_arguments(series_uid, choose)
    damaged = [series for series in found if is_of_unknown_series(series)]
    if series_uid is not None:
        return _choose_by_uid(found, path, series_uid=series_uid, damaged=damaged)
    if damaged:
        return damaged[0]
    images = [s for s in found if not is_companion(s)] or _leave_objects(found)
    if not found:
        raise _make_empty_error(path)
    if not images:
        finding = f"{len(found)} series in {path}, none of which is an image: {_list_series(found)}"
        raise IngestError(Reason.NOT_AN_IMAGE, finding, remedy=REFERRED_IMAGES)
    if len(found) > len(images):
        logger.info("skipped %d series without image slices in %s", len(found) - len(images), path)
    if choose is not None and choose != "largest":
        return _choose_by_number(images, path, number=int(choose))
    if len(images) == 1:
        return images[0]
    if choose == "largest":
        return _choose_largest(images, path)
    finding = f"{len(images)} series in {path}: {_list_series(images)}"
    raise IngestError(Reason.SEVERAL_SERIES, finding, remedy=_make_remedy(images, found))


def is_companion(series: Series) -> bool:
    """Whether no file of the series could be a slice; one that could makes it an image series."""
    return series.reason in COMPANIONS and all(
        judge([s]).reason in COMPANIONS for s in series.slices
    )


def _leave_objects(found: Sequence[Series]) -> list[Series]:
    """Companions that are pictures at least, such as localizers; a lone object tells its reason."""
    pictures = [series for series in found if series.reason is not Reason.NOT_AN_IMAGE]
    return list(found) if len(found) == 1 else pictures


def get_number(series: Series) -> int | None:
    """The SeriesNumber that all slices share; None where they state none, or no whole number."""
    stated = {header.origin.series_number.strip() for header in series.slices}
    text = stated.pop() if len(stated) == 1 else ""
    return int(text) if _NUMBER.fullmatch(text) else None


def describe_briefly(series: Series) -> str:
    """A series by its number, or else its UID, with modality and slices; by no free text."""
    number = get_number(series)
    size = f"{series.modality or 'no modality'}, {count_noun(len(series.slices), 'slice')}"
    return f"series {series.uid if number is None else number} ({size})"


def _check_arguments(series_uid: str | None, choose: str | int | None) -> None:
    if choose is not None and choose not in RULES and not is_integer(choose):
        raise ValueError(
            f"choose must be {' or '.join(RULES)}, the number of a series, or None, got {choose!r}"
        )
    if series_uid == "":
        raise ValueError("series_uid is empty: pass a UID, or None and the folder of one series")
    if choose is not None and series_uid is not None:
        raise ValueError(
            f"series_uid={series_uid} and choose={choose!r} exclude each other: pass one of them"
        )


def _make_empty_error(path: Path) -> IngestError:
    if path.is_file():
        return make_format_error(path)
    volumes = sorted(file.name for file in path.iterdir() if is_volume_file(file))
    if not volumes:
        return IngestError(Reason.EMPTY_FOLDER, f"no DICOM in {path}")
    finding = f"no DICOM in {path}, but volume files such as {volumes[0]}"
    return IngestError(Reason.EMPTY_FOLDER, finding, remedy="pass the volume file itself")


def _choose_by_uid(
    found: Sequence[Series], path: Path, *, series_uid: str, damaged: Sequence[Series]
) -> Series:
    """The series of a UID; a file that is damaged or not there stands in for it where it may be it.

    What a DICOMDIR refers to and is not there may be of any series. A damaged file is of another
    one unless it states the UID, lies unnamed beside the files of the series, where it may be its
    first or last slice, or nothing else has the UID.
    """
    named = next((s for s in found if series_uid in _collect_uids(s) and s not in damaged), None)
    for series in damaged:
        if named is None or series.reason is Reason.NOT_FOUND or _may_belong_to(named, series):
            return series
    if named is not None:
        _warn_of_damaged(damaged, path, taken=named)
        return named
    holds = f", which holds {_list_series(found)}" if found else ""
    remedy = _make_remedy(found, found)
    raise IngestError(
        Reason.UNKNOWN_SERIES, f"no series {series_uid} in {path}{holds}", remedy=remedy
    )


def _choose_by_number(images: Sequence[Series], path: Path, *, number: int) -> Series:
    """The image series of a SeriesNumber, where one alone has it."""
    of_number = [series for series in images if get_number(series) == number]
    if len(of_number) == 1:
        return of_number[0]
    if of_number:
        finding = f"{len(of_number)} series of number {number} in {path}"
        remedy = _make_remedy(of_number, images)
        raise IngestError(
            Reason.SEVERAL_SERIES, f"{finding}: {_list_series(of_number)}", remedy=remedy
        )
    numbers = sorted({n for series in images if (n := get_number(series)) is not None})
    there = f"which has {', '.join(map(str, numbers))}" if numbers else "where none has a number"
    raise IngestError(
        Reason.UNKNOWN_SERIES,
        f"no image series of number {number} in {path}, {there}",
        remedy="pass a number that is there" if numbers else f"pass {SERIES_UID}",
    )


def _collect_uids(series: Series) -> set[str]:
    """The UID, and those of its slices where each file has one of its own."""
    return {series.uid, *(s.series_uid for s in series.slices)}


def _may_belong_to(named: Series, damaged: Series) -> bool:
    if damaged.uid:
        return damaged.uid == named.uid
    return bool({f.parent for f in damaged.files} & {f.parent for f in named.files})


def _warn_of_damaged(damaged: Sequence[Series], path: Path, *, taken: Series) -> None:
    count = sum(len(series.files) for series in damaged)
    if count and taken.verdict is not Verdict.REFUSE:
        files = f"{count} damaged file{'s' * (count > 1)}"
        logger.warning("series %s is taken without %s in %s", taken.uid, files, path)


def _choose_largest(images: Sequence[Series], path: Path) -> Series:
    usable = [s for s in images if s.verdict is not Verdict.REFUSE]
    most = max((len(s.slices) for s in usable), default=0)
    largest = [s for s in usable if len(s.slices) == most]
    if len(largest) != 1:
        what = "none is usable" if not largest else f"{len(largest)} share the most slices, {most}"
        finding = f"{len(images)} series in {path} and {what}: {_list_series(images)}"
        raise IngestError(Reason.SEVERAL_SERIES, finding, remedy=_make_remedy(images, images))
    chosen = largest[0]
    finding = f"{_describe(chosen)} is the largest of {len(images)} series in {path}"
    return replace(
        chosen, verdict=Verdict.REPAIR, notes=((Reason.CHOSEN_SERIES, finding), *chosen.notes)
    )


def is_of_unknown_series(series: Series) -> bool:
    """Files whose header is damaged or cut; a cut one may lack its UID or hold a part of it."""
    is_cut = series.reason is Reason.TRUNCATED and all(s.pixels is None for s in series.slices)
    return is_cut or not series.slices


def _list_series(found: Sequence[Series]) -> str:
    """What tells series apart without patient data; descriptions may hold some."""
    return ", ".join(_describe(series) for series in found)


def _describe(series: Series) -> str:
    sizes = sorted({f"{s.columns}x{s.rows}" for s in series.slices})
    size = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes"
    files = len(series.files)
    count = f"{files} file{'s' if files > 1 else ''}"
    refused = [f"refused as {series.reason}"] if series.verdict is Verdict.REFUSE else []
    number = get_number(series)
    named = [] if number is None else [f"number {number}"]
    facts = [*named, series.modality or "no modality", size, count, *refused]
    return f"{series.uid or _describe_place(series)} ({', '.join(facts)})"


def _make_remedy(images: Sequence[Series], found: Sequence[Series]) -> str | None:
    """How to name one of several series where not all have a UID; None, the usual, where all do.

    A series is passed alone as its only file, or as a folder that holds no file of another one.
    """
    unnamed = [series for series in images if not series.uid]
    if not unnamed:
        return None
    alone = [place for series in unnamed if (place := find_own_place(series, found)) is not None]
    way = (
        f"pass the place of one of them alone, such as {alone[0]}"
        if alone
        else "put the files of one of them into a folder of their own, and pass that folder"
    )
    is_any_named = len(unnamed) < len(images)
    return f"pass {SERIES_UID} of one that states it, or {way}" if is_any_named else way


def find_own_place(series: Series, found: Sequence[Series]) -> Path | None:
    """Where the series, and nothing else, is read from; None where it shares its folder."""
    if len(series.files) == 1:
        return series.files[0]
    folder = Path(os.path.commonpath([file.parent for file in series.files]))
    others = (file for other in found if other is not series for file in other.files)
    return None if any(folder in file.parents for file in others) else folder


def _describe_place(series: Series) -> str:
    """What stands for a UID that is not stated: the folder, which `load` takes."""
    folders = sorted({str(file.parent) for file in series.files})
    return f"no UID in {folders[0]}" if len(folders) == 1 else "no UID"
