"""MSD: reads a task folder of the Medical Segmentation Decathlon, by its file names.

A task holds `dataset.json`, `imagesTr`, `labelsTr` and `imagesTs` (`labelsTs` where known); each
case is one volume of the same name on either side, in any format of `medseg.ingest.formats`. The
names of nnU-Net are read too: `case_0000` is the first channel of `case`. Where dataset.json states
which label belongs to an image, that holds, whatever the names.

An image without label, or a label without image, is left out; one warning counts and names them.
The names of labels are the user's own and are not read. The values of the labels are: voxels are
compared with those that dataset.json declares.

Source: Antonelli et al., The Medical Segmentation Decathlon, Nature Communications, 2022; Isensee
et al., nnU-Net, Nature Methods, 2021.
"""

import logging
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from medseg.base.text import ODD_ENTRIES, LeftOut, warn_once
from medseg.base.walk import find_odd_entries, list_entries
from medseg.datasets.sources.dataset_json import (
    Declaration,
    Item,
    find_other_modality,
    parse_case,
    read_declaration,
)
from medseg.datasets.sources.msd_folders import PARTS, find_part, leave_out_others
from medseg.ingest.formats import is_macos_copy, is_volume_file, select_volume_files, strip_suffix
from medseg.ingest.volumes.file import list_files_of

logger = logging.getLogger(__name__)


def find_task(root: Path, task: str) -> Path | None:
    """The task folder: `root`, or `root`/`task` as the archive unpacks; None if neither is one."""
    folders = (root, root / task)
    return next((folder for folder in folders if os.path.isfile(folder / "dataset.json")), None)


def read_task(root: Path, *, modality: str) -> tuple[list[Item], list[Item]]:
    """The training and the test cases of a task folder, in the order of their numbers.

    Args:
        root: folder of `dataset.json`.
        modality: "CT" or "MR"; a warning is given where `dataset.json` names another one.

    Raises:
        ValueError: none of the files there can be used, a case has two files, or `dataset.json` is
            broken.
    """
    left = LeftOut()
    scans, labels = (_find_volumes(find_part(root, part), left) for part in PARTS[:2])
    leave_out_others(root, left)
    declared = read_declaration(root / "dataset.json")
    labels = _rename_to_cases(labels, declared.labels, left)
    if not scans and not labels and not left:
        return [], []
    images = _select_first_channels(scans, labels, left)
    training = pair_files(images, labels, left)
    if declared.cases is not None:
        training = _keep_listed(training, declared.cases, {*images, *labels}, left)
    tests, test_labels = (_find_volumes(find_part(root, part), left) for part in PARTS[2:])
    if test_labels:
        testing = pair_files(_select_first_channels(tests, test_labels, left), test_labels, left)
    else:
        has_channels = images.keys() != scans.keys()
        stems = {parse_case(case)[0]: root for case in tests} if has_channels else {}
        tests = _select_first_channels(tests, stems, left)
        testing = [make_item(case, tests, {}) for case in tests]
    if not training:
        raise ValueError(
            f"none of the files in {root} can be used ({left or 'there is no case'}): rename them, "
            "or give another folder"
        )
    left.warn(logger, root, used=len(training) + len(testing))
    _warn_of_declaration(root, declared, modality)
    return training, testing


def read_label_values(task: Path | None, default: Sequence[int]) -> tuple[int, ...]:
    """The label values that the `dataset.json` of a task folder declares, or else the default.

    Args:
        task: as `find_task` returns it.
        default: where there is no task folder, or it declares no values.
    """
    declared = read_declaration(task / "dataset.json").values if task else None
    return declared or tuple(default)


def choose_label_values(task: Path | None, wanted: Sequence[int]) -> tuple[int, ...]:
    """The values that a label map may hold in a training: wanted there, and declared, if any are.

    So a training refuses what `prepare` refuses.

    Args:
        task: as `find_task` returns it.
        wanted: the `read_label_values` of the bundle.

    Raises:
        ValueError: none of the wanted values but the background is declared.
    """
    declared = read_label_values(task, wanted)
    both = tuple(value for value in wanted if value in declared)
    if set(both) <= {0} < set(wanted):
        raise ValueError(
            f"dataset.json of {task} declares the label values {list(declared)}, and label_values "
            f"are {list(wanted)}: pass --label_values and --classes with what your label maps hold"
        )
    return both


