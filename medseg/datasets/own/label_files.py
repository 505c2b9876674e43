"""Label files: several label files of a case, which lie on one grid; and one written of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medseg.base.text import make_file_name
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.read_label import read_label
from medseg.geometry import Geometry
from medseg.ingest import IngestError
from medseg.ingest.turn import is_turned, turn

FOLDER = "labels"
"""The folder of the label maps that are written, beside the datalist."""

RESAMPLE = "resample labels onto the grid of the image, to the nearest neighbour, as 3D Slicer can"
"""What may be done about a label on another grid."""


def read_label_files(pair: Pair) -> Iterator[tuple[str, NDArray[np.uint8], Geometry | None]]:
    """The name, the values and the grid of each label file of a case, one after the other.

    One with the voxels of the first along other axes is turned onto these.

    Raises:
        ValueError: one cannot be used, see `read_label`, or lies on another grid than the first.
    """
    first = None
    for name, path in pair.readers.items():
        try:
            label, grid = read_label(path, pair.case)
        except IngestError as error:
            raise ValueError(f"case {pair.case}: {error}") from error
        first = first or (name, label.shape, grid)
        if grid and first[2] and is_turned(grid, first[2]):
            label, grid = turn(label, grid, first[2]), first[2]
        if difference := _describe_difference(first[1:], (label.shape, grid)):
            raise ValueError(
                f"case {pair.case}: the labels {first[0]} and {name} lie on different grids: "
                f"{difference}: {RESAMPLE if grid else 'give labels of one size'}"
            )
        yield name, label, grid


def save_label(folder: Path, case: str, label: NDArray[np.uint8], grid: Geometry | None) -> Path:
    """Write a label map as NIfTI, or without a grid as PNG, named after its case."""
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / (make_file_name(case) + (".png" if grid is None else ".nii.gz"))
    if grid is None:
        Image.fromarray(label).save(path)
        return path
    image = nib.Nifti1Image(label, grid.affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def put_in_place(scratch: Path, folder: Path) -> None:
    """Replace the label maps of an earlier plan by those that were made."""
    if folder.exists():
        folder.rename(scratch / "before")
    shutil.move(scratch / folder.name, folder)


def _describe_difference(
    first: tuple[tuple[int, ...], Geometry | None], other: tuple[tuple[int, ...], Geometry | None]
) -> str:
    """How the shape or the grid of two label files differ; "" where they do not."""
    if first[1] is not None and other[1] is not None:
        return first[1].describe_difference(other[1]) or ""
    return "" if first[0] == other[0] else f"shape {first[0]} against {other[0]}"
