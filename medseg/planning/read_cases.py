"""Read cases: what a plan needs to know of each, or all that is wrong with them in one list."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from tqdm import tqdm

from medseg.base.console_streams import is_on_terminal
from medseg.base.text import count_noun
from medseg.datasets.own.class_names import are_mixed
from medseg.datasets.own.pair_files import Pair
from medseg.ingest import IngestError
from medseg.ingest.reasons import Reason
from medseg.planning.case_facts import CaseFacts, measure_case
from medseg.planning.checks.doubts import find_doubts
from medseg.planning.checks.label_values import find_empty, find_undeclared
from medseg.planning.checks.list_faults import list_faults
from medseg.planning.checks.odd_values import find_odd_values
from medseg.planning.remedies import name_remedy

logger = logging.getLogger(__name__)


def read_cases(
    pairs: Sequence[Pair],
    faults: Sequence[str],
    *,
    declared: Collection[int] = (),
    classes: Mapping[str, Sequence[int]],
    resample: bool = False,
) -> list[CaseFacts]:
    """The facts of all cases.

    Args:
        pairs: the cases.
        faults: what is wrong with them already, a line each.
        declared: the label values that dataset.json names; none where it names none.
        classes: class name -> label values that are known.
        resample: see `measure_case`.

    Raises:
        ValueError: there are faults. All of them were logged, and behind them what is odd about
            the cases that can be read.
    """
    found, all_faults = [], list(faults)
    for pair in tqdm(pairs, "reading cases", leave=False, disable=not is_on_terminal()):
        try:
            found.append(measure_case(pair, resample_channels=resample))
        except ValueError as fault:
            if not _is_known(fault, pair.case, faults):
                all_faults.append(str(fault))
    known = {*declared}.union(*classes.values())
    mixed = {1, 255} if are_mixed(one.counts for one in found) else set()
    all_faults += find_undeclared(found, declared) or find_odd_values(found, known | mixed)
    if all_faults:
        _raise(all_faults, found, [pair.case for pair in pairs])
    return found


def _is_known(fault: ValueError, case: str, faults: Sequence[str]) -> bool:
    """Whether a case has more volumes than it should, and a fault says so already."""
    cause = fault.__cause__
    is_of_volumes = isinstance(cause, IngestError) and cause.code is Reason.NOT_3D
    return is_of_volumes and any(line.startswith(f"case {case} ") for line in faults)


def _raise(faults: Sequence[str], found: Sequence[CaseFacts], cases: Collection[str]) -> None:
    """Log all faults, and what else is odd, and raise how many lines there are."""
    lines = [name_remedy(line) for line in list_faults(faults, cases)]
    odd = list_faults(_find_odd(found), cases)
    for line in [*lines, *odd]:
        logger.warning("%s", line)
    more = f", with {count_noun(len(odd), 'line')} to look at" if odd else ""
    raise ValueError(
        f"{count_noun(len(lines), 'fault')} in the data, listed above{more}: mend the faults, "
        "or take their cases out of the folder"
    )


def _find_odd(found: Sequence[CaseFacts]) -> list[str]:
    """What is odd about cases that can be read, a line each."""
    empty = find_empty(found)
    lines = [
        f"case {case}: its label holds background alone: correct it if it is unfinished"
        for case in empty
    ]
    if len({(len(one.shape), one.colours, len(one.channels)) for one in found}) == 1:
        doubts = [doubt for doubt in find_doubts(found) if doubt.case not in empty]
        lines += [f"case {doubt.case}: {doubt.finding}: look at it" for doubt in doubts]
    return lines
