"""LiTS: liver and liver tumour in CT, as LiTS or as the Medical Segmentation Decathlon gives it.

Labels are 0 background, 1 liver, 2 tumour. Two layouts are read, by file names alone:

- MSD Task03_Liver: `dataset.json`, `imagesTr`, `labelsTr`, `imagesTs` (`labelsTs` where known);
- LiTS: `volume-N.nii[.gz]`, `segmentation-N.nii[.gz]`, `test-volume-N.nii[.gz]`, in the folder or
  in any folder below it, such as "Training Batch 1".

Files may be of any format of `medseg.ingest.formats`. What cannot be used is left out, which a
warning says.

Neither says which scans share a patient, so each case counts as a patient. The patients
of 3D-IRCADb-01 are among the LiTS training volumes 28 to 48: that set is no external test for this.

Source: Bilic et al., The Liver Tumor Segmentation Benchmark (LiTS), Medical Image Analysis, 2023;
Antonelli et al., The Medical Segmentation Decathlon, Nature Communications, 2022 (CC BY-SA 4.0).
"""

import logging
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medseg.base.text import LeftOut
from medseg.base.walk import walk
from medseg.datasets import prepared
from medseg.datasets.datalist import Item, build, select
from medseg.datasets.sources import msd as _msd
from medseg.datasets.sources.bring import bring
from medseg.datasets.sources.layouts import BY_EITHER, is_other_task, nothing_found
from medseg.datasets.sources.msd_folders import tasks_below
from medseg.ingest.formats import without_suffix

logger = logging.getLogger(__name__)

LABEL_VALUES = (0, 1, 2)
"""Background, liver, tumour."""

_NAME = "liver"
_TASK = "Task03_Liver"
_MODALITY = "CT"
_PARTS = {"image": "images", "label": "labels"}
_LITS_FILE = re.compile(r"(volume|segmentation|test-volume)-(\d+)", re.IGNORECASE)


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
        dataset_dir: folder of either layout, or one that `prepare` wrote; a relative one starts
            from the working directory.
        section: "training" (every fold but `fold`), "validation" (`fold`) or "test" (the dataset's
            own test volumes, with a label only where `labelsTs` has one).
        fold: the fold kept for validation, 0 to folds - 1.
        folds: number of folds.
        seed: seed of the folds.

    Returns:
        Dictionaries with the absolute paths "image" and "label", "case" and "patient".

    Raises:
        FileNotFoundError: no data there; the message says where from and how to get it.
        ValueError: no file can be used, a section or fold has no cases, too few cases.

    Example:
        >>> cases("data/liver", "validation", fold=1)  # doctest: +SKIP
        [{"image": "/data/liver/imagesTr/liver_4.nii.gz", "label": ..., "case": "liver_4"}, ...]
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
    """Check every volume of a dataset as published and copy it into a prepared folder.

    `cases` reads the published folder as well; preparing adds the checks of `prepared.write`. A
    second run does what is left and what has changed. The label values are those that dataset.json
    declares, or `LABEL_VALUES`.

    Args:
        source: the folder as published.
        out: the folder to write.
        volume: which one of image files of several, from 0; see `medseg.ingest.load`, also for
            `affine` and `units`. With any of the three each volume is rewritten as NIfTI.

    Returns:
        The number of cases.

    Raises:
        FileNotFoundError: no data in `source`.
        ValueError: no file can be used, or what `prepared.check_out` or `prepared.write` refuses.
    """
    prepared.check_out(out, source, name=_NAME)
    root = Path(source).absolute()
    if is_other_task(_NAME, root):
        raise _nothing_in(root)
    reading = {"volume": volume, "affine": affine, "units": units}
    items, testing = (bring(out, part, parts=_PARTS, reading=reading) for part in _listed(root))
    values = _msd.label_values(_msd.locate(root, _TASK), LABEL_VALUES)
    prepared.write(out, _NAME, items, testing=testing, label_values=values)
    return len(items) + len(testing)


def declared_values(
    dataset_dir: str | os.PathLike[str], label_values: Sequence[int]
) -> tuple[int, ...]:
    """The values that a label map of `dataset_dir` may hold, see `_msd.values_to_read`."""
    return _msd.values_to_read(dataset_dir, _TASK, label_values)


def datalist(
    dataset_dir: str | os.PathLike[str], *, folds: int = 5, seed: int = 0
) -> dict[str, Any]:
    """Make the datalist of a LiTS or MSD Task03_Liver folder, with absolute paths.

    Cases are in the order of their numbers. A Task03_Liver folder inside `dataset_dir`, as the
    archive unpacks, is found too. Raises as `cases` does.
    """
    training, testing = _listed(Path(dataset_dir).absolute())
    return build("lits", training, testing=testing, folds=folds, seed=seed)


def _listed(root: Path) -> tuple[list[Item], list[Item]]:
    msd = _msd.locate(root, _TASK)
    found = _msd.read(msd, modality=_MODALITY) if msd else _read_lits(root)
    training, testing = found
    if not training:
        raise _nothing_in(root)
    return training, testing


def _read_lits(root: Path) -> tuple[list[Item], list[Item]]:
    found: dict[str, dict[str, Path]] = {"volume": {}, "segmentation": {}, "test-volume": {}}
    left = LeftOut()
    for folder, _, names in walk(root):
        for path in _msd.usable([folder / name for name in names], LeftOut()):
            if match := _LITS_FILE.fullmatch(without_suffix(path.name)):
                _msd.add(found[match[1].lower()], f"{int(match[2])}", path)
            else:
                left.add("not named volume-N or segmentation-N", [path.name])
    images = {f"volume-{n}": found["volume"][n] for n in sorted(found["volume"], key=int)}
    labels = {f"volume-{n}": path for n, path in found["segmentation"].items()}
    tests = {
        f"test-volume-{n}": found["test-volume"][n] for n in sorted(found["test-volume"], key=int)
    }
    training = _msd.pair(images, labels, left)
    testing = [_msd.item(case, tests, {}) for case in tests]
    if (images or labels) and not training:
        raise ValueError(f"none of the files in {root} can be used: {left}")
    if training:
        left.warn(logger, root, used=len(training) + len(testing))
    return training, testing


def _nothing_in(root: Path) -> FileNotFoundError:
    if not is_other_task(_NAME, root) and (below := tasks_below(root)):
        return FileNotFoundError(f"no liver data in {root} itself, {below}")
    is_free = not root.exists() or (root.is_dir() and not any(root.iterdir()))
    phantom_dir = shlex.quote(str(root)) if is_free else "DIR"
    return nothing_found(
        _NAME,
        root,
        looked_for="dataset.json with imagesTr and labelsTr, and for volume-N.nii with "
        "segmentation-N.nii",
        remedy="give LiTS (https://competitions.codalab.org/competitions/17094) or MSD "
        f"Task03_Liver (http://medicaldecathlon.com) {BY_EITHER}, or make a synthetic set with "
        f"`medseg phantom ct --out {phantom_dir}`",
    )
