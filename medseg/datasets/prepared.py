"""Prepared: a dataset as `medseg prepare` writes it, and its cases for a bundle.

A prepared folder holds the pictures or volumes of each case and `datalist.json`, see
`medseg.datasets.fold_split`. The patients held out for testing and the folds depend on `seed` and
`folds` alone. Each call of `list_cases` assigns them again; the file has those of the default
values.
"""

import logging
import os
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.base.arguments import is_number
from medseg.base.channels.case_paths import list_paths
from medseg.base.choices import check_choices
from medseg.base.text import count_noun
from medseg.datasets import fold_split
from medseg.datasets.entries import check_entries
from medseg.datasets.sources.dataset_json import Item
from medseg.datasets.sources.held_out import (
    DIGEST,
    HELD_OUT,
    keep_test_patients,
    warn_of_trained_tests,
)
from medseg.datasets.sources.integrity import (
    check_cases,
    drop_copies_of_tests,
    join_patients_with_copies,
)

logger = logging.getLogger(__name__)

FILE = "datalist.json"
_GIVEN_FOLDS = "given_folds"  # whether the folds came with the cases, and are kept
_OWN = "own"  # whether `medseg new` wrote the list, of files that stay where they are
_TESTED = "test_patients"  # those that stay for testing as long as the seed is the same


def write(
    out: str | os.PathLike[str],
    name: str,
    items: Sequence[Mapping[str, Any]],
    *,
    testing: Sequence[Mapping[str, Any]] = (),
    test_share: float | None = None,
    label_values: Collection[int],
    folds: int = 5,
    seed: int = 0,
    warn_of_few: bool = True,
    own: bool = False,
) -> dict[str, Any]:
    """Check the files of a prepared set and write its `datalist.json`.

    Every image is read and hashed by its values. Cases with the same image count as one patient, so
    that a split never separates copies. A copy of a published test case is left out of the training
    cases. Both are logged. Cases of an earlier datalist that are missing now are logged as well;
    their files stay.

    Args:
        out: the prepared folder.
        name: name of the dataset.
        items: the cases to train on, with the keys case, patient, image and label, the paths
            relative to `out`; "instances", numbered objects, where there are any. An image of
            several channels is a list, with None for one that the case lacks. Where each has a
            "fold", these are kept, whatever `folds` and `seed` are, and none is held out.
        testing: the published test cases, likewise; their label may be unknown.
        test_share: share of the patients of `items` held out for testing, beside `testing`.
        label_values: every value that a label map may have.
        folds: number of folds in the file; fewer where there are fewer patients.
        seed: seed of the test patients and of the folds in the file.
        warn_of_few: whether to warn that there are too few patients to split; of several views of
            the same patients only one warns.
        own: whether `medseg new` writes it, of files that stay where they are. Patients that the
            list in the folder has for testing then stay so with the same seed, when cases come or
            go; see `medseg.datasets.sources.held_out`.

    Returns:
        The datalist as written. How many cases it has is logged.

    Raises:
        TypeError: a case or patient that is neither text nor a whole number, or both kinds in one
            set; a value that is not a path; a case that is not a dictionary; label values that are
            not whole numbers; or a share that is not a number.
        ValueError: no cases, a case without one of its keys, folds or a seed out of range; or a
            file is missing or cannot be read, a label has another size or grid than its image, or a
            value that is not declared. Every faulty case is logged and the message names the first.
            Nothing is written then.
    """
    root = Path(out)
    _check_shares(folds=folds, seed=seed, test_share=test_share)
    items = list(items)
    given = {str(item["case"]): item["fold"] for item in items if "fold" in item}
    items, testing = check_entries(items, testing, label_values)
    if not items:
        raise ValueError(f"{name} has no cases to write to {root}: give the dataset as published")
    digests = check_cases(root, [*items, *testing], label_values)
    kept = drop_copies_of_tests(items, testing, digests)
    kept = join_patients_with_copies(kept, digests)
    former = fold_split.read(root / FILE) if own and is_prepared(root) else None
    if own:
        kept = [item | {DIGEST: digests[item["case"]]} for item in kept]
    tested = None
    if former is not None and test_share is not None:
        tested = keep_test_patients(kept, former, share=test_share, seed=seed)
    if given:
        made = _keep_folds(name, kept, testing, given=given, seed=seed)
    else:
        made = _assign_cases(
            *(name, kept, testing),
            test_share=test_share,
            folds=folds,
            seed=seed,
            few=True,
            warn_of_few=warn_of_few,
            tested=tested,
        )
    if former is not None:
        warn_of_trained_tests(made["testing"], former)
    _log_gone(root, {item["case"] for item in (*items, *testing)}, name=name)
    made |= {_OWN: True} if own else {}
    path = fold_split.write(made, root / FILE)
    logger.info(
        "%s: %s for training in %d folds, %d for testing",
        *(path, count_noun(len(made["training"]), "case"), made["folds"], len(made["testing"])),
    )
    return made