def _warn_of_declaration(root: Path, declared: Declaration, modality: str) -> None:
    """Warn once of what a user should know of a dataset.json before training."""
    if declared.ignored is not None:
        warn_once(
            logger,
            f"dataset.json of {root} leaves label value {declared.ignored} out, as `ignore`: "
            f"pass --ignore {declared.ignored} and --label_values with it to a training, otherwise "
            "its voxels count as those of any other label",
        )
    if other := find_other_modality(declared.modality, modality):
        warn_once(
            logger,
            f"dataset.json of {root} declares the modality {declared.modality}, "
            f"and the images are read as {modality}: if they are {other}, use a bundle for "
            f"{other}, otherwise correct dataset.json",
        )


def pair_files(images: dict[str, Path], labels: dict[str, Path], left: LeftOut) -> list[Item]:
    """Make an item for each case that has an image and a label; other files are left out."""
    left.add("without a label", (images[case].name for case in images if case not in labels))
    left.add("without an image", (labels[case].name for case in labels if case not in images))
    return [make_item(case, images, labels) for case in images if case in labels]


def make_item(case: str, images: dict[str, Path], labels: dict[str, Path]) -> Item:
    """Make the item of a case; the patient is not known, so each case counts as one."""
    made = {"case": case, "patient": case, "image": str(images[case])}
    return made | ({"label": str(labels[case])} if case in labels else {})


def add_file(found: dict[str, Path], case: str, path: Path) -> None:
    """Enter a file under its case.

    Raises:
        ValueError: the case has a file.
    """
    if case in found:
        raise ValueError(f"{found[case]} and {path} are the same case: remove one of the two")
    found[case] = path


def select_volumes(paths: Collection[Path], left: LeftOut) -> list[Path]:
    """Select the volume files among the entries of a folder; other entries are left out.

    A file that a header names as its voxels is a part of that volume.
    """
    entries = [path for path in paths if not is_macos_copy(path)]
    hidden = [path for path in entries if path.name.startswith(".")]
    left.add("with a hidden name", (path.name for path in hidden if is_volume_file(path)))
    entries = [path for path in entries if path not in hidden]
    odd = find_odd_entries(entries)
    left.add(ODD_ENTRIES, (path.name for path in odd))
    entries = [path for path in entries if path not in odd]
    found = select_volume_files(entries)
    parts = {part for path in found for part in list_files_of(path)}
    others = [path for path in entries if path not in parts and path not in found]
    left.add(
        "not searched", (path.name for path in others if os.path.isdir(path)), noun="subfolder"
    )
    left.add("in an unsupported format", (path.name for path in others if not os.path.isdir(path)))
    return found


def _find_volumes(folder: Path, left: LeftOut) -> dict[str, Path]:
    """Map case name -> file, in the order of the numbers in the names; empty without the folder."""
    found: dict[str, Path] = {}
    for path in select_volumes(list_entries(folder), left):
        add_file(found, strip_suffix(path.name), path)
    return {case: found[case] for case in sorted(found, key=_split_numbers)}


def _rename_to_cases(
    labels: dict[str, Path], cases: dict[str, str], left: LeftOut
) -> dict[str, Path]:
    """The labels by their cases, where dataset.json gives a label of another name to one.

    Args:
        labels: name -> file.
        cases: name of a label -> case, as dataset.json has it.
        left: takes the label that is named as such a case.
    """
    taken = {cases[name] for name in labels if name in cases}
    others = [name for name in labels if name in taken and name not in cases]
    left.add("not named in dataset.json", (labels[name].name for name in others))
    return {cases.get(name, name): path for name, path in labels.items() if name not in others}


def _select_first_channels(
    images: dict[str, Path], labels: dict[str, Path], left: LeftOut
) -> dict[str, Path]:
    """The images by the names of their labels: `case_0000` is the first channel of `case`."""
    found: dict[str, Path] = {}
    for name, path in images.items():
        case, channel = parse_case(name)
        if name in labels or channel is None or case not in labels:
            add_file(found, name, path)
        elif channel == 0:
            add_file(found, case, path)
        else:
            left.add("of another channel than the first", [path.name])
    return found


def _keep_listed(
    items: list[Item], cases: Collection[str], there: Collection[str], left: LeftOut
) -> list[Item]:
    """The items of the cases that dataset.json names; the others are left out."""
    names = {case: case for case in cases}
    names |= {parse_case(case)[0]: case for case in cases}
    gone = {case for name, case in names.items() if name not in there}
    kept = {case for name, case in names.items() if name in there}
    left.add("named in dataset.json and not there", gone - kept)
    left.add(
        "not named in dataset.json",
        (Path(item["image"]).name for item in items if item["case"] not in names),
    )
    return [make_item for make_item in items if make_item["case"] in names]


def _split_numbers(case: str) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", case)], case
