"""Reader objects: which of the objects that were drawn on a series is of which reader."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path, PurePosixPath

from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.dicom.labelled_series import LabelledSeries, LabelObject
from medseg.datasets.own.pair_files import SEVERAL_READERS
from medseg.datasets.own.readers.name_readers import name_readers
from medseg.ingest.file_words import LABEL_WORDS, split_path

logger = logging.getLogger(__name__)

_KINDS = LABEL_WORDS | {"rtstruct", "rtss"}

Drawings = dict[str, tuple[LabelObject, ...]]
"""Reader -> what they drew on a series; "" where there are no readers."""


def describe_doubled(one: LabelledSeries, names: Mapping[str, str]) -> str:
    """What is wrong where objects of a series hold the same class, and are not told as readers'.

    Args:
        one: the series.
        names: of segments and structures -> class.

    Returns:
        A line with the remedy; "" where each class is in one object.
    """
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for label in one.objects:
        for held in _list_classes(label, names):
            holders[held].append(label.path.name)
    held, several = max(holders.items(), key=lambda item: len(item[1]), default=("", []))
    if len(several) < 2:
        return ""
    return (
        f"{len(several)} label objects of this series hold {held} ({shorten_list(several)}): keep "
        f"one of them, or {SEVERAL_READERS}"
    )


def name_drawings(
    labelled: Sequence[LabelledSeries], names: Mapping[str, str], root: Path
) -> tuple[list[Drawings], list[str]]:
    """The objects of each series by their readers.

    Objects without a class in common are parts of what one reader drew; otherwise each is all that
    one reader drew. The names of files tell readers, as those of label files do, where names come
    again in other cases. Else the person that every object states tells, by a number. Else objects
    are numbered in each case, which is a warning.

    Args:
        labelled: the series.
        names: of segments and structures -> class; objects without any of these are left out where
            others have some.
        root: folder of all.

    Returns:
        For each series what its readers drew, and for each what is wrong, "" for nothing.

    Example:
        >>> name_drawings([], {}, Path("scans"))
        ([], [])
    """
    shares, faults = [], []
    for one in labelled:
        used = [label for label in one.objects if _list_classes(label, names)] or one.objects
        faults.append(_find_fault(used, names))
        shares.append([tuple(used)] if _are_parts(used, names) else [(each,) for each in used])
    readers = _name_by_files(labelled, shares, root) or _name_by_people(shares)
    if readers is None:
        readers = [[f"reader_{n}" for n, _ in enumerate(share, start=1)] for share in shares]
        logger.warning(
            "names of files tell no reader of a label object in several cases, and objects state "
            "nobody: they are numbered in each case, so that reader_1 may be several people"
        )
    return [
        dict(sorted(zip(*each, strict=True))) for each in zip(readers, shares, strict=True)
    ], faults


def _list_classes(label: LabelObject, names: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(names[name] for name in label.names if name in names))


def _are_parts(objects: Sequence[LabelObject], names: Mapping[str, str]) -> bool:
    """Whether no class is in two of the objects."""
    counts = Counter(held for label in objects for held in _list_classes(label, names))
    return max(counts.values(), default=1) == 1


def _find_fault(objects: Sequence[LabelObject], names: Mapping[str, str]) -> str:
    """What is wrong with objects of several readers: whose each is must be clear."""
    if _are_parts(objects, names):
        return ""
    for a, b in combinations(objects, 2):
        if not set(_list_classes(a, names)) & set(_list_classes(b, names)):
            return (
                f"{count_noun(len(objects), 'label object')} of this series are of several "
                f"readers, and {a.path.name} and {b.path.name} have no class in common: put what "
                "one reader drew into one object"
            )
    return ""


def _name_by_files(
    labelled: Sequence[LabelledSeries],
    shares: Sequence[Sequence[tuple[LabelObject, ...]]],
    root: Path,
) -> list[list[str]] | None:
    """The readers by the names of files; None where these tell none apart, or each in one case.

    Words for the kind of an object count only where no others tell.
    """
    several = sum(len(share) > 1 for share in shares)
    for passed in (_KINDS, frozenset[str]()):
        words, cases = {}, {}
        for one, share in zip(labelled, shares, strict=True):
            of_series = _split(one.series.files[0].parent, root)
            for first, *_ in share:
                own = [word for word in _split(first.path, root) if word not in passed]
                words[first.path] = own
                cases[first.path] = tuple(word for word in own if word in of_series)
        told = name_readers(words, cases)
        found = [[told[first.path] for first, *_ in share] for share in shares]
        counts = Counter(name for each in found for name in set(each))
        if _are_apart(found) and (several < 2 or max(counts.values(), default=0) > 1):
            return found
    return None


def _split(path: Path, root: Path) -> list[str]:
    """The words of a path below a folder."""
    parts = split_path(PurePosixPath(path.relative_to(root).as_posix()))
    return [word for part in parts for word in part]


def _name_by_people(
    shares: Sequence[Sequence[tuple[LabelObject, ...]]],
) -> list[list[str]] | None:
    """The readers by a number for each person that objects state; None where some state nobody."""
    if not all(first.drawn_by for share in shares for first, *_ in share):
        return None
    numbers: dict[str, str] = {}
    found = [
        [numbers.setdefault(first.drawn_by, f"reader_{len(numbers) + 1}") for first, *_ in share]
        for share in shares
    ]
    return found if _are_apart(found) else None


def _are_apart(found: Sequence[Sequence[str]]) -> bool:
    return all(len(set(each)) == len(each) for each in found)
