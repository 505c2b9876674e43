"""Hippocampus: its anterior and posterior part in MR, as the Medical Segmentation Decathlon has it.

Labels are 0 background, 1 anterior, 2 posterior. The layout is that of Task04_Hippocampus:
`dataset.json`, `imagesTr`, `labelsTr`, `imagesTs`. The labels of `imagesTs` were never published,
so a fifth of the labelled cases is held out for testing. Each case counts as a patient, since it is
not published which cases share one. Every public set has a file of its own, also a small one.

Source: Simpson et al., A large annotated medical image dataset for the development and evaluation
of segmentation algorithms, 2019; Antonelli et al., The Medical Segmentation Decathlon, Nature
Communications, 2022 (CC BY-SA 4.0).
"""

from pathlib import Path

from medseg.datasets.file_dataset import VOLUME_OPTIONS, FileDataset
from medseg.datasets.sources import msd
from medseg.datasets.sources.dataset_json import Item

_TASK = "Task04_Hippocampus"


def _find_cases(root: Path) -> tuple[list[Item], list[Item]]:
    """The labelled cases of a task folder, or of one that holds it."""
    task = msd.find_task(root, _TASK)
    return (msd.read_task(task, modality="MR")[0] if task else []), []


DATASET = FileDataset(
    "hippocampus",
    _find_cases,
    label_values=(0, 1, 2),
    looked_for="dataset.json with imagesTr and labelsTr",
    give=f"MSD {_TASK} (http://medicaldecathlon.com)",
    folders={"image": "images", "label": "labels"},
    test_share=0.2,
    task=_TASK,
    options=VOLUME_OPTIONS,
    unit="different volume",
)
list_cases, make_datalist, prepare = DATASET.list_cases, DATASET.make_datalist, DATASET.prepare
read_declared_values = DATASET.read_declared_values
