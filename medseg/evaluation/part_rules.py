"""Part rules: by how much cleaning the parts of a class changes its Dice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.base.masks import compute_dice, find_box
from medseg.inference.outputs.clean_parts import find_holes, find_small_parts
from medseg.inference.outputs.largest_part import find_smaller_parts

SIZES_ML = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SIZES_PIXELS = (5.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Below these sizes parts are left out on trial."""

LARGEST = "largest"


@dataclass(frozen=True)
class PartRule:
    """How the parts of a class are cleaned. Holes are filled on trial where no size is one.

    Attributes:
        keep: "all" parts, the "largest", or the size from which on they are kept, in mL or pixels.
        fill: whether holes are filled.
    """

    keep: str = "all"
    fill: bool = False


def try_rules(
    pred: NDArray[np.bool_], true: NDArray[np.bool_], *, unit: float, is_volume: bool
) -> Iterator[tuple[PartRule, float]]:
    """The Dice of a mask after each rule; nan where both masks are empty.

    Args:
        pred: the predicted mask.
        true: the true one.
        unit: size of a voxel in mL, 1 for pixels.
        is_volume: whether sizes are in mL.
    """
    if (pred | true).any():
        box = find_box(pred | true, margin=1)
        pred, true = pred[box], true[box]
    for keep, mask in (("all", pred), (LARGEST, pred & ~find_smaller_parts(pred)[0])):
        yield PartRule(keep, False), compute_dice(mask, true)
        yield PartRule(keep, True), compute_dice(mask | find_holes(mask), true)
    for size in SIZES_ML if is_volume else SIZES_PIXELS:
        kept = pred & ~find_small_parts(pred, size / unit)
        yield PartRule(str(size), False), compute_dice(kept, true)
