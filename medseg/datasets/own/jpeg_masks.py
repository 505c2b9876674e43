"""JPEG masks: labels of one structure that were stored as JPEG, written as PNG without its blur."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from medseg.base.files import whole
from medseg.base.text import count_noun, make_file_name
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.read_label import JPEG_SUFFIXES
from medseg.ingest import IngestError
from medseg.ingest.pictures.file import read_picture
from medseg.ingest.pictures.orientation import UPRIGHT

logger = logging.getLogger(__name__)

FOLDER = "masks"
INSIDE = 255

_HALF = 127
_BLUR = 32
"""Grey levels that JPEG moves 0 and 255 by, but at edges."""

_BLOCK = 8
"""Pixels on a side of what JPEG stores as one, so that an edge is blurred no farther."""

_WIDEST = 2
"""Pixels between black and white at an edge, for each pixel of white there."""


def convert_masks(pairs: Sequence[Pair], out: Path) -> tuple[list[Pair], list[str]]:
    """Write each label that is a JPEG of black and white as PNG of 0 and 255.

    Where the grey level is above 127, halfway, a pixel is within the structure. Levels between
    count as blur where they are few and beside white; elsewhere they may be another structure.

    Args:
        pairs: the cases, with labels of any kind; only those that are named as JPEG are read.
        out: folder of the datalist; the masks are written into a folder of it.

    Returns:
        The cases, with the new paths, and what is wrong, a line for each label that has more levels
        than two or cannot be read.
    """
    made, faults = [], []
    for pair in pairs:
        if pair.label is None or pair.label.suffix.lower() not in JPEG_SUFFIXES:
            made.append(pair)
            continue
        try:
            mask = _read_mask(pair.label, pair.case)
        except (IngestError, ValueError) as error:
            faults.append(str(error))
            continue
        path = out / FOLDER / f"{make_file_name(pair.case)}.png"
        with whole(path) as partial:
            Image.fromarray(mask).save(partial)
        made.append(replace(pair, label=path))
    if changed := sum(new is not old for new, old in zip(made, pairs, strict=False)):
        logger.warning(
            "%s of black and white that JPEG blurred: above %d counts as %d; written as PNG into "
            "%s",
            *(count_noun(changed, "label"), _HALF, INSIDE, out / FOLDER),
        )
    return made, faults


def _read_mask(path: Path, case: str) -> NDArray[np.uint8]:
    picture = read_picture(path, colour=True)
    levels = picture.array
    is_grey = int(np.ptp(levels.astype(np.int16), axis=0).max(initial=0)) <= _BLUR
    if not (is_grey and _is_black_and_white(levels[0]) and picture.orientation == UPRIGHT):
        raise ValueError(
            f"case {case}: its label {path.name} is a JPEG, which changes values, and not black and"
            " white alone: write it as PNG from its source"
        )
    return np.where(levels[0] > _HALF, INSIDE, 0).astype(np.uint8)


def _is_black_and_white(levels: NDArray[np.uint8]) -> bool:
    """Whether all that is neither black nor white is the blur of an edge between the two."""
    white = levels >= INSIDE - _BLUR
    between = ~white & (levels > _BLUR)
    near, beside = (ndimage.maximum_filter(white, size=2 * n * _BLOCK + 1) for n in (2, 1))
    edge = white & ~ndimage.minimum_filter(white, size=3)
    is_thin = between.sum() <= _WIDEST * edge.sum()
    darkest = 1 if white.any() else 0  # JPEG may lift a whole block by a level
    is_black_elsewhere = levels[~near].max(initial=0) <= darkest
    return bool(is_thin and is_black_elsewhere and not between[~beside].any())
