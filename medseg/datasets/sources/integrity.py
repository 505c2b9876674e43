"""Integrity: check that the files of a case can be read and fit each other, and find copies."""

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medseg.base.channels.case_paths import list_paths
from medseg.base.pages import find_page
from medseg.base.text import count_noun
from medseg.datasets.sources.dataset_json import Item
from medseg.geometry import Geometry
from medseg.ingest.checks import to_labels
from medseg.ingest.dicom.photograph import read_colour
from medseg.ingest.formats import is_named_dicom, is_volume_file
from medseg.ingest.pictures.file import Picture, read_label_picture, read_picture
from medseg.ingest.pictures.orientation import UPRIGHT, check_same_orientation
from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.volumes.file import load_file, load_volumes, read_file_header
from medseg.ingest.volumes.voxels import check_image

logger = logging.getLogger(__name__)

_SAME_SIZE = ("label", "instances")
_DAMAGED = (Reason.NOT_FOUND, Reason.UNREADABLE, Reason.TRUNCATED, Reason.TRAILING_BYTES)
_MOST_LISTED = 5  # cases that a message names; the others are counted


def check_cases(
    root: Path, items: Sequence[Mapping[str, Any]], label_values: Collection[int]
) -> dict[str, str]:
    """Check the files of each case against each other, and hash its image by its values.

    Args:
        root: folder of the files.
        items: cases with the paths of their files, relative to `root`.
        label_values: every value that a label map may have.

    Returns:
        Case name -> digest of its image: two cases of one digest have the same image.

    Raises:
        ValueError: a file is missing or cannot be read, a voxel is not finite, a label has another
            size or grid than its image, or a value that is not declared. The message has the fault
            of a single case; of several it has the number, and each fault is logged.
    """
    digests, faults = {}, []
    for item in items:
        try:
            digests[item["case"]] = _check_case(root, item, label_values)
        except ValueError as fault:
            faults.append((item["case"], fault))
    if len(faults) == 1:
        only = f"1 of {count_noun(len(items), 'case')} is faulty: {faults[0][1]}"
        raise ValueError(f"{only} (see {find_page(__name__)})")
    if faults:
        for _, found in faults:
            logger.warning("%s", found)
        first = ", ".join(case for case, _ in faults[:_MOST_LISTED])
        more = f" and {len(faults) - _MOST_LISTED} more" if len(faults) > _MOST_LISTED else ""
        raise ValueError(
            f"{len(faults)} of {len(items)} cases are faulty ({first}{more}): the reasons are "
            f"above (see {find_page(__name__)})"
        )
    return digests


def drop_copies_of_tests(
    items: Sequence[Mapping[str, Any]],
    testing: Sequence[Mapping[str, Any]],
    digests: Mapping[str, str],
) -> list[Item]:
    """Leave out the cases whose image is that of a test case; each is logged.

    Args:
        items: the cases for training.
        testing: the published test cases.
        digests: of all of them, as `check_cases` gives them.

    Returns:
        Copies of the other items.
    """
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


def join_patients_with_copies(items: Sequence[Item], digests: Mapping[str, str]) -> list[Item]:
    """Give the patients who share an image one name, the first in alphabetical order.

    So no split separates copies, nor patients joined by copies through a third one. Each pair of
    copies is logged.

    Args:
        items: the cases.
        digests: of all of them, as `check_cases` gives them.

    Returns:
        Copies of the items with these patients.
    """
    first_with: dict[str, str] = {}
    joined: dict[str, str] = {item["patient"]: item["patient"] for item in items}

    def find_root(patient: str) -> str:
        while joined[patient] != patient:
            patient = joined[patient]
        return patient

    for item in items:
        twin = first_with.setdefault(digests[item["case"]], item["case"])
        if twin == item["case"]:
            continue
        logger.warning("cases %s and %s have the same image: kept together", twin, item["case"])
        owner = next(other["patient"] for other in items if other["case"] == twin)
        low, high = sorted((find_root(owner), find_root(item["patient"])))
        joined[high] = low
    return [item | {"patient": find_root(item["patient"])} for item in items]


def _check_case(root: Path, item: Mapping[str, Any], label_values: Collection[int]) -> str:
    """The digest of a case's image, after its label was checked against its first channel."""
    are_channels = isinstance(item["image"], list)
    image, *others = [
        _read(root, {**item, "image": path}, "image", label_values, reads_all=are_channels)
        for path in list_paths(item["image"])
    ]
    for key in _SAME_SIZE:
        if key in item:
            label = _read(root, item, key, label_values)
            _check_label(image, label, case=item["case"], key=key)
    digest = hashlib.sha256()
    for file in (image, *others):
        array = np.ascontiguousarray(file.array)
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(array.data)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class _File:
    """A picture or volume; `grid` is None for a picture, and `size` leaves out the colours."""

    array: np.ndarray
    size: tuple[int, ...]
    grid: Geometry | None
    orientation: int = UPRIGHT


def _read(
    root: Path,
    item: Mapping[str, Any],
    key: str,
    label_values: Collection[int],
    *,
    reads_all: bool = False,
) -> _File:
    """Read a file of a case, or with `reads_all` its volumes, and check it as a training does."""
    path = root / item[key]
    try:
        if is_volume_file(path):
            if key not in _SAME_SIZE:
                check_image(read_file_header(path))
            array, grid = load_volumes(path) if reads_all else load_file(path)
            if key == "label":
                array = to_labels(array, label_values, name=str(path))
            return _File(array, grid.shape, grid)
        picture = _read_picture(path, key, label_values)
        array, orientation = picture
        return _File(array, array.shape[-2:], None, orientation)
    except IngestError as error:
        if error.code is Reason.UNDECLARED_LABELS:
            held = error.finding.partition(" holds ")[2]
            raise ValueError(
                f"label of case {item['case']} holds {held}: correct the dataset or remove the case"
            ) from error
        if error.code is Reason.NON_FINITE:
            raise ValueError(
                f"{key} of case {item['case']}: {error.finding}: replace them or remove the case"
            ) from error
        if error.code is Reason.COLOUR and key == "instances":
            raise ValueError(
                f"{key} of case {item['case']}: {error.finding}: store the mask in grey, with one "
                "grey value for each object"
            ) from error
        if error.code not in _DAMAGED:
            raise ValueError(f"{key} of case {item['case']}: {error}") from error
        raise ValueError(
            f"{key} of case {item['case']} cannot be read ({error.finding}), {path} is damaged: "
            "delete it, unpack or download its source again, then run medseg prepare again"
        ) from error


def _read_picture(path: Path, key: str, label_values: Collection[int]) -> Picture:
    """Read a picture: a label by its declared values, an image in grey or in colour, as stored."""
    if key == "label":
        return read_label_picture(path, label_values)
    if is_named_dicom(path):
        return Picture(read_colour(path), UPRIGHT)
    try:
        return read_picture(path)
    except IngestError as error:
        if key != "image" or error.code is not Reason.COLOUR:
            raise
        return read_picture(path, colour=True)


def _check_label(image: _File, label: _File, *, case: str, key: str) -> None:
    if image.grid is None and label.grid is None:
        check_same_orientation(
            (image.orientation, label.orientation),
            shapes=(image.size, label.size),
            names=(f"image of case {case}", key),
        )
    difference = "" if image.size == label.size else f"{image.size} and {label.size}"
    if not difference and image.grid is not None and label.grid is not None:
        difference = image.grid.describe_difference(label.grid)
    if difference:
        raise ValueError(
            f"image and {key} of case {case} differ in size or grid, {difference}: "
            "correct the dataset or remove the case"
        )
