"""Prepare: convert a dataset by its name into the folder that its bundle reads."""

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from medseg.base.files import check_folder
from medseg.base.scratch import remove_abandoned
from medseg.base.text import count_noun
from medseg.base.watch import Watch
from medseg.datasets import lidc
from medseg.datasets.file_dataset import FileDataset
from medseg.datasets.fold_split import read
from medseg.datasets.picture_dataset import PictureDataset
from medseg.datasets.prepared import FILE

LIDC = "lung_nodule"

MODULES = {
    "brain_tumor": "brain_tumor",
    "cityscapes": "cityscapes",
    "em_membrane": "em_membrane",
    "hippocampus": "hippocampus",
    "kitti_road": "kitti_road",
    "liver": "lits",
    "liver_slices": "liver_slices",
    LIDC: "lidc",
    "nuclei": "nuclei",
    "polyp": "polyp",
}
"""Name of a dataset -> its module in `medseg.datasets`."""

_LEVELS = 2  # of folders below the prepared one, as in slices/images


@dataclass(frozen=True)
class Outcome:
    """What was made, in words, and whether every scan of the source is in it."""

    text: str
    is_complete: bool = True


def prepare(
    name: str,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    options: Mapping[str, Any] | None = None,
) -> Outcome:
    """Convert a dataset as published; a second run does what is left and what has changed.

    Args:
        name: a key of `MODULES`.
        source: folder or archive as published.
        out: folder to write, made if absent; it is refused where `check_output_folder` does.
        options: for "lung_nodule", `annotations` and the fields of `lidc.Settings`; for datasets
            of volume files `file_dataset.VOLUME_OPTIONS`; the other datasets have none.

    Raises:
        ValueError: an unknown dataset or option, faulty data, or `out` is refused.
        FileNotFoundError: the source is not there, or holds another dataset.
        OSError: a file cannot be written, see `medseg.base.files`, or a file that was written has
            disappeared during the run.

    Example:
        >>> prepare("nuclei", "stage1_train.zip", "data/nuclei").text  # doctest: +SKIP
        '598 cases in data/nuclei: 478 in 5 folds, 120 for testing'
    """
    if name not in MODULES:
        raise ValueError(f"dataset {name!r} is unknown: choose one of {', '.join(sorted(MODULES))}")
    chosen, known = dict(options or {}), _list_options(name)
    if unknown := sorted(set(chosen).difference(known)):
        remedy = f"choose one of {', '.join(known)}" if known else "leave it out"
        raise ValueError(f"dataset {name} has no option --{unknown[0]}: {remedy}")
    convert = _prepare_lidc if name == LIDC else partial(_prepare_by_record, name)
    with closing(Watch()) as watch:
        try:
            if not os.path.isfile(out):  # else the converter refuses it
                check_folder(out)
                remove_abandoned(out, levels=_LEVELS)
            outcome = convert(source, out, **chosen)
        finally:
            watch.check()  # also after an error, which may be due to a file that was taken away
    return outcome


def _list_options(name: str) -> tuple[str, ...]:
    if name == LIDC:
        return ("annotations", *(field.name for field in fields(lidc.Settings)))
    return _find_record(name).options


def _find_record(name: str) -> FileDataset | PictureDataset:
    return import_module(f"medseg.datasets.{MODULES[name]}").DATASET


def _prepare_by_record(
    name: str, source: str | os.PathLike[str], out: str | os.PathLike[str], **options: Any
) -> Outcome:
    record = _find_record(name)
    count, made = record.prepare(source, out, **options), read(Path(out) / FILE)
    training = len(made["training"])
    patients = len({item["patient"] for item in made["training"]})
    plural = f"{record.unit[:-1]}ies" if record.unit.endswith("y") else f"{record.unit}s"
    units = f" of {count_noun(patients, record.unit, plural=plural)}" if patients < training else ""
    return Outcome(
        f"{count_noun(count, 'case')} in {out}: {training}{units} in "
        f"{count_noun(made['folds'], 'fold')}, {len(made['testing'])} for testing"
    )


def _prepare_lidc(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    annotations: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Outcome:
    report = lidc.prepare(source, out, annotations=annotations, settings=lidc.Settings(**settings))
    text = (
        f"{count_noun(report.cases, 'scan')}, {count_noun(report.nodules, 'nodule')}, "
        f"{count_noun(report.patches, 'patch', plural='patches')} and "
        f"{count_noun(report.slices, 'slice')} in {out}"
    )
    if not report.ok:
        problems = count_noun(len(report.problems), "problem")
        text += f"; {problems}, see {os.path.join(out, 'problems.csv')}"
    return Outcome(text, is_complete=not report.exclusions)
