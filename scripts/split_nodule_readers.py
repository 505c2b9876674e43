"""Split nodule slices: a picture of each LIDC nodule, and of each reader who outlined it a mask.

python scripts/split_nodule_readers.py NODULE_SLICES OUT [--fewest 2]

NODULE_SLICES has images/PATIENT_NODULE.png, the slices of 128x128 of a nodule one below the other,
and readers/ with the same names, where bit j is the mask of reader j. Of each nodule the slice is
taken that has the most pixels marked by any reader. A reader who outlined the nodule but not that
slice has an empty mask; one who did not outline it has none. The readers of a nodule are numbered
in the order of their marks: reader_0 of two scans need not be one person.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 128
READERS = 4
LEFT_OUT = "LIDC-IDRI-0314"
"""A patient whose whole scan is kept for tests."""


def split_nodule(
    image: NDArray[np.uint8], bits: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], dict[int, NDArray[np.uint8]]]:
    """The slice of a nodule that is marked most, and the mask of each reader of the nodule, 0 or 1.

    Args:
        image: slices of `SIDE` rows one below the other.
        bits: of the same size; bit j is the mask of reader j.
    """
    images, marks = (array.reshape(-1, SIDE, SIDE) for array in (image, bits))
    most = int((marks > 0).sum(axis=(1, 2)).argmax())
    readers = [j for j in range(READERS) if (marks >> j & 1).any()]
    return images[most], {j: (marks[most] >> j & 1).astype(np.uint8) for j in readers}


def split_all(source: Path, out: Path, *, fewest: int) -> int:
    """Write images/ and reader_0/masks/ to reader_3/masks/; the number of nodules."""
    count = 0
    for file in sorted((source / "images").glob("*.png")):
        if file.name.startswith(LEFT_OUT):
            continue
        arrays = [
            np.asarray(Image.open(source / part / file.name)) for part in ("images", "readers")
        ]
        image, masks = split_nodule(*arrays)
        if len(masks) < fewest:
            continue
        count += 1
        _save(out / "images" / file.name, image)
        for j, mask in masks.items():
            _save(out / f"reader_{j}" / "masks" / file.name, mask)
    return count


def _save(path: Path, array: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def main(words: Sequence[str] | None = None) -> None:
    """Split the nodules of a folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fewest", type=int, default=2, help="readers of a nodule (2)")
    given = parser.parse_args(words)
    count = split_all(given.source, given.out, fewest=given.fewest)
    print(f"{count} nodules with {given.fewest} readers or more: {given.out}")


if __name__ == "__main__":
    main()
