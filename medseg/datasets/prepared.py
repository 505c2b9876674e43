"""Prepared: a dataset as `medseg prepare` leaves it, checked once, and its cases for a bundle.

A prepared folder holds the pictures or volumes of each case and `datalist.json`, see
`medseg.datasets.datalist`. The patients held out for testing and the folds depend on `seed` and
`folds` alone and are dealt again for each call of `cases`; those in the file are of the defaults.
"""

import json
import logging
import os
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medseg.base.arguments import is_number
from medseg.base.choices import check_choices
from medseg.base.text import counted
from medseg.datasets import datalist
from medseg.datasets.converters import CONVERTERS
from medseg.datasets.datalist import Item
from medseg.datasets.sources.integrity import check_cases

logger = logging.getLogger(__name__)

FILE = "datalist.json"
_FORMER = {f"lidc-{view}": f"lung_nodule-{view}" for view in ("patches", "slices")}
"""Names that datalists of earlier versions have, and what the dataset is called now."""

_KINDS = {"case": (str, int), "patient": (str, int), "image": (str,), "label": (str,)}
_KEYS = tuple(_KINDS)
_KINDS["instances"] = _KINDS["image"]
"""Types that the entries of a case may have; those of one entry are the same in all cases."""

_HELD_OUT = "held_out"  # marks the test cases that are dealt here, as against published ones


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
    tell_few: bool = True,
) -> dict[str, Any]:
    """Check the files of a prepared set and write its `datalist.json`.

    Every image is read and hashed by its values. Cases with the same image count as one patient, so
    that no copy is on both sides of a split; a copy of a published test case is left out of the
    training cases. Either is logged, and so are cases of an earlier datalist that are gone; their
    files stay.

    Args:
        out: the prepared folder.
        name: name of the dataset.
        items: the cases to train on, with the keys case, patient, image and label, the paths
            relative to `out`; "instances", numbered objects, where there are any.
        testing: the published test cases, likewise; their label may be unknown.
        test_share: share of the patients of `items` held out for testing, beside `testing`.
        label_values: every value that a label map may have.
        folds: number of folds in the file; fewer where there are fewer patients.
        seed: seed of the test patients and of the folds in the file.
        tell_few: whether to log that there are too few patients to part them; one of several views
            of the same patients says it for all.

    Returns:
        The datalist as written. How many cases it has is logged.

    Raises:
        TypeError: a case or patient that is neither text nor a whole number, or of both kinds in
            one set, a path that is none, a case that is no dictionary, label values that are no
            whole numbers, or a share that is no number.
        ValueError: no cases, a case without one of its keys, folds or a seed out of range; or a
            file is missing or cannot be read, a label has another size or grid than its image, or a
            value that is not declared. Every faulty case is logged, the message names the first;
            nothing is written.
    """
    root = Path(out)
    _check_shares(folds=folds, seed=seed, test_share=test_share)
    items, testing = _plain(items), _plain(testing)
    _check_kinds([*items, *testing], label_values)
    items, testing = _named_by_text(items), _named_by_text(testing)
    if not items:
        raise ValueError(f"{name} has no cases to write to {root}: give the dataset as published")
    digests = check_cases(root, [*items, *testing], label_values)
    kept = _without_copies_of_tests(items, testing, digests)
    kept = _copies_as_one_patient(kept, digests)
    made = _dealt(
        *(name, kept, testing),
        test_share=test_share,
        folds=folds,
        seed=seed,
        few=True,
        tell_few=tell_few,
    )
    _log_gone(root, {item["case"] for item in (*items, *testing)}, name=name)
    path = datalist.write(made, root / FILE)
    logger.info(
        "%s: %s for training in %d folds, %d for testing",
        *(path, counted(len(made["training"]), "case"), made["folds"], len(made["testing"])),
    )
    return made


def check_out(
    out: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    name: str,
    views: Collection[str] = (),
) -> None:
    """Refuse a folder that a dataset should not be prepared in, before anything is written.

    Args:
        out: the folder to write; it may hold an earlier run of the same dataset.
        source: the dataset as published.
        name: name of the dataset, as in its datalist.
        views: folders of `out` with a datalist each, of the name `<name>-<view>`; none means one
            datalist in `out` itself.

    Raises:
        ValueError: the source is a folder that was prepared; or `out` is a file, is the source
            folder, lies in it or holds it, links followed, or it or a folder in it has the datalist
            of another dataset.
    """
    target, origin = Path(out), Path(source)
    if os.path.lexists(target) and not target.is_dir():
        raise ValueError(f"{target} is no folder: give --out a folder, new or of an earlier run")
    if origin.is_dir():
        for inner, outer, relation in (
            (target, origin, "is or lies in"),
            (origin, target, "holds"),
        ):
            if _lies_in(inner, outer):
                raise ValueError(
                    f"{target} {relation} the source {origin}: give --out a folder apart from it"
                )
    if (made := _prepared_from(origin)) is not None:
        raise ValueError(
            f"{origin} is of {made} and prepared already, it is no dataset as published: pass it "
            "to the bundle with --dataset_dir"
        )
    own = {target / view / FILE: f"{name}-{view}" for view in views} or {target / FILE: name}
    for file in sorted((*target.glob(FILE), *target.glob(f"*/{FILE}"))):
        if (found := _name_in(file)) != own.get(file):
            raise ValueError(
                f"{target} holds {file.relative_to(target)} of dataset {found}: "
                f"give --out another folder for {name}"
            )


