"""Integrity: whether the files of a case can be read and fit each other, and what tells copies."""

import hashlib
import logging
import math
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from PIL import Image

from medseg.counted import counted
from medseg.geometry import Geometry

logger = logging.getLogger(__name__)

_SAME_SIZE = ("label", "instances")
_LISTED = 5  # cases that a message names; the others are counted
_MOST_INFLATED = 1032
"""How much deflate can inflate (RFC 1951: 258 bytes from 2 bits)."""

# What a damaged file makes nibabel and Pillow raise; anything else is a bug and is not hidden.
_READ_ERRORS = (
    EOFError,
    HeaderDataError,
    Image.DecompressionBombError,
    ImageFileError,
    OSError,
    OverflowError,
    SyntaxError,
    ValueError,
    zlib.error,
)


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
            digests[item["case"]] = _checked(root, item, label_values)
        except ValueError as fault:
            faults.append((item["case"], fault))
    if len(faults) == 1:
        raise ValueError(f"1 of {counted(len(items), 'case')} is faulty: {faults[0][1]}")
    if faults:
        for _, found in faults:
            logger.warning("%s", found)
        first = ", ".join(case for case, _ in faults[:_LISTED])
        more = f" and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        raise ValueError(
            f"{len(faults)} of {len(items)} cases are faulty ({first}{more}): the reasons are above"
        )
    return digests


def _checked(root: Path, item: Mapping[str, Any], label_values: Collection[int]) -> str:
    """The digest of a case's image, after its files have been checked against each other."""
    image = _read(root, item, "image")
    _check_finite(image.array, case=item["case"])
    for key in _SAME_SIZE:
        if key in item:
            label = _read(root, item, key)
            _check_label(image, label, case=item["case"], key=key)
            if key == "label":
                _check_values(label.array, label_values, case=item["case"])
    array = np.ascontiguousarray(image.array)
    return hashlib.sha256(repr((array.shape, array.dtype.str)).encode() + array.data).hexdigest()


@dataclass(frozen=True, eq=False)
class _File:
    """A picture or volume; `grid` is None for a picture, and `size` leaves out the colours."""

    array: np.ndarray
    size: tuple[int, ...]
    grid: Geometry | None


def _read(root: Path, item: Mapping[str, Any], key: str) -> _File:
    path = root / item[key]
    try:
        if path.name.endswith((".nii", ".nii.gz")):
            volume = nib.load(path)
            _check_promise(volume, path)
            array = np.asanyarray(volume.dataobj)
            i, j, k = (*array.shape, 1)[:3]
            return _File(array, array.shape, Geometry((i, j, k), volume.affine))
        with Image.open(path) as picture:
            array = np.asarray(picture)
        return _File(array, array.shape[:2], None)
    except _READ_ERRORS as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{key} of case {item['case']} cannot be read ({reason}): unpack or download what "
            f"{path} was made of again, remove it and prepare the set again"
        ) from error


def _check_promise(volume: Any, path: Path) -> None:
    """Refuse a header that promises more than the file can hold, before it is allocated."""
    promised = math.prod(map(int, volume.shape)) * volume.get_data_dtype().itemsize
    holds = path.stat().st_size * (_MOST_INFLATED if path.name.endswith(".gz") else 1)
    if promised > holds:
        raise ValueError(f"its header promises {promised} bytes, it can hold {holds}")


def _check_finite(image: np.ndarray, *, case: str) -> None:
    if image.dtype.kind == "f" and (odd := int(np.count_nonzero(~np.isfinite(image)))):
        raise ValueError(
            f"image of case {case} has {counted(odd, 'NaN or infinite voxel')}: replace them or "
            "remove the case"
        )


def _check_label(image: _File, label: _File, *, case: str, key: str) -> None:
    difference = "" if image.size == label.size else f"{image.size} and {label.size}"
    if not difference and image.grid is not None and label.grid is not None:
        difference = image.grid.difference(label.grid)
    if difference:
        raise ValueError(
            f"image and {key} of case {case} differ in size or grid, {difference}: "
            "correct the dataset or remove the case"
        )


def _check_values(label: np.ndarray, declared: Collection[int], *, case: str) -> None:
    if odd := sorted(set(np.unique(label).tolist()) - set(declared)):
        shown = ", ".join(f"{value:g}" for value in odd[:5])
        raise ValueError(
            f"label of case {case} has the values {shown}, declared are "
            f"{sorted(declared)}: correct the dataset or remove the case"
        )
