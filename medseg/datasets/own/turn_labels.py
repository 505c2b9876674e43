"""Turn labels: copies, along the axes of the image, of labels that were stored along others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.label_files import save_label
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.read_label import read_label
from medseg.geometry import Geometry
from medseg.ingest import IngestError
from medseg.ingest.formats import is_volume_file
from medseg.ingest.turn import is_turned, turn
from medseg.ingest.volumes.file import read_file_header

logger = logging.getLogger(__name__)

FOLDER = "turned"
"""The folder of the copies, beside the datalist."""


def turn_labels(pairs: Sequence[Pair], out: Path) -> list[Pair]:
    """Write each label whose voxels are those of its image in another order in that of the image.

    No value is interpolated, and a label on any other grid stays as it is, and so does one that
    cannot be read: measuring the case tells why. Also the labels of several readers are turned.

    Args:
        pairs: the cases; of pictures, and of cases without an image or a label, nothing is read.
        out: folder of the datalist; the copies are written into a folder of it.

    Returns:
        The cases, with the new paths.
    """
    made = [_turn(pair, out / FOLDER) for pair in pairs]
    turned = [new.case for new, old in zip(made, pairs, strict=True) if new is not old]
    if turned:
        logger.warning(
            "%s axes in another order or direction than the image: turned onto its axes, voxel by "
            "voxel, into %s (%s)",
            count_noun(len(turned), "label has", plural="labels have"),
            *(out / FOLDER, shorten_list(turned)),
        )
    return made


def _turn(pair: Pair, folder: Path) -> Pair:
    """The case with copies of those of its labels that have other axes; else the same object."""
    image = next((file for file in pair.images if file is not None), None)
    grid = None if image is None else _find_grid(image)
    if grid is None or pair.label is None:
        return pair
    names = {f"{pair.case} {reader}": file for reader, file in pair.readers.items()}
    names[pair.case] = pair.label
    copies = {file: _write_copy(file, folder, name, grid) for name, file in names.items()}
    if not any(copies.values()):
        return pair
    readers = {name: copies[file] or file for name, file in pair.readers.items()}
    return replace(pair, label=copies[pair.label] or pair.label, readers=readers)


def _write_copy(file: Path, folder: Path, name: str, target: Geometry) -> Path | None:
    """The path of a copy on the axes of a grid; None where the file needs none or has no such."""
    grid = _find_grid(file)
    if grid is None or not is_turned(grid, target):
        return None
    try:
        values, _ = read_label(file, name)
    except ValueError:
        return None
    return save_label(folder, name, turn(values, grid, target), target)


def _find_grid(file: Path) -> Geometry | None:
    """The grid of a volume; None of what has none, or cannot be read, which is told elsewhere."""
    if not is_volume_file(file):
        return None
    try:
        return read_file_header(file).grid
    except IngestError:
        return None
