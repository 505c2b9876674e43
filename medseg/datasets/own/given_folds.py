"""Given folds: the folds of a dataset that come with it, in nnU-Net's splits_final.json."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from medseg.base.text import shorten_list
from medseg.datasets.sources.dataset_json import read_json
from medseg.ingest.file_words import make_key, split_path

FILE = "splits_final.json"


def read_given_folds(folder: Path, cases: Sequence[str]) -> dict[str, int]:
    """The fold of each case by `splits_final.json`; nothing where the folder has none.

    A case that no split validates on is in a fold behind all others, which is always trained on.

    Args:
        folder: of the dataset.
        cases: names of those with a label.

    Raises:
        ValueError: the file is damaged, names cases that are not there, leaves some out, validates
            on one twice, or trains on others than the rest.

    Example:
        >>> read_given_folds(Path("no such folder"), ["a"])
        {}
    """
    file = folder / FILE
    if not file.is_file():
        return {}
    try:
        content = read_json(file)
    except ValueError as error:
        raise ValueError(f"{file} cannot be used, {error}: correct it") from error
    try:
        splits = [(set(map(str, one["train"])), set(map(str, one["val"]))) for one in content]
    except (TypeError, KeyError) as error:
        raise ValueError(
            f'{file} holds no list of train and val: write [{{"train": [...], "val": [...]}}, ...]'
        ) from error
    splits = [(_find_cases(train, cases), _find_cases(val, cases)) for train, val in splits]
    known, named = set(cases), set().union(*(train | val for train, val in splits))
    if named != known:
        odd = sorted(named ^ known)
        raise ValueError(
            f"{file} and the folder do not name the same cases ({shorten_list(odd)}): correct it, "
            "or take it out of the folder to let medseg choose folds"
        )
    fold_of: dict[str, int] = {}
    for number, (train, val) in enumerate(splits):
        twice = sorted(val & fold_of.keys())
        if twice or train != known - val:
            why = f"validates twice on {twice[0]}" if twice else f"split {number} is no cut in two"
            raise ValueError(
                f"{file} is no cross-validation ({why}): take it out of the folder to let medseg "
                "choose folds"
            )
        fold_of |= dict.fromkeys(val, number)
    return {case: fold_of.get(case, len(splits)) for case in cases}


def _find_cases(names: Iterable[str], cases: Sequence[str]) -> set[str]:
    """Names as they are listed -> those of the cases, by their words; others stay as they are."""
    case_of = {_read_words(case): case for case in cases}
    return {name if name in cases else case_of.get(_read_words(name), name) for name in names}


def _read_words(name: str) -> tuple[str, ...]:
    return make_key(split_path(PurePosixPath(name)))
