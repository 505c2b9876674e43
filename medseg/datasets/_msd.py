"""MSD: reads a task folder of the Medical Segmentation Decathlon, by its file names.

A task holds `dataset.json`, `imagesTr`, `labelsTr` and `imagesTs` (`labelsTs` where known); each
case is one NIfTI of the same name on either side.

Source: Antonelli et al., The Medical Segmentation Decathlon, Nature Communications, 2022.
"""

import json
import re
from pathlib import Path

from medseg.datasets.datalist import Item

_NIFTI_FILE = re.compile(r"([^.].*)\.nii(?:\.gz)?")  # not the "._name" twins that the archives hold


def locate(root: Path, task: str) -> Path | None:
    """The task folder: `root`, or `root`/`task` as the archive unpacks; None if neither is one."""
    folders = (root, root / task)
    return next((folder for folder in folders if (folder / "dataset.json").is_file()), None)


def read(root: Path, *, task: str, structure: str) -> tuple[list[Item], list[Item]]:
    """The training and the test cases of a task folder, in the order of their numbers.

    Args:
        root: folder of `dataset.json`.
        task: its name, such as "Task03_Liver".
        structure: a word that the labels of this task name, such as "liver".

    Raises:
        ValueError: images and labels do not pair, `dataset.json` is of another task or lists other
            cases.
    """
    images, labels = _niftis(root / "imagesTr"), _niftis(root / "labelsTr")
    if not images and not labels:
        return [], []
    listed = _listed(root / "dataset.json", task=task, structure=structure)
    if listed is not None and listed != set(images):
        odd = ", ".join(sorted(listed ^ set(images))[:3])
        raise ValueError(
            f"{root / 'dataset.json'} lists {len(listed)} training cases but imagesTr holds "
            f"{len(images)} (see {odd}): unpack the archive again or correct dataset.json"
        )
    tests, test_labels = _niftis(root / "imagesTs"), _niftis(root / "labelsTs")
    if test_labels:
        _check_pairs(tests, test_labels, root)
    return pair(images, labels, root=root), [item(case, tests, test_labels) for case in tests]


def pair(images: dict[str, Path], labels: dict[str, Path], *, root: Path) -> list[Item]:
    """One item for each case, which has an image and a label.

    Raises:
        ValueError: one of the two is missing.
    """
    _check_pairs(images, labels, root)
    return [item(case, images, labels) for case in images]


def item(case: str, images: dict[str, Path], labels: dict[str, Path]) -> Item:
    """The item of a case; who the patient is stands nowhere, so each case counts as one."""
    made = {"case": case, "patient": case, "image": str(images[case])}
    return made | ({"label": str(labels[case])} if case in labels else {})


def add(found: dict[str, Path], case: str, path: Path) -> None:
    """Enter a file under its case.

    Raises:
        ValueError: the case has a file.
    """
    if case in found:
        raise ValueError(f"{found[case]} and {path} are the same case: remove one of the two")
    found[case] = path


def _niftis(folder: Path) -> dict[str, Path]:
    """Map case name -> file, in the order of the numbers in the names; empty without the folder."""
    found: dict[str, Path] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NIFTI_FILE.fullmatch(path.name)
        if match:
            add(found, match[1], path)
    return {case: found[case] for case in sorted(found, key=_by_number)}


def _by_number(case: str) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", case)], case


def _listed(path: Path, *, task: str, structure: str) -> set[str] | None:
    """Names of the training cases in dataset.json, or None where it lists none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        labels = json.dumps(content.get("labels", structure))
        listed = [Path(entry["image"]).name for entry in content.get("training", [])]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is not an MSD dataset.json ({error}): unpack it again") from error
    if structure not in labels.lower():
        raise ValueError(f"{path} is of another dataset (labels {labels}): give MSD {task}")
    return {re.sub(r"\.nii(\.gz)?$", "", name) for name in listed} or None


def _check_pairs(images: dict[str, Path], labels: dict[str, Path], root: Path) -> None:
    for have, lack, what in (
        (images, labels, "image has no label"),
        (labels, images, "label has no image"),
    ):
        alone = [case for case in have if case not in lack]
        if alone:
            raise ValueError(
                f"{what} for {len(alone)} of {len(have)} cases in {root}, "
                f"first {have[alone[0]].name}: restore the missing files or remove the single ones"
            )