def cases(
    dataset_dir: str | os.PathLike[str],
    section: str = "training",
    *,
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
) -> list[Item]:
    """List the cases of one section of a prepared set, for a bundle's dataset.

    Args:
        dataset_dir: folder that `medseg prepare` wrote.
        section: "training" (every fold but `fold`), "validation" (`fold`) or "test" (the published
            test cases, or those held out by `seed` alone).
        fold: the fold kept for validation, 0 to folds - 1.
        folds: number of folds.
        seed: seed of the test cases and of the folds.

    Returns:
        Dictionaries with the absolute paths "image" and, where known, "label" and "instances",
        "case" and "patient".

    Raises:
        FileNotFoundError: no prepared set there, or one of its files is gone.
        ValueError: a section or fold has no cases, or there are too few patients.

    Example:
        >>> cases("data/nuclei", "validation", fold=2)  # doctest: +SKIP
        [{"image": "/data/nuclei/images/00ae65c1.png", "label": ..., "case": ...}, ...]
    """
    root = Path(dataset_dir).absolute()
    if not (root / FILE).is_file():
        raise FileNotFoundError(
            f"no prepared data in {root} (looked for {FILE}): run `medseg prepare NAME --source "
            f"PATH --out {shlex.quote(str(root))}`, see `medseg prepare --help`"
        )
    made = datalist.read(root / FILE)
    pool = made["training"] + [item for item in made["testing"] if item.get(_HELD_OUT)]
    testing = [item for item in made["testing"] if not item.get(_HELD_OUT)]
    share = made.get("test_share")
    made = _dealt(made["name"], pool, testing, test_share=share, folds=folds, seed=seed)
    found = datalist.select(made, section, fold=fold)
    for key in ("image", "label", "instances"):
        files = [item[key] for item in found if key in item]
        if gone := [file for file in files if not os.path.exists(file)]:
            plural = key if key == "instances" else f"{key}s"
            raise FileNotFoundError(
                f"{len(gone)} of {len(files)} {plural} are gone, first {gone[0]}: prepare the set "
                "again"
            )
    return found


def declared_values(
    dataset_dir: str | os.PathLike[str], label_values: Sequence[int]
) -> tuple[int, ...]:
    """The values that a label map of a prepared set may hold, for the reader of a bundle.

    They are the `label_values` of the bundle: nothing in the folder declares fewer.

    Example:
        >>> declared_values("data/lung_nodule", [0, 1])
        (0, 1)
    """
    return tuple(label_values)


def is_prepared(dataset_dir: str | os.PathLike[str]) -> bool:
    """Whether `medseg prepare` wrote this folder, as against a dataset as published."""
    return (Path(dataset_dir) / FILE).is_file()


def _plain(items: Iterable[Mapping[str, Any]]) -> list[Item]:
    """The cases in types that JSON has: paths as text, numpy's numbers as Python's."""
    found = []
    for item in items:
        if not isinstance(item, Mapping):
            raise TypeError(
                f"a case is a dictionary with {', '.join(_KEYS)}, got {item!r}: give it as one"
            )
        found.append({key: _as_json(value) for key, value in item.items()})
    return found


def _named_by_text(items: Sequence[Item]) -> list[Item]:
    """The cases with a name that is text, as a datalist has it; one may be given as a number."""
    return [{**item, "case": str(item["case"])} for item in items]


def _check_shares(*, folds: Any, seed: Any, test_share: Any) -> None:
    """Refuse folds, a seed or a share of no use before any image is read."""
    check_choices({"folds": folds, "seed": seed})
    if test_share is not None and not is_number(test_share):
        raise TypeError(f"test_share is a number from 0 to 1 or None, got {test_share!r}: give one")


