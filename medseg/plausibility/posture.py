"""Posture: whether a CT of the trunk lies in its axes as a patient does.

A header may state another orientation than the voxels have, and then nothing else notices. What is
found is a doubt: scoliosis, metal and bowel filled with contrast agent look alike.
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from medseg.plausibility.body_size import measure_border_share
from medseg.plausibility.lungs import measure_lung_profile
from medseg.plausibility.voxel_values import TISSUE_ABOVE_HU

BONE_HU = 350

LEAST_BONE = 0.002
"""The share of the body that is bone. Of less, nothing is concluded."""

MOST_BODY_AT_BORDER = 0.5
"""Of a crop inside of the body more of the border is body, and nothing is concluded."""

LEAST_SLICES = 8
LEAST_SIDE = 32

BEHIND = 0.04
"""Parts of the image by which bone lies behind the middle of the body: 0.065 to 0.165 in scans of
chest and abdomen that were measured, since the spine is there."""

ASIDE = 0.08
"""Parts of the image by which it lies to one side: 0.03 and less."""

SPINE = 0.7
"""The spine goes through so many slices of one line, see `_measure_longest_line`: 0.7 to 1 in most
scans, and 0.5 and less across the patient."""

LUNG, NO_LUNG = 0.12, 0.04
"""Shares of the body in slices with lungs and without."""


def describe_posture_doubts(array: np.ndarray, *, is_abdomen: bool) -> Iterator[str]:
    """Say what of a CT of chest or abdomen does not lie as it should, each in words.

    Args:
        array: (I, J, K), HU, axes to the right, the front and the head (RAS+). Crops inside of the
            body, thin stacks and scans without bone are not judged.
        is_abdomen: whether the abdomen should be seen, so that lungs are at the upper end.
    """
    if array.shape[2] < LEAST_SLICES or min(array.shape[:2]) < LEAST_SIDE:
        return
    stride = max(1, min(array.shape[:2]) // 64)
    hu = array[::stride, ::stride, :: max(1, array.shape[2] // 64)]
    body, bone = hu > TISSUE_ABOVE_HU, hu > BONE_HU
    is_crop = measure_border_share(body) >= MOST_BODY_AT_BORDER
    if is_crop or np.count_nonzero(bone) < LEAST_BONE * np.count_nonzero(body):
        return
    yield from _describe_bone_doubts(body, bone)
    if is_abdomen and _is_upside_down(hu):
        yield (
            "there is lung at its lower end and none at its upper end: it is upside down, or "
            "shows no abdomen"
        )


def _describe_bone_doubts(body: np.ndarray, bone: np.ndarray) -> Iterator[str]:
    aside, front = (_find_centre(bone, axis) - _find_centre(body, axis) for axis in (0, 1))
    lines = [_measure_longest_line(bone, axis) for axis in range(3)]
    if max(lines[:2]) >= SPINE and max(lines[:2]) > lines[2] + 0.2:
        yield "a spine runs across the patient, not from feet to head: axes are exchanged"
    elif abs(aside) > ASIDE and abs(aside) > 2 * abs(front):
        yield "most of its bone lies to one side of the body: axes are exchanged"
    elif front > BEHIND:
        yield (
            "most of its bone lies in the front half of the body, where the spine is not: front "
            "and back are exchanged"
        )


def _find_centre(mask: np.ndarray, axis: int) -> float:
    """The centre of what is true along an axis, as a part of its length."""
    profile = mask.sum(axis=tuple(a for a in range(3) if a != axis), dtype=float)
    return float(profile @ np.arange(len(profile)) / profile.sum() / len(profile))


def _measure_longest_line(bone: np.ndarray, axis: int) -> float:
    """Of the lines along an axis, 3 voxels thick, the largest share that is bone."""
    thick = ndimage.maximum_filter(np.moveaxis(bone, axis, 0), (1, 3, 3))
    return float(thick.mean(axis=0).max())


def _is_upside_down(hu: np.ndarray) -> bool:
    shares = measure_lung_profile(hu)
    end = max(1, len(shares) // 8)
    return bool(np.mean(shares[:end]) > LUNG and np.mean(shares[-end:]) < NO_LUNG)
