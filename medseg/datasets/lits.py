"""LiTS: liver and liver tumour in CT, as LiTS or as the Medical Segmentation Decathlon gives it.

Labels are 0 background, 1 liver, 2 tumour. Two layouts are read, by file names alone:

- MSD Task03_Liver: `dataset.json`, `imagesTr`, `labelsTr`, `imagesTs` (`labelsTs` where known);
- LiTS: `volume-N.nii[.gz]`, `segmentation-N.nii[.gz]`, `test-volume-N.nii[.gz]`, in the folder or
  in any folder below it, such as "Training Batch 1".

Neither says which scans share a patient, so each case counts as a patient. The patients
of 3D-IRCADb-01 are among the LiTS training volumes 28 to 48: that set is no external test for this.

Source: Bilic et al., The Liver Tumor Segmentation Benchmark (LiTS), Medical Image Analysis, 2023;
Antonelli et al., The Medical Segmentation Decathlon, Nature Communications, 2022 (CC BY-SA 4.0).
"""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

from medseg.datasets.datalist import Item, build, select

_LITS_FILE = re.compile(r"(volume|segmentation|test-volume)-(\d+)\.nii(?:\.gz)?")
_NIFTI_FILE = re.compile(r"([^.].*)\.nii(?:\.gz)?")  # not the "._name" twins that the archive holds


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
        dataset_dir: folder of either layout; a relative one starts from the working directory.
        section: "training" (every fold but `fold`), "validation" (`fold`) or "test" (the dataset's
            own test volumes, with a label only where `labelsTs` has one).
        fold: the fold kept for validation, 0 to folds - 1.
        folds: number of folds.
        seed: seed of the folds.

    Returns:
        Dictionaries with the absolute paths "image" and "label", "case" and "patient".

    Raises:
        FileNotFoundError: no data there; the message says where from and how to get it.
        ValueError: images and labels do not pair, a section or fold has no cases, too few cases.

    Example:
        >>> cases("data/liver", "validation", fold=1)  # doctest: +SKIP
        [{"image": "/data/liver/imagesTr/liver_4.nii.gz", "label": ..., "case": "liver_4"}, ...]
    """
    return select(datalist(dataset_dir, folds=folds, seed=seed), section, fold=fold)


def datalist(
    dataset_dir: str | os.PathLike[str], *, folds: int = 5, seed: int = 0
) -> dict[str, Any]:
    """Make the datalist of a LiTS or MSD Task03_Liver folder, with absolute paths.

    Cases are in the order of their numbers. A Task03_Liver folder inside `dataset_dir`, as the
    archive unpacks, is found too. Raises as `cases` does.
    """
    root = Path(dataset_dir).absolute()
    msd = [
        folder for folder in (root, root / "Task03_Liver") if (folder / "dataset.json").is_file()
    ]
    training, testing = _read_msd(msd[0]) if msd else _read_lits(root)
    if not training:
        raise FileNotFoundError(_nothing_in(root))
    return build("lits", training, testing=testing, folds=folds, seed=seed)


def _read_msd(root: Path) -> tuple[list[Item], list[Item]]:
    images, labels = _niftis(root / "imagesTr"), _niftis(root / "labelsTr")
    if not images and not labels:
        return [], []
    listed = _listed(root / "dataset.json")
    if listed is not None and listed != set(images):
        odd = ", ".join(sorted(listed ^ set(images))[:3])
        raise ValueError(
            f"{root / 'dataset.json'} lists {len(listed)} training cases but imagesTr holds "
            f"{len(images)} (see {odd}): unpack the archive again or correct dataset.json"
        )
    tests, test_labels = _niftis(root / "imagesTs"), _niftis(root / "labelsTs")
    if test_labels:
        _check_pairs(tests, test_labels, root)
    return _pair(images, labels, root=root), [_item(case, tests, test_labels) for case in tests]


def _read_lits(root: Path) -> tuple[list[Item], list[Item]]:
    found: dict[str, dict[str, Path]] = {"volume": {}, "segmentation": {}, "test-volume": {}}
    for folder, _, names in os.walk(root, followlinks=True):
        for name in names:
            match = _LITS_FILE.fullmatch(name)
            if match:
                _add(found[match[1]], f"{int(match[2])}", Path(folder) / name)
    images = {f"volume-{n}": found["volume"][n] for n in sorted(found["volume"], key=int)}
    labels = {f"volume-{n}": path for n, path in found["segmentation"].items()}
    tests = {
        f"test-volume-{n}": found["test-volume"][n] for n in sorted(found["test-volume"], key=int)
    }
    return _pair(images, labels, root=root), [_item(case, tests, {}) for case in tests]


def _niftis(folder: Path) -> dict[str, Path]:
    """Map case name -> file, in the order of the numbers in the names; empty without the folder."""
    found: dict[str, Path] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NIFTI_FILE.fullmatch(path.name)
        if match:
            _add(found, match[1], path)
    return {case: found[case] for case in sorted(found, key=_by_number)}


def _by_number(case: str) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", case)], case


def _add(found: dict[str, Path], case: str, path: Path) -> None:
    if case in found:
        raise ValueError(f"{found[case]} and {path} are the same case: remove one of the two")
    found[case] = path


def _listed(path: Path) -> set[str] | None:
    """Names of the training cases in dataset.json, or None where it lists none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        labels = json.dumps(content.get("labels", "liver"))
        listed = [Path(item["image"]).name for item in content.get("training", [])]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is not an MSD dataset.json ({error}): unpack it again") from error
    if "liver" not in labels.lower():
        raise ValueError(
            f"{path} is of another dataset (labels {labels}): give that of Task03_Liver"
        )
    return {re.sub(r"\.nii(\.gz)?$", "", name) for name in listed} or None


def _pair(images: dict[str, Path], labels: dict[str, Path], *, root: Path) -> list[Item]:
    _check_pairs(images, labels, root)
    return [_item(case, images, labels) for case in images]


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


def _item(case: str, images: dict[str, Path], labels: dict[str, Path]) -> Item:
    item = {"case": case, "patient": case, "image": str(images[case])}
    return item | ({"label": str(labels[case])} if case in labels else {})


def _nothing_in(root: Path) -> str:
    return (
        f"no liver data in {root} (looked for dataset.json with imagesTr and labelsTr, and for "
        "volume-N.nii with segmentation-N.nii): put LiTS (https://competitions.codalab.org/"
        "competitions/17094) or MSD Task03_Liver (http://medicaldecathlon.com) there, or make a "
        f"synthetic set with `medseg phantom ct --out {shlex.quote(str(root))}`"
    )
