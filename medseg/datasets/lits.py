"""LiTS: liver and liver tumour in CT, as LiTS or as the Medical Segmentation Decathlon gives it.

Labels are 0 background, 1 liver, 2 tumour. Two layouts are read, by file names alone:

- MSD Task03_Liver: `dataset.json`, `imagesTr`, `labelsTr`, `imagesTs` (`labelsTs` where known);
- LiTS: `volume-N.nii[.gz]`, `segmentation-N.nii[.gz]`, `test-volume-N.nii[.gz]`, in the folder or
  in any folder below it, such as "Training Batch 1".

Files may be of any format of `medseg.ingest.formats`. A warning names the files that cannot be used
and are left out.

Neither layout states which scans share a patient, so each case counts as a patient. The patients of
3D-IRCADb-01 are among the LiTS training volumes 28 to 48: that set is no external test for this.

Source: Bilic et al., The Liver Tumor Segmentation Benchmark (LiTS), Medical Image Analysis, 2023;
Antonelli et al., The Medical Segmentation Decathlon, Nature Communications, 2022 (CC BY-SA 4.0).
"""

import logging
import re
from pathlib import Path

from medseg.base.text import LeftOut
from medseg.base.walk import walk
from medseg.datasets.file_dataset import VOLUME_OPTIONS, FileDataset
from medseg.datasets.sources import msd
from medseg.datasets.sources.dataset_json import Item
from medseg.ingest.formats import strip_suffix

logger = logging.getLogger(__name__)

_TASK = "Task03_Liver"
_LITS_FILE = re.compile(r"(volume|segmentation|test-volume)-(\d+)", re.IGNORECASE)


def _find_cases(root: Path) -> tuple[list[Item], list[Item]]:
    """The training and the test cases of either layout, in the order of their numbers."""
    task = msd.find_task(root, _TASK)
    return msd.read_task(task, modality="CT") if task else _read_lits(root)


def _read_lits(root: Path) -> tuple[list[Item], list[Item]]:
    found: dict[str, dict[str, Path]] = {"volume": {}, "segmentation": {}, "test-volume": {}}
    left = LeftOut()
    for folder, _, names in walk(root):
        for path in msd.select_volumes([folder / name for name in names], LeftOut()):
            if match := _LITS_FILE.fullmatch(strip_suffix(path.name)):
                msd.add_file(found[match[1].lower()], f"{int(match[2])}", path)
            else:
                left.add("not named volume-N or segmentation-N", [path.name])
    images = {f"volume-{n}": found["volume"][n] for n in sorted(found["volume"], key=int)}
    labels = {f"volume-{n}": path for n, path in found["segmentation"].items()}
    tests = {
        f"test-volume-{n}": found["test-volume"][n] for n in sorted(found["test-volume"], key=int)
    }
    training = msd.pair_files(images, labels, left)
    testing = [msd.make_item(case, tests, {}) for case in tests]
    if (images or labels) and not training:
        raise ValueError(
            f"none of the files in {root} can be used ({left}): rename them, or give another folder"
        )
    if not training:
        return [], []
    left.warn(logger, root, used=len(training) + len(testing))
    return training, testing


DATASET = FileDataset(
    "liver",
    _find_cases,
    label_values=(0, 1, 2),
    looked_for="dataset.json with imagesTr and labelsTr, and for volume-N.nii with "
    "segmentation-N.nii",
    give="LiTS (https://competitions.codalab.org/competitions/17094) or "
    f"MSD {_TASK} (http://medicaldecathlon.com)",
    folders={"image": "images", "label": "labels"},
    task=_TASK,
    phantom="ct",
    options=VOLUME_OPTIONS,
    unit="different scan",
)
list_cases, make_datalist, prepare = DATASET.list_cases, DATASET.make_datalist, DATASET.prepare
read_declared_values = DATASET.read_declared_values
