"""Join readers: make one target for each case of the label files of its readers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medseg.base.class_values import Classes
from medseg.base.scratch import make_scratch_folder
from medseg.base.text import make_file_name
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.read_label import read_label
from medseg.datasets.own.readers.agreement import Agreement, compare_readers
from medseg.datasets.own.readers.combine import combine
from medseg.geometry import Geometry
from medseg.ingest import IngestError

FOLDER = "labels"
"""The folder of the targets, beside the datalist."""


@dataclass(frozen=True)
class JoinedReaders:
    """Cases with a target each.

    Attributes:
        pairs: the cases; the label of each is its target.
        agreement: reader against reader, in each case.
    """

    pairs: Sequence[Pair]
    agreement: Sequence[Agreement]


def find_values(pairs: Sequence[Pair]) -> tuple[list[int], dict[str, str]]:
    """Every label value that a reader gave, background included, and case -> what is wrong with it.

    Each label is read, and has to lie on the grid of the others of its case.
    """
    values, faults = {0}, {}
    for pair in pairs:
        try:
            labels, _ = _read(pair)
        except (ValueError, IngestError) as fault:
            faults[pair.case] = str(fault)
            continue
        values.update(int(v) for label in labels.values() for v in np.unique(label))
    return sorted(values), faults


def join_readers(
    pairs: Sequence[Pair],
    out: Path,
    *,
    classes: Classes,
    method: str,
    ignored: Sequence[int] = (),
) -> JoinedReaders:
    """Write the target of each case to the folder labels of `out`; all of them, or none.

    Args:
        pairs: the cases, with their readers.
        out: folder of the datalist.
        classes, method, ignored: see `medseg.datasets.own.readers.combine.combine`.

    Raises:
        IngestError, ValueError: a label cannot be used, see `find_values`.
        OSError: a file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    made: list[Pair] = []
    agreement: list[Agreement] = []
    with make_scratch_folder(out) as scratch:
        for pair in pairs:
            labels, grid = _read(pair)
            agreement += compare_readers(pair.case, labels, classes)
            target = combine(list(labels.values()), classes, method=method, ignored=ignored)
            name = make_file_name(pair.case) + (".png" if grid is None else ".nii.gz")
            _save(scratch / FOLDER / name, target, grid)
            made.append(replace(pair, label=out / FOLDER / name))
        _put_in_place(scratch, out / FOLDER)
    return JoinedReaders(made, agreement)


def _read(pair: Pair) -> tuple[dict[str, NDArray[np.uint8]], Geometry | None]:
    """The label of each reader of a case, and the grid of all of them."""
    try:
        read = {reader: read_label(path, pair.case) for reader, path in pair.readers.items()}
    except IngestError as error:
        raise ValueError(f"case {pair.case}: {error}") from error
    labels = {reader: label for reader, (label, _) in read.items()}
    (first, (shape, grid)), *others = ((r, (a.shape, g)) for r, (a, g) in read.items())
    for reader, (other_shape, other) in others:
        if grid is not None and other is not None:
            difference = grid.describe_difference(other)
        else:
            difference = "" if shape == other_shape else f"shape {shape} against {other_shape}"
        if difference:
            raise ValueError(
                f"case {pair.case}: the labels of readers {first} and {reader} lie on different "
                f"grids: {difference}"
            )
    return labels, grid


def _save(path: Path, label: NDArray[np.uint8], grid: Geometry | None) -> None:
    path.parent.mkdir(exist_ok=True)
    if grid is None:
        Image.fromarray(label).save(path)
        return
    image = nib.Nifti1Image(label, grid.affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def _put_in_place(scratch: Path, folder: Path) -> None:
    """Replace the targets of an earlier plan by those that were made."""
    if folder.exists():
        folder.rename(scratch / "before")
    shutil.move(scratch / FOLDER, folder)
