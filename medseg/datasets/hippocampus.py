"""Hippocampus: its anterior and posterior part in MR, as the Medical Segmentation Decathlon has it.

Labels are 0 background, 1 anterior, 2 posterior. The layout is that of Task04_Hippocampus:
`dataset.json`, `imagesTr`, `labelsTr`, `imagesTs`. The labels of `imagesTs` were never published,
so a fifth of the labelled cases is set apart for testing. Each case counts as a patient: nothing
tells which share one.

Source: Simpson et al., A large annotated medical image dataset for the development and evaluation
of segmentation algorithms, 2019; Antonelli et al., The Medical Segmentation Decathlon, Nature
Communications, 2022 (CC BY-SA 4.0).
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medseg.datasets import prepared
from medseg.datasets.datalist import Item, build, hold_out, select
from medseg.datasets.sources import msd as _msd
from medseg.datasets.sources.bring import bring
from medseg.datasets.sources.layouts import BY_EITHER, is_other_task, nothing_found
from medseg.datasets.sources.msd_folders import tasks_below

LABEL_VALUES = (0, 1, 2)
"""Background, anterior, posterior."""

_NAME = "hippocampus"
_TASK = "Task04_Hippocampus"
_MODALITY = "MR"
_PARTS = {"image": "images", "label": "labels"}

TEST_SHARE = 0.2
"""Share of the labelled cases held out for testing, whatever the fold."""


def cases(
    dataset_dir: str | os.PathLike[str],
    section: str = "training",
    *,
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
) -> list[Item]:
    """List the cases of one section, for a bundle's dataset.

    Args:
        dataset_dir: a Task04_Hippocampus folder, the folder that holds it, or one that `prepare`
            wrote.
        section: "training" (every fold but `fold`), "validation" (`fold`) or "test" (the labelled
            cases held out by `seed` alone).
        fold: the fold kept for validation, 0 to folds - 1.
        folds: number of folds.
        seed: seed of the test cases and of the folds.

    Returns:
        Dictionaries with the absolute paths "image" and "label", "case" and "patient".

    Raises:
        FileNotFoundError: no data there; the message says where from.
        ValueError: no file can be used, a section or fold has no cases, too few cases.

    Example:
        >>> cases("data/hippocampus", "test")  # doctest: +SKIP
        [{"image": "/data/hippocampus/imagesTr/hippocampus_004.nii.gz", "label": ..., ...}, ...]
    """
    if prepared.is_prepared(dataset_dir):
        return prepared.cases(dataset_dir, section, fold=fold, folds=folds, seed=seed)
    return select(datalist(dataset_dir, folds=folds, seed=seed), section, fold=fold)


def prepare(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    volume: int | None = None,
    affine: str | None = None,
    units: str | None = None,
) -> int:
    """Check every volume of Task04_Hippocampus and copy it into a prepared folder.

    `cases` reads the published folder as well; preparing adds the checks of `prepared.write`. A
    second run does what is left and what has changed.

    Args:
        source: the folder as published.
        out: the folder to write.
        volume: which one of image files of several, from 0; see `medseg.ingest.load`, also for
            `affine` and `units`. With any of the three each volume is rewritten as NIfTI.

    Returns:
        The number of cases.

    Raises:
        FileNotFoundError: no data in `source`.
        ValueError: no file can be used, or what `prepared.check_out` or `prepared.write`
            refuses.
    """
    prepared.check_out(out, source, name=_NAME)
    root = Path(source).absolute()
    if is_other_task(_NAME, root):
        raise _nothing_in(root)
    reading = {"volume": volume, "affine": affine, "units": units}
    items = bring(out, _labelled(root), parts=_PARTS, reading=reading)
    values = _msd.label_values(_msd.locate(root, _TASK), LABEL_VALUES)
    prepared.write(out, _NAME, items, test_share=TEST_SHARE, label_values=values)
    return len(items)


def declared_values(
    dataset_dir: str | os.PathLike[str], label_values: Sequence[int]
) -> tuple[int, ...]:
    """The values that a label map of `dataset_dir` may hold, see `_msd.values_to_read`."""
    return _msd.values_to_read(dataset_dir, _TASK, label_values)


def datalist(
    dataset_dir: str | os.PathLike[str], *, folds: int = 5, seed: int = 0
) -> dict[str, Any]:
    """Make the datalist of a Task04_Hippocampus folder, absolute paths. Raises as `cases` does."""
    training, testing = hold_out(_labelled(Path(dataset_dir).absolute()), TEST_SHARE, seed=seed)
    return build("hippocampus", training, testing=testing, folds=folds, seed=seed)


def _labelled(root: Path) -> list[Item]:
    msd = _msd.locate(root, _TASK)
    labelled, _ = _msd.read(msd, modality=_MODALITY) if msd else ([], [])
    if not labelled and (below := tasks_below(root)):
        raise FileNotFoundError(f"no hippocampus data in {root} itself, {below}")
    if not labelled:
        raise _nothing_in(root)
    return labelled


def _nothing_in(root: Path) -> FileNotFoundError:
    return nothing_found(
        _NAME,
        root,
        looked_for="dataset.json with imagesTr and labelsTr",
        remedy=f"give MSD Task04_Hippocampus (http://medicaldecathlon.com) {BY_EITHER}",
    )