def list_cases(
    dataset_dir: str | os.PathLike[str],
    section: str = "training",
    *,
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
    part: str = "",
) -> list[Item]:
    """List the cases of one section of a prepared set, for a bundle's dataset.

    Args:
        dataset_dir: folder that `medseg prepare` wrote.
        section: "training" (every fold but `fold`), "validation" (`fold`) or "test" (the published
            test cases, or those held out by `seed` alone).
        fold: the fold kept for validation, 0 to folds - 1.
        folds: number of folds.
        seed: seed of the test cases and of the folds.
        part: the folder within `dataset_dir` that holds the set, where it holds several.

    Returns:
        Dictionaries with the absolute paths "image" and, where known, "label" and "instances",
        "case" and "patient".

    Raises:
        FileNotFoundError: no prepared set there, or one of its files is gone.
        ValueError: a section or fold has no cases, or there are too few patients.

    Example:
        >>> list_cases("data/nuclei", "validation", fold=2)  # doctest: +SKIP
        [{"image": "/data/nuclei/images/00ae65c1.png", "label": ..., "case": ...}, ...]
    """
    given = Path(dataset_dir).absolute()
    root = given / part
    if not (root / FILE).is_file():
        raise FileNotFoundError(
            f"no prepared data in {root} (looked for {FILE}): give the folder that has it with "
            "--dataset_dir, or make it with `medseg prepare NAME --source PATH --out "
            f"{shlex.quote(str(given))}`, see `medseg prepare --help`, or with `medseg "
            "new NAME --data PATH` for data of your own"
        )
    made = read_split(root / FILE, folds=folds, seed=seed)
    found = fold_split.select(made, section, fold=fold)
    _check_files_of(found, own=made["name"] if made.get(_OWN) else "")
    return found


def read_split(path: Path, *, folds: int, seed: int) -> dict[str, Any]:
    """The datalist of a prepared set, split as a training with these folds and this seed has it.

    Raises as `medseg.datasets.fold_split.read`, and ValueError where there are fewer patients than
    folds.
    """
    made = fold_split.read(path)
    return made if made.get(_GIVEN_FOLDS) else _assign_again(made, folds=folds, seed=seed)


def _assign_again(made: Mapping[str, Any], *, folds: int, seed: int) -> dict[str, Any]:
    """A datalist with the cases assigned to other folds and test cases."""
    pool = made["training"] + [item for item in made["testing"] if item.get(HELD_OUT)]
    testing = [item for item in made["testing"] if not item.get(HELD_OUT)]
    share = made.get("test_share")
    tested = made.get(_TESTED) if seed == made["seed"] else None
    again = _assign_cases(
        *(made["name"], pool, testing), test_share=share, folds=folds, seed=seed, tested=tested
    )
    return again | ({_OWN: True} if made.get(_OWN) else {})


def _keep_folds(
    name: str,
    items: Sequence[Item],
    testing: Sequence[Item],
    *,
    given: Mapping[str, int],
    seed: int,
) -> dict[str, Any]:
    """Make a datalist with the folds that the cases came with."""
    training = [{**item, "fold": given[item["case"]]} for item in items]
    folds = max(given.values()) + 1
    made = {"name": name, "seed": seed, "folds": folds, _GIVEN_FOLDS: True, "test_share": None}
    return made | {"training": training, "testing": list(testing)}


