"""Patients: whose each case is, by what a person says, by BIDS, or by its own name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from medseg.datasets.own.pair_files import Pair

_BIDS = re.compile(r"(?:^|/)(sub-[A-Za-z0-9]+)(?=[_/])")

FEWEST_NAMES, MOST_CASES = 3, 12
"""Names without their last word are taken for those of patients, if there are so many of them at
least, with so many cases each at most; else they are of a study or a site, unless a word of them is
a patient's."""

_NO_YEAR = r"(?!(?:19|20)\d\d(?:_|$))"
_NUMBERED = re.compile(
    r"(?:(?:^|_)(?:p|pt|pat|patient|s|sub|subj|subject|id|case|vol|volume|scan)[-_]?|^)"
    rf"{_NO_YEAR}\d+(?:_|$)",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(rf"(?:^|_)[A-Za-z]*-?{_NO_YEAR}\d{{3,}}(?:_|$)")


def find_patients(pairs: Sequence[Pair], folder: Path, pattern: str | None) -> list[str]:
    """The patient of each case: where nothing tells it, the case itself.

    Args:
        pairs: the cases.
        folder: of the data.
        pattern: a regular expression whose first group is the patient, looked for in the name of
            the case, and then in the path of its image below the folder. None for the patient that
            the data state, or else for the subject where all cases have one as in BIDS, `sub-01`.

    Raises:
        ValueError: the pattern finds no group in some case.
    """
    if pattern is not None:
        return [_match(pattern, pair, folder) for pair in pairs]
    subjects = [_BIDS.search(_find_place(pair, folder)) for pair in pairs]
    if all(subjects):
        found = [subject[1] if subject else "" for subject in subjects]
        return [pair.patient or each for pair, each in zip(pairs, found, strict=True)]
    return [pair.patient or pair.case for pair in pairs]


def describe_shared_names(cases: Sequence[str]) -> str:
    """Which patients the names of cases seem to share; empty if they do not.

    Args:
        cases: those that each count as a patient of their own.

    Example:
        >>> describe_shared_names(["p1_a", "p1_b", "p2_a", "p3_a"])[:63]
        'names look as if some patients had several cases (p1 has 2), an'
        >>> describe_shared_names(["p_1", "p_2", "p_3", "p_4"])
        ''
        >>> describe_shared_names(["p1_1", "p1_2", "p1_3", "p1_4"])[:63]
        'names look as if some patients had several cases (p1 has 4), an'
    """
    counts = Counter(case.rpartition("_")[0] for case in cases)
    sure = {name: n for name, n in counts.items() if _is_of_patient(name, len(counts))}
    if max(sure.values(), default=0) > 1:
        likely = sure
    elif "" in counts or len(counts) < FEWEST_NAMES or max(counts.values()) > MOST_CASES:
        return ""
    else:
        likely = counts
    most, count = max(likely.items(), key=lambda item: item[1])
    if count < 2:
        return ""
    return (
        f"names look as if some patients had several cases ({most} has {count}), and each case "
        "counts as a patient of its own, so that a split may separate them: pass --patients "
        "'(.+)_' if what stands before the last _ is the patient"
    )


def _is_of_patient(name: str, names: int) -> bool:
    """Whether names state a patient: p01 or 17, or, where they differ in it, ABC0001."""
    return bool(_NUMBERED.search(name) or (names >= FEWEST_NAMES and _LONG_NUMBER.search(name)))


def _match(pattern: str, pair: Pair, folder: Path) -> str:
    places = (pair.case, _find_place(pair, folder))
    match = next(filter(None, (re.search(pattern, place) for place in places)), None)
    if match is None or not match.groups() or not match[1]:
        raise ValueError(
            f"--patients {pattern} finds no group in the name of case {pair.case}, nor in its path "
            f"{places[1]}: write the part that is the patient in brackets, such as '(p[0-9]+)_'"
        )
    return match[1]


def _find_place(pair: Pair, folder: Path) -> str:
    """The path of the first image below the folder of the data, or its name."""
    file = next(filter(None, pair.images))
    below = file.relative_to(folder) if file.is_relative_to(folder) else Path(file.name)
    return below.as_posix()
