"""Combine: one label map of those that several readers drew of a case.

A class has the voxels that at least half of the readers gave it (a consensus), or that STAPLE holds
for its own with a probability of at least 0.5. Half is enough, as LIDC counts: of two readers one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk  # noqa: N813 -- the name its manual uses
from numpy.typing import NDArray

from medseg.base.class_values import Classes
from medseg.base.masks import find_box

CONSENSUS, STAPLE, MEAN = METHODS = ("consensus", "staple", "mean")
"""How the labels of several readers may be combined. Under "mean" a training learns the share of
the readers; the label map that scores are measured against is the consensus."""

MODEL = "model"
"""What tables of readers call the network, so that no reader may be called so."""

_MARGIN_VOXELS = 1  # STAPLE also learns from the background: this much of it


def combine(
    labels: Sequence[NDArray[np.uint8]],
    classes: Classes,
    *,
    method: str = CONSENSUS,
    ignored: Sequence[int] = (),
) -> NDArray[np.uint8]:
    """The label map of all readers together, of the label values of the dataset.

    Where a voxel belongs to classes that exclude each other, the one with the larger share of the
    readers has it, and of equal ones the class that is named last. Of the values of a class it gets
    the one that most readers gave, and of equal ones the largest.

    Args:
        labels: of each reader, on one grid; at least one. A reader who marked nothing counts.
        classes: class name -> label values, outer regions before those that lie in them.
        method: one of `METHODS`.
        ignored: values that count nowhere: like a class that is named last.

    Example:
        >>> readers = [np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]), np.array([1, 1, 1, 0])]
        >>> combine(readers, {"kidney": [1]}).tolist()
        [1, 1, 0, 0]
    """
    found = np.zeros(labels[0].shape, np.uint8)
    marked = np.logical_or.reduce([label > 0 for label in labels])
    if marked.any():
        box = find_box(marked, margin=_MARGIN_VOXELS)
        values = [*classes.values(), *([ignored] if ignored else [])]
        found[box] = _combine([label[box] for label in labels], values, method)
    return found


def _combine(
    labels: Sequence[NDArray[np.uint8]], values: Sequence[Sequence[int]], method: str
) -> NDArray[np.uint8]:
    """As `combine`, of the values of each class."""
    holder = _choose_class([_find_share(labels, each, method) for each in values], values)
    found = np.zeros(labels[0].shape, np.uint8)
    for index, each in enumerate(values, start=1):
        inner = {v for other in values if set(other) < set(each) for v in other}
        own = sorted(set(each) - inner) or sorted(each)
        where = holder == index
        found[where] = _choose_value([label[where] for label in labels], own)
    return found


def estimate_staple(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """The probability of each voxel by STAPLE, 0 outside the box around all masks.

    It runs on that box and one voxel more; a larger box makes readers look more specific. Where all
    readers drew the same, or there is one, that is the answer.

    Source: Warfield, Zou, Wells, Simultaneous truth and performance level estimation, IEEE TMI 23,
    2004, as SimpleITK implements it.

    Raises:
        ValueError: it finds no estimate.
    """
    union = np.logical_or.reduce(masks)
    if all(np.array_equal(union, mask) for mask in masks):
        return union.astype(float)
    box = find_box(union, margin=_MARGIN_VOXELS)
    images = [sitk.GetImageFromArray(np.ascontiguousarray(mask[box], np.uint8)) for mask in masks]
    found = np.zeros(union.shape)
    found[box] = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0))
    if np.isnan(found).any():
        raise ValueError("STAPLE finds no estimate for these readers: take their consensus")
    return found


def _find_share(
    labels: Sequence[NDArray[np.uint8]], values: Sequence[int], method: str
) -> NDArray[np.float64]:
    """The share of the readers who gave a voxel a class, or its probability by STAPLE."""
    masks = [np.isin(label, values) for label in labels]
    if method == STAPLE:
        return estimate_staple(masks)
    return np.mean(masks, axis=0)


def _choose_class(
    shares: Sequence[NDArray[np.float64]], values: Sequence[Sequence[int]]
) -> NDArray[np.uint8]:
    """The index of each voxel's class, counted from 1; 0 where none has half of the readers."""
    holder = np.zeros(shares[0].shape, np.uint8)
    best = np.zeros(shares[0].shape)
    for index, share in enumerate(shares, start=1):
        around = [i for i, each in enumerate(values, 1) if set(each) > set(values[index - 1])]
        takes = (share >= 0.5) & (np.isin(holder, around) | (share >= best))
        holder[takes], best[takes] = index, share[takes]
    return holder


def _choose_value(labels: Sequence[NDArray[np.uint8]], own: Sequence[int]) -> NDArray[np.uint8]:
    """For each voxel the value that most readers gave it."""
    votes = np.array([np.sum([label == value for label in labels], axis=0) for value in own])
    last = len(own) - 1 - votes[::-1].argmax(axis=0)
    return np.array(own, np.uint8)[last]
