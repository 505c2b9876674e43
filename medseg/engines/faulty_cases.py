"""Faulty cases: name the cases of a training that cannot be used, of all sections at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from medseg.base.errors import find_root_cause
from medseg.engines.config_in_use import find_resolver
from medseg.transforms import LoadedDataset
from medseg.transforms.refused_cases import RefusedCasesError, list_refusals, read_or_explain

_DATASETS = {"training": "train#dataset", "validation": "validate#dataset"}


def check_cases(
    load: Callable[[Mapping[str, Any]], Any] | None,
    read_cases: Callable[..., Sequence[Mapping[str, Any]]],
    *place: Any,
    **split: int,
) -> None:
    """Make the datasets of a config, and name the cases of all sections that they refuse.

    A dataset refuses faulty cases when it is made, and then the next dataset is never made. So an
    expression of the config calls this first, and it makes all datasets. Datasets that would read a
    case only when it is used read all cases once for this. The test cases, which a training does
    not use, are read only if a case was refused.

    Args:
        load: how the datasets read a case; None where that is part of the preprocessing.
        read_cases: of a dataset, such as `medseg.datasets.lits.list_cases`.
        place: what `read_cases` takes before the section: the folder of the dataset.
        split: fold, folds and seed.

    Raises:
        ValueError: cases are refused; the line names each, with its section and the reason.
    """
    refused = {section: _refuse(key) for section, key in _DATASETS.items()}
    found = {section: error for section, error in refused.items() if error is not None}
    if not found:
        return
    if (of_test := _refuse_test_cases(load, read_cases, *place, **split)) is not None:
        found["test"] = of_test
    count = sum(error.count for error in found.values())
    reasons = [
        f"{section} {reason}" for section, error in found.items() for reason in error.reasons
    ]
    raise RefusedCasesError(reasons, count)


def _refuse(key: str) -> RefusedCasesError | None:
    """Make a dataset of the config, and return what it refuses, now or on reading its cases."""
    try:
        dataset = find_resolver().get_resolved_content(key)
        if isinstance(dataset, LoadedDataset):
            dataset.check()
    except RefusedCasesError as error:
        return error
    except RuntimeError as error:  # of MONAI, around that of the dataset
        cause = find_root_cause(error)
        if isinstance(cause, RefusedCasesError):
            return cause
        raise
    return None


def _refuse_test_cases(
    load: Callable[[Mapping[str, Any]], Any] | None,
    read_cases: Callable[..., Sequence[Mapping[str, Any]]],
    *place: Any,
    **split: int,
) -> RefusedCasesError | None:
    """The test cases with a label that cannot be used."""
    if load is None:
        return None
    try:
        cases = [case for case in read_cases(*place, "test", **split) if "label" in case]
    except (ValueError, FileNotFoundError):  # none
        return None
    reasons = list_refusals(read_or_explain(load, dict(case)) for case in cases)
    return RefusedCasesError(reasons, len(cases)) if reasons else None