def _check_files_of(found: Sequence[Item], *, own: str) -> None:
    """Refuse cases whose files are gone; `own` is the name of a list of `medseg new`, or ""."""
    remedy = (
        f"put them back, or if the folder was moved, run `medseg new {own} --data NEW --replan`"
        if own
        else "prepare the set again"
    )
    listed = {
        key: [path for item in found for path in list_paths(item.get(key))]
        for key in ("image", "label", "instances")
    }
    listed["label of a reader"] = [
        file for item in found for file in item.get("readers", {}).values()
    ]
    for key, files in listed.items():
        if gone := [file for file in files if not os.path.exists(file)]:
            plural = {"instances": key, "label of a reader": "labels of readers"}.get(
                key, f"{key}s"
            )
            raise FileNotFoundError(
                f"{len(gone)} of {len(files)} {plural} are missing, first {gone[0]}: {remedy}"
            )


def read_declared_values(
    dataset_dir: str | os.PathLike[str], label_values: Sequence[int]
) -> tuple[int, ...]:
    """The values that a label map of a prepared set may hold, for the reader of a bundle.

    They are the `label_values` of the bundle: nothing in the folder declares fewer.

    Example:
        >>> read_declared_values("data/lung_nodule", [0, 1])
        (0, 1)
    """
    return tuple(label_values)


def is_prepared(dataset_dir: str | os.PathLike[str]) -> bool:
    """Whether `medseg prepare` wrote this folder."""
    return (Path(dataset_dir) / FILE).is_file()


def _check_shares(*, folds: Any, seed: Any, test_share: Any) -> None:
    """Refuse invalid folds, seed or share before any image is read."""
    check_choices({"folds": folds, "seed": seed})
    if test_share is not None and not is_number(test_share):
        raise TypeError(
            f"test_share must be a number from 0 to 1 or None, got {test_share!r}: give one"
        )


def _assign_cases(
    name: str,
    items: Sequence[Mapping[str, Any]],
    testing: Sequence[Mapping[str, Any]],
    *,
    test_share: float | None,
    folds: int,
    seed: int,
    few: bool = False,
    warn_of_few: bool = True,
    tested: Collection[str] | None = None,
) -> dict[str, Any]:
    """Make a datalist with test patients and folds; `few` accepts fewer patients than folds.

    The patients for testing are those of `tested`, or chosen by the seed.
    """
    training = [{k: v for k, v in item.items() if k not in ("fold", HELD_OUT)} for item in items]
    held: list[Item] = []
    patients = len({item["patient"] for item in training})
    if patients < (2 if test_share is None else 3):
        logger.log(
            logging.WARNING if warn_of_few else logging.DEBUG,
            "%s cannot be split into folds, it has %s: all cases are for testing",
            *(name, count_noun(patients, "patient")),
        )
        training, held = [], training
    elif tested is not None:
        held = [item for item in training if item["patient"] in tested]
        training = [item for item in training if item["patient"] not in tested]
    elif test_share is not None:
        training, held = fold_split.hold_out(training, test_share, seed=seed)
    testing = [*testing, *({**item, HELD_OUT: True} for item in held)]
    if few:
        folds = min(folds, len({item["patient"] for item in training}))
    if not training:
        made = {"name": name, "seed": seed, "folds": folds, "training": [], "testing": testing}
    else:
        made = fold_split.build(name, training, testing=testing, folds=folds, seed=seed)
    kept = {} if tested is None else {_TESTED: sorted(tested)}
    return made | {"test_share": test_share} | kept


def _log_gone(root: Path, list_cases: Collection[str], *, name: str) -> None:
    """Warn of cases in the datalist to be replaced that are no longer in the source."""
    if not is_prepared(root):
        return
    before = fold_split.read(root / FILE)
    listed = {item["case"] for item in (*before["training"], *before["testing"])}
    if gone := sorted(listed.difference(list_cases)):
        logger.warning(
            "no longer in the source: %s of %s, first %s; the files stay in %s, outside the "
            "datalist",
            *(count_noun(len(gone), "case"), name, gone[0], root),
        )
