"""Fold split: the cases of a dataset in folds by patient, in an MSD-like JSON file, a datalist.

The format; each training case is in one fold, and `label` is absent where it is unknown::

    {"name": "lits", "seed": 0, "folds": 5,
     "training": [{"case": "a", "patient": "p1", "image": "a.nii", "label": "b.nii", "fold": 3}],
     "testing": [{"case": "t", "patient": "p9", "image": "t.nii"}]}

Where several readers drew a case, `readers` has the label of each, {"anna": "c.nii"}, and `label`
is what was made of them.

An image of several channels is a list of their files, with null for one that the case lacks.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from medseg.base.channels.case_paths import change_paths, list_paths
from medseg.base.files import whole
from medseg.datasets.sources.dataset_json import Item, read_object

SECTIONS = ("training", "validation", "test")
_KEYS = ("name", "seed", "folds", "training", "testing")
_SUCH_AS = '{"name": "kidney", "training": [...]}'
_FILES = ("image", "label", "instances")
_READERS = "readers"
_SHOWN = (*_FILES, _READERS, "case", "patient")


def build(
    name: str,
    training: Sequence[Mapping[str, Any]],
    *,
    testing: Sequence[Mapping[str, Any]] = (),
    folds: int = 5,
    seed: int = 0,
) -> dict[str, Any]:
    """Make a checked datalist, with the patients of `training` assigned to folds.

    Patients are shuffled by a generator of their own and assigned in turn, so folds differ by one
    patient at most. The same patients, `folds` and `seed` give the same folds on every machine.

    Args:
        name: name of the dataset.
        training: items with the keys case, patient, image and label (paths).
        testing: items with the keys case, patient, image and, where known, label.
        folds: number of folds, 2 or more.
        seed: seed of the shuffle.

    Raises:
        ValueError: fewer patients than folds, or anything that `check` refuses.

    Example:
        >>> items = [dict(case=c, patient=c, image=c + ".nii", label=c + "_mask.nii") for c in "ab"]
        >>> sorted(item["fold"] for item in build("toy", items, folds=2)["training"])
        [0, 1]
    """
    fold_of = _assign_folds([item["patient"] for item in training], folds=folds, seed=seed)
    datalist = {
        "name": name,
        "seed": seed,
        "folds": folds,
        "training": [{**item, "fold": fold_of[item["patient"]]} for item in training],
        "testing": [dict(item) for item in testing],
    }
    check(datalist)
    return datalist


def hold_out(
    items: Sequence[Item], share: float, *, seed: int = 0
) -> tuple[list[Item], list[Item]]:
    """Set `share` of the patients apart: (the rest, held out), at least one patient in each.

    For a dataset that comes without a test set. The patients held out depend on `seed` only, never
    on the fold, so that every fold of a cross-validation is tested on the same cases.

    Raises:
        ValueError: `share` outside (0, 1), or fewer than two patients.
    """
    patients = sorted({item["patient"] for item in items})
    if not 0 < share < 1:
        raise ValueError(f"share of patients held out is {share}: choose a number between 0 and 1")
    if len(patients) < 2:
        raise ValueError(
            f"{len(patients)} patients cannot be split into two sets: add cases of other patients"
        )
    count = min(max(round(share * len(patients)), 1), len(patients) - 1)
    held = set(np.random.default_rng(seed).permutation(patients)[:count].tolist())
    rest = [item for item in items if item["patient"] not in held]
    return rest, [item for item in items if item["patient"] in held]


def split(items: Sequence[Item], *, fold: int) -> tuple[list[Item], list[Item]]:
    """Split training items into (train, validation), where validation is the given fold.

    Raises:
        ValueError: the fold has no cases, or all cases are in it.
    """
    validation = [item for item in items if item["fold"] == fold]
    train = [item for item in items if item["fold"] != fold]
    if not validation or not train:
        if not items:
            raise ValueError("no case is for training, all are for testing: add other patients")
        counts = sorted(Counter(item["fold"] for item in items).items())
        held = ", ".join(f"fold {k}: {count}" for k, count in counts) or "none"
        what = "has no cases" if not validation else "holds every case, none is left to train on"
        raise ValueError(f"fold {fold} {what} ({len(items)} cases; {held}): choose another fold")
    return train, validation


def select(datalist: Mapping[str, Any], section: str, *, fold: int = 0) -> list[Item]:
    """One section's items: image, label, instances and readers (where known), case, patient.

    Args:
        datalist: as `build` or `read` returns it.
        section: "training", "validation" (the given fold) or "test".
        fold: the fold for validation; "test" does not depend on it.

    Raises:
        ValueError: unknown section, or a section without cases.
    """
    if section not in SECTIONS:
        raise ValueError(f"section {section!r} is unknown: choose one of {', '.join(SECTIONS)}")
    if section == "test":
        items = datalist["testing"]
    else:
        items = split(datalist["training"], fold=fold)[SECTIONS.index(section)]
    if not items:
        raise ValueError(f"{datalist['name']} has no test cases: choose training or validation")
    return [{key: item[key] for key in _SHOWN if key in item} for item in items]


def list_training(
    read_cases: Callable[..., Sequence[Item]],
    dataset_dir: str | os.PathLike,
    *,
    all_cases: bool = False,
    keep_readers: bool = False,
    **split: int,
) -> list[Item]:
    """The cases that a training learns from: all folds but one, or all of them.

    Args:
        read_cases: of a dataset, such as `medseg.datasets.lits.list_cases`.
        dataset_dir: as `read_cases` takes it.
        all_cases: whether those of the fold for validation are among them.
        keep_readers: whether the cases name the labels of their readers, which batches cannot hold.
        split: fold, folds and seed.
    """
    sections = SECTIONS[:2] if all_cases else SECTIONS[:1]
    found = [case for section in sections for case in read_cases(dataset_dir, section, **split)]
    return [{key: case[key] for key in case if keep_readers or key != _READERS} for case in found]


def count_cases(
    read_cases: Callable[..., Sequence[Any]],
    dataset_dir: str | os.PathLike,
    section: str,
    **split: int,
) -> int:
    """How many cases a section has; 0 where it has none, or its files are gone.

    Args:
        read_cases: of a dataset, such as `medseg.datasets.lits.list_cases`.
        dataset_dir: as `read_cases` takes it.
        section: "training", "validation" or "test".
        split: fold, folds and seed.
    """
    try:
        return len(read_cases(dataset_dir, section, **split))
    except (ValueError, FileNotFoundError):
        return 0


def check(datalist: Mapping[str, Any]) -> None:
    """Refuse a datalist that is incomplete, or that has a patient in two folds or in both sets.

    Raises:
        ValueError: a key is missing, a fold is out of range, a case name or a file (links resolved)
            occurs twice, or a patient is in two folds or in both training and testing.
    """
    missing = [key for key in _KEYS if key not in datalist]
    if missing:
        raise ValueError(f"datalist lacks {', '.join(missing)}: it needs {', '.join(_KEYS)}")
    training, testing = datalist["training"], datalist["testing"]
    _check_keys(training, ("case", "patient", "image", "label", "fold"))
    _check_keys(testing, ("case", "patient", "image"))
    for item in training:
        if item["fold"] not in range(datalist["folds"]):
            raise ValueError(
                f"case {item['case']} is in fold {item['fold']}: "
                f"choose 0 to {datalist['folds'] - 1}, or raise folds"
            )
    _check_unique(item["case"] for item in chain(training, testing))
    _check_files(chain(training, testing))
    _check_patients(training, testing)


def write(datalist: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Check a datalist and write it, whole or not at all; returns the path.

    Raises:
        ValueError: what `check` refuses; nothing is written then.
    """
    check(datalist)
    with whole(path) as partial:
        partial.write_text(json.dumps(datalist, indent=1) + "\n", encoding="utf-8")
    return Path(path)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check a datalist; relative paths in it start from the file's own folder.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not JSON, larger than lists of cases are, or what `check` refuses.
    """
    source = Path(path).absolute()
    if not source.is_file():
        raise FileNotFoundError(f"no datalist at {source}: write one with fold_split.write")
    datalist = read_object(source, such_as=_SUCH_AS)
    check(datalist)
    for item in chain(datalist["training"], datalist["testing"]):
        for key in _list_files(item):
            item[key] = change_paths(item[key], lambda path: str(source.parent / path))
        if _READERS in item:
            found = item[_READERS].items()
            item[_READERS] = {name: str(source.parent / file) for name, file in found}
    return datalist


def _assign_folds(patients: Iterable[str], *, folds: int, seed: int) -> dict[str, int]:
    names = sorted(set(patients))
    if folds < 2:
        raise ValueError(f"{folds} folds leave nothing to train on: choose 2 or more")
    if len(names) < folds:
        raise ValueError(
            f"{len(names)} patients are too few for {folds} folds: "
            "lower the number of folds or add cases of other patients"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    return {names[patient]: turn % folds for turn, patient in enumerate(order)}


def _list_files(item: Mapping[str, Any]) -> list[str]:
    return [key for key in _FILES if key in item]


def _check_keys(items: Iterable[Item], keys: Sequence[str]) -> None:
    for item in items:
        if not isinstance(item, Mapping):
            raise ValueError(f"{item!r} is not a case: write an object with {', '.join(keys)}")
        missing = [key for key in keys if key not in item]
        if missing:
            raise ValueError(f"case {item.get('case', '?')} lacks {', '.join(missing)}: add them")
        for key in ("case", *_list_files(item)):
            is_list = key == "image" and isinstance(item[key], list)
            paths = [path for path in item[key] if path is not None] if is_list else [item[key]]
            if not paths or not all(isinstance(path, str) for path in paths):
                raise ValueError(
                    f"case {item['case']} has the {key} {item[key]!r}, which is not text: write it "
                    "in quotes"
                )


def _check_unique(cases: Iterable[str]) -> None:
    twice = [case for case, count in Counter(cases).items() if count > 1]
    if twice:
        raise ValueError(
            f"case {twice[0]} is listed more than once: give each case a name of its own"
        )


def _check_files(items: Iterable[Item]) -> None:
    owner: dict[str, str] = {}
    for item in items:
        files = [(key, path) for key in _list_files(item) for path in list_paths(item[key])]
        files += [
            (f"label of reader {name}", file) for name, file in item.get(_READERS, {}).items()
        ]
        for key, path in files:
            file = os.path.realpath(path)
            if file in owner:
                raise ValueError(
                    f"{file} is used by case {owner[file]} and again by case {item['case']} as its "
                    f"{key}: a file belongs to one case only"
                )
            owner[file] = item["case"]


def _check_patients(training: Iterable[Item], testing: Iterable[Item]) -> None:
    place: dict[str, str] = {}
    placed = [(item, f"fold {item['fold']}") for item in training]
    for item, where in chain(placed, ((item, "testing") for item in testing)):
        if place.setdefault(item["patient"], where) != where:
            raise ValueError(
                f"case {item['case']} leaks: its patient is in {place[item['patient']]} and in "
                f"{where}; put all cases of a patient in one place"
            )
