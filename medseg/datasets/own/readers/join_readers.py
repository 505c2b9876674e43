"""Join readers: make one target for each case of the label files of its readers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.base.class_values import Classes
from medseg.base.scratch import make_scratch_folder
from medseg.base.text import shorten_list
from medseg.datasets.own.label_files import FOLDER, put_in_place, read_label_files, save_label
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.readers.agreement import Agreement, compare_readers
from medseg.datasets.own.readers.combine import combine
from medseg.geometry import Geometry


@dataclass(frozen=True)
class JoinedReaders:
    """Cases with a target each.

    Attributes:
        pairs: the cases; the label of each is its target.
        agreement: reader against reader, in each case.
    """

    pairs: Sequence[Pair]
    agreement: Sequence[Agreement]


def find_values(pairs: Sequence[Pair]) -> tuple[set[frozenset[int]], dict[str, str]]:
    """The label values that readers gave, those of a label together; and case -> what is wrong.

    Each label is read, and has to lie on the grid of the others of its case.
    """
    values: set[frozenset[int]] = set()
    faults = {}
    for pair in pairs:
        try:
            labels, _ = _read(pair)
        except ValueError as fault:
            faults[pair.case] = str(fault)
            continue
        values.update(frozenset(np.unique(label).tolist()) for label in labels.values())
    return values, faults


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
        ValueError: a label cannot be used, see `find_values`, or no two readers share a voxel.
        OSError: a file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    made: list[Pair] = []
    agreement: list[Agreement] = []
    try:
        with make_scratch_folder(out) as scratch:
            for pair in pairs:
                labels, grid = _read(pair)
                agreement += compare_readers(pair.case, labels, classes)
                target = combine(list(labels.values()), classes, method=method, ignored=ignored)
                path = save_label(scratch / FOLDER, pair.case, target, grid)
                made.append(replace(pair, label=out / FOLDER / path.name))
            _check_overlap(made, agreement)
            put_in_place(scratch, out / FOLDER)
    except ValueError:
        with suppress(OSError):  # it holds what was there before
            out.rmdir()
        raise
    return JoinedReaders(made, agreement)


def _read(pair: Pair) -> tuple[dict[str, NDArray[np.uint8]], Geometry | None]:
    """The label of each reader of a case, and the grid of all of them."""
    read = [*read_label_files(pair)]
    return {reader: label for reader, label, _ in read}, read[0][2]


def _check_overlap(pairs: Sequence[Pair], agreement: Sequence[Agreement]) -> None:
    """Refuse labels of which no two ever share a voxel: they are no readers of one structure."""
    known = [row.dice for row in agreement if not isnan(row.dice)]
    if known and not any(known):
        names = sorted({reader for pair in pairs for reader in pair.readers})
        raise ValueError(
            f"no two readers ({shorten_list(names)}) share a voxel in any case: where each file is "
            "a structure, leave --readers out"
        )
