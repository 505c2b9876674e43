"""LIDC problems: parts of a download that could not be used, and the effect on the result."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from medseg.datasets.lidc.source import Annotations, name_case
from medseg.ingest import Series

REMEDIES = {
    "no-annotations": "download the XML of the series; the scan is left out",
    "no-images": "download the CT; the XML is left out",
    "series-mismatch": "the XML beside the CT is of another series; both are left out",
    "unusable-annotations": "correct or remove the file; its scan is left out",
    "refused-series": "see `medseg inspect`; the scan is left out",
    "split-series": "put all its slices into one folder and keep no other; the scan is left out",
    "resampled": "its masks were moved with it, see slices_interpolated in nodules.csv",
    "unknown-slice": "contours of no slice are left out; download missing slices",
    "outside-image": "contours with a point outside the image are left out",
    "zero-area": "contours with no pixel inside are left out",
    "empty-mark": "marks without a usable contour are left out",
    "off-scale": "characteristics off their scale are left out",
    "no-nodules": "no patch was made, so there is no datalist",
}
"""What a problem means for the result, by its code."""


LEFT_OUT = (
    "no-annotations",
    "no-images",
    "series-mismatch",
    "unusable-annotations",
    "refused-series",
    "split-series",
    "no-nodules",
)
"""The problems for which a whole scan or file is left out, not only a part of a mark."""


MOST_NAMED = 3
"""How many of the cases with the same problem are named."""


@dataclass(frozen=True)
class Problem:
    """What could not be used: the case or series, a code of `REMEDIES`, and what was found."""

    case: str
    code: str
    finding: str


def format_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Format each kind of problem in one line, however many cases have it.

    A single problem is given in full; of several, the first `MOST_NAMED` cases and the first
    finding are given. Kinds come in the alphabetical order of their codes.

    Example:
        >>> faults = [Problem(f"series {n}", "no-images", f"no CT for {n}.xml") for n in range(9)]
        >>> next(format_lines(faults)).partition(": download")[0]
        '9 x no-images: series 0, series 1, series 2 and 6 more, first: no CT for 0.xml'
    """
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.code, []).append(problem)
    for code, same in sorted(kinds.items()):
        first = same[0]
        where = f"{first.case}: " if first.case else ""
        line = f"{where}{first.finding} ({code})"
        if len(same) > 1:
            cases = ", ".join(problem.case for problem in same[:MOST_NAMED])
            more = f" and {len(same) - MOST_NAMED} more" if len(same) > MOST_NAMED else ""
            line = f"{len(same)} x {code}: {cases}{more}, first: {first.finding}"
        yield f"{line}: {REMEDIES[code]}"


def list_unreadable(found: Annotations) -> list[Problem]:
    """List the XML files that cannot be read."""
    return [
        Problem(f"file {path.name}", "unusable-annotations", reason)
        for path, reason in found.faults.items()
    ]


def list_unmatched(found: Annotations, orphans: Sequence[Series], seen: set[str]) -> list[Problem]:
    """List CT series without XML and XML without CT, as one problem where both lie together."""
    problems, explained = [], set()
    beside = {path.parent: uid for uid, paths in found.ct.items() for path in paths}
    for series in orphans:
        folder = series.files[0].parent
        code, finding = "no-annotations", f"no XML names series {series.uid}"
        if folder in beside:
            explained.add(beside[folder])
            code = "series-mismatch"
            finding = f"CT of series {series.uid}, XML of {beside[folder] or 'none'} in {folder}"
        problems.append(Problem(name_case(series), code, finding))
    for uid, paths in found.ct.items():
        if uid not in seen | explained:
            name = f"series {uid or 'without UID'}"
            problems.append(Problem(name, "no-images", f"no CT for {paths[0].name}"))
    return problems
