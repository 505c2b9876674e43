"""Split bits: the mask of each reader, of labels in which the readers of a case are bits."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.base.scratch import make_scratch_folder
from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.label_files import put_in_place, save_label
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.read_label import read_label
from medseg.geometry import Geometry
from medseg.ingest import IngestError

logger = logging.getLogger(__name__)

FOLDER = "readers"
"""The folder of the masks, beside the datalist."""

OPTION = "--readers-as-bits"

_FEWEST_READERS = 3  # the values 1 to 3 are as well three structures


def count_readers(values: Collection[int]) -> int:
    """How many readers there would be if labels held them as bits; 0 where they hardly do.

    They may where a value is that of three readers or more who all marked a voxel, and the largest.

    Example:
        >>> count_readers([0, 1, 2, 8, 15]), count_readers([0, 1, 2, 3, 4])
        (4, 0)
    """
    largest = max(values, default=0)
    readers = largest.bit_length()
    return readers if largest == 2**readers - 1 and readers >= _FEWEST_READERS else 0


def split_bits(pairs: Sequence[Pair], out: Path) -> tuple[list[Pair], list[str]]:
    """Write a mask of 0 and 1 for each bit that a label has, of all cases: reader_1 is the lowest.

    So each reader has looked at each case, also at those where the bit is nowhere.

    Args:
        pairs: the cases, with one label each.
        out: folder of the datalist; the masks are written into a folder of it.

    Returns:
        The cases with their readers, and what is wrong, a line for each label that cannot be read;
        nothing is written then.

    Raises:
        ValueError: a case has several label files, or all labels have the same bit alone.
    """
    if several := [pair.case for pair in pairs if len(pair.readers) > 1]:
        raise ValueError(
            f"{OPTION} takes one label file for each case, and {shorten_list(several)} "
            f"({len(several)}) has several: leave it out"
        )
    used, faults = 0, []
    for pair in pairs:
        try:
            used |= int(np.bitwise_or.reduce(_read(pair)[0], axis=None))
        except ValueError as fault:
            faults.append(str(fault))
    if faults:
        return list(pairs), faults
    bits = [bit for bit in range(8) if used >> bit & 1]
    if len(bits) < 2:
        raise ValueError(
            f"the labels have {count_noun(len(bits), 'bit')} in use, and readers are two or more: "
            f"leave {OPTION} and --readers out"
        )
    out.mkdir(parents=True, exist_ok=True)
    with make_scratch_folder(out) as scratch:
        made = [_write(pair, bits, scratch / FOLDER) for pair in pairs]
        put_in_place(scratch, out / FOLDER)
    logger.warning(
        "bits %s of the labels are %s, who each looked at all cases: written into %s",
        *(shorten_list([str(bit) for bit in bits]), count_noun(len(bits), "reader"), out / FOLDER),
    )
    return [_move(pair, out / FOLDER) for pair in made], []


def _write(pair: Pair, bits: Sequence[int], folder: Path) -> Pair:
    """The case with the mask of each bit as the label of a reader."""
    label, grid = _read(pair)
    names = {f"reader_{number}": bit for number, bit in enumerate(bits, start=1)}
    readers = {
        name: save_label(folder, f"{pair.case}_{name}", (label >> bit & 1).astype(np.uint8), grid)
        for name, bit in names.items()
    }
    return replace(pair, readers=readers)


def _move(pair: Pair, folder: Path) -> Pair:
    return replace(pair, readers={name: folder / file.name for name, file in pair.readers.items()})


def _read(pair: Pair) -> tuple[NDArray[np.uint8], Geometry | None]:
    try:
        return read_label(pair.label or Path(), pair.case)
    except IngestError as error:
        raise ValueError(f"case {pair.case}: {error}") from error