def _as_json(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _check_kinds(items: Sequence[Mapping[str, Any]], label_values: Collection[Any]) -> None:
    """Refuse names that cannot be sorted among each other or written, and labels of other kinds."""
    for value in label_values:
        if not is_number(value) or value % 1:
            raise TypeError(
                f"label_values holds {value!r}, a {type(value).__name__}: give whole numbers"
            )
    for item in items:
        for key in _KEYS:
            if key not in item and key != "label":
                name = item.get("case", item.get("image", "without a name"))
                raise ValueError(f"case {name} has no {key}: give each of {', '.join(_KEYS)}")
    for key, kinds in _KINDS.items():
        given = [item[key] for item in items if key in item]
        for value in given:
            if type(value) not in kinds or type(value) is not type(given[0]):
                first = "" if value is given[0] else f", that of the first case is {given[0]!r}"
                raise TypeError(
                    f"{key} {value!r} is a {type(value).__name__}{first}: give all as text"
                )


def _dealt(
    name: str,
    items: Sequence[Mapping[str, Any]],
    testing: Sequence[Mapping[str, Any]],
    *,
    test_share: float | None,
    folds: int,
    seed: int,
    few: bool = False,
    tell_few: bool = True,
) -> dict[str, Any]:
    """A datalist with test patients and folds; `few` makes the best of too few patients."""
    training = [{k: v for k, v in item.items() if k not in ("fold", _HELD_OUT)} for item in items]
    held: list[Item] = []
    patients = len({item["patient"] for item in training})
    if patients < (2 if test_share is None else 3):
        logger.log(
            logging.WARNING if tell_few else logging.DEBUG,
            "%s cannot be parted, it has %s: all cases are for testing",
            *(name, counted(patients, "patient")),
        )
        training, held = [], training
    elif test_share is not None:
        training, held = datalist.hold_out(training, test_share, seed=seed)
    testing = [*testing, *({**item, _HELD_OUT: True} for item in held)]
    if few:
        folds = min(folds, len({item["patient"] for item in training}))
    if not training:
        made = {"name": name, "seed": seed, "folds": folds, "training": [], "testing": testing}
    else:
        made = datalist.build(name, training, testing=testing, folds=folds, seed=seed)
    return made | {"test_share": test_share}


def _lies_in(inner: Path, outer: Path) -> bool:
    """Whether a folder, there already or not, is another one or lies in it, links followed."""
    path = Path(os.path.realpath(inner))
    return outer.exists() and any(
        folder.exists() and folder.samefile(outer) for folder in (path, *path.parents)
    )


def _prepared_from(source: Path) -> str | None:
    """The dataset of which a folder was prepared; None for one as published."""
    if not is_prepared(source):
        return None
    name = _name_in(source / FILE)
    return name if name in CONVERTERS else None


def _name_in(file: Path) -> str:
    """The dataset that a datalist names."""
    try:
        name = str(json.loads(file.read_text(encoding="utf-8"))["name"])
    except (KeyError, RecursionError, TypeError, ValueError):
        return "unknown"
    return _FORMER.get(name, name)


def _log_gone(root: Path, cases: Collection[str], *, name: str) -> None:
    """Tell the cases of the datalist that is to be replaced which are no longer in the source."""
    if not is_prepared(root):
        return
    before = datalist.read(root / FILE)
    listed = {item["case"] for item in (*before["training"], *before["testing"])}
    if gone := sorted(listed.difference(cases)):
        logger.warning(
            "no longer in the source: %s of %s, first %s; the files stay in %s, outside the "
            "datalist",
            *(counted(len(gone), "case"), name, gone[0], root),
        )


def _without_copies_of_tests(
    items: Sequence[Mapping[str, Any]],
    testing: Sequence[Mapping[str, Any]],
    digests: Mapping[str, str],
) -> list[Item]:
    tested = {digests[item["case"]]: item["case"] for item in testing}
    kept = []
    for item in items:
        if (twin := tested.get(digests[item["case"]])) is None:
            kept.append(dict(item))
        else:
            logger.warning(
                "case %s is left out: test case %s has the same image", item["case"], twin
            )
    return kept


def _copies_as_one_patient(items: Sequence[Item], digests: Mapping[str, str]) -> list[Item]:
    """Give the patients who share an image one name, the first in alphabetical order."""
    first_with: dict[str, str] = {}
    joined: dict[str, str] = {item["patient"]: item["patient"] for item in items}

    def root_of(patient: str) -> str:
        while joined[patient] != patient:
            patient = joined[patient]
        return patient

    for item in items:
        twin = first_with.setdefault(digests[item["case"]], item["case"])
        if twin == item["case"]:
            continue
        logger.warning("cases %s and %s have the same image: kept together", twin, item["case"])
        owner = next(other["patient"] for other in items if other["case"] == twin)
        low, high = sorted((root_of(owner), root_of(item["patient"])))
        joined[high] = low
    return [item | {"patient": root_of(item["patient"])} for item in items]
