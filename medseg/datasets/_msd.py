"""MSD: reads a task folder of the Medical Segmentation Decathlon, by its file names.

A task holds `dataset.json`, `imagesTr`, `labelsTr` and `imagesTs` (`labelsTs` where known); each
case is one volume of the same name on either side, in any format of `medseg.ingest.formats`. The
names of nnU-Net are read too: `case_0000` is the first channel of `case`.

What has no partner is left out, and one warning counts and names it. The names of labels are the
user's and are not looked at: which values may occur is declared, and held against the voxels.

Source: Antonelli et al., The Medical Segmentation Decathlon, Nature Communications, 2022; Isensee
et al., nnU-Net, Nature Methods, 2021.
"""

import json
import logging
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.counted import LeftOut
from medseg.datasets.datalist import Item
from medseg.ingest.formats import is_volume_file, volume_files, without_suffix
from medseg.ingest.volume_file import files_of
from medseg.walk import entries_of

logger = logging.getLogger(__name__)

_CHANNEL = re.compile(r"(.+)_(\d{4})")
_TWIN = "._"  # the "._name" twins that archives made on a Mac hold, one for each file


@dataclass(frozen=True)
class Declared:
    """What a dataset.json says.

    Attributes:
        cases: names of the training cases; None where it lists none.
        values: of the labels, background included; None where it declares none.
    """

    cases: frozenset[str] | None
    values: tuple[int, ...] | None


def locate(root: Path, task: str) -> Path | None:
    """The task folder: `root`, or `root`/`task` as the archive unpacks; None if neither is one."""
    folders = (root, root / task)
    return next((folder for folder in folders if os.path.isfile(folder / "dataset.json")), None)


def read(root: Path) -> tuple[list[Item], list[Item]]:
    """The training and the test cases of a task folder, in the order of their numbers.

    Args:
        root: folder of `dataset.json`.

    Raises:
        ValueError: none of the files there can be used, a case has two files, or `dataset.json` is
            broken.
    """
    left = LeftOut()
    scans, labels = _volumes(root / "imagesTr", left), _volumes(root / "labelsTr", left)
    declared = declared_in(root / "dataset.json")
    if not scans and not labels and not left:
        return [], []
    images = _first_channels(scans, labels, left)
    training = pair(images, labels, left)
    if declared.cases is not None:
        training = _only_listed(training, declared.cases, {*images, *labels}, left)
    tests, test_labels = _volumes(root / "imagesTs", left), _volumes(root / "labelsTs", left)
    if test_labels:
        testing = pair(_first_channels(tests, test_labels, left), test_labels, left)
    else:
        has_channels = images.keys() != scans.keys()
        stems = {_CHANNEL.sub(r"\1", case): root for case in tests} if has_channels else {}
        tests = _first_channels(tests, stems, left)
        testing = [item(case, tests, {}) for case in tests]
    if not training:
        raise ValueError(f"none of the files in {root} can be used: {left or 'there is no case'}")
    left.warn(logger, root, used=len(training) + len(testing))
    return training, testing


def declared_in(path: Path) -> Declared:
    """The cases and label values of a dataset.json, in the form of MSD or of nnU-Net.

    Raises:
        ValueError: it is neither.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = content.get("training", [])
        names = [entry["image"] if isinstance(entry, dict) else entry[0] for entry in entries]
        cases = frozenset(without_suffix(Path(name).name) for name in names)
        return Declared(cases or None, _values(content.get("labels", {})))
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
    ) as error:
        raise ValueError(f"{path} is not an MSD dataset.json ({error}): unpack it again") from error


def pair(images: dict[str, Path], labels: dict[str, Path], left: LeftOut) -> list[Item]:
    """One item for each case that has an image and a label; what has no partner is left out."""
    left.add("without a label", (images[case].name for case in images if case not in labels))
    left.add("without an image", (labels[case].name for case in labels if case not in images))
    return [item(case, images, labels) for case in images if case in labels]


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


def usable(paths: Collection[Path], left: LeftOut) -> list[Path]:
    """The volume files among the entries of a folder; what else there is is left out.

    A file that a header names as its voxels is a part of that volume.
    """
    entries = [path for path in paths if not path.name.startswith(_TWIN)]
    hidden = [path for path in entries if path.name.startswith(".")]
    left.add("with a hidden name", (path.name for path in hidden if is_volume_file(path)))
    entries = [path for path in entries if path not in hidden]
    found = volume_files(entries)
    parts = {part for path in found for part in files_of(path)}
    others = [path for path in entries if path not in parts and path not in found]
    left.add(
        "not searched", (path.name for path in others if os.path.isdir(path)), noun="subfolder"
    )
    left.add("of no format that is read", (path.name for path in others if not os.path.isdir(path)))
    return found


def _volumes(folder: Path, left: LeftOut) -> dict[str, Path]:
    """Map case name -> file, in the order of the numbers in the names; empty without the folder."""
    found: dict[str, Path] = {}
    for path in usable(entries_of(folder), left):
        add(found, without_suffix(path.name), path)
    return {case: found[case] for case in sorted(found, key=_by_number)}


def _first_channels(
    images: dict[str, Path], labels: dict[str, Path], left: LeftOut
) -> dict[str, Path]:
    """The images by the names of their labels: `case_0000` is the first channel of `case`."""
    found: dict[str, Path] = {}
    for name, path in images.items():
        match = _CHANNEL.fullmatch(name)
        if name in labels or match is None or match[1] not in labels:
            add(found, name, path)
        elif int(match[2]) == 0:
            add(found, match[1], path)
        else:
            left.add("of another channel than the first", [path.name])
    return found


def _only_listed(
    items: list[Item], cases: Collection[str], there: Collection[str], left: LeftOut
) -> list[Item]:
    """The items of the cases that dataset.json names; the others are left out."""
    names = {case: case for case in cases}
    names |= {m[1]: case for case in cases if (m := _CHANNEL.fullmatch(case))}
    gone = {case for name, case in names.items() if name not in there}
    kept = {case for name, case in names.items() if name in there}
    left.add("named in dataset.json and not there", gone - kept)
    left.add(
        "not named in dataset.json",
        (Path(item["image"]).name for item in items if item["case"] not in names),
    )
    return [item for item in items if item["case"] in names]


def _values(labels: Any) -> tuple[int, ...] | None:
    """The values of labels: {"1": "liver"} of MSD, {"liver": 1} or {"liver": [1, 2]} of nnU-Net."""
    found: set[int] = set()
    for key, value in labels.items():
        if isinstance(value, str) and key.lstrip("-").isdigit():
            found.add(int(key))
        elif isinstance(value, list):
            found.update(map(int, value))
        elif key != "ignore":
            found.add(int(value))
    return tuple(sorted(found)) or None


def _by_number(case: str) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", case)], case
