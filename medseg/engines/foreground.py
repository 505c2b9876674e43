"""Foreground: whether the cases of a run show the classes that it learns and is scored by."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ignite.distributed as idist
import torch

from medseg.base.class_values import Classes
from medseg.transforms.regions import are_regions

logger = logging.getLogger(__name__)


def check_foreground(
    training: Sequence[Mapping[str, Any]],
    validation: Sequence[Mapping[str, Any]],
    *,
    classes: Classes,
    fold: int,
) -> None:
    """Refuse cases without any foreground; warn of each class that none of them has.

    Classes that overlap are said to do so.

    Labels are judged as the network sees them, after resampling and cropping. A class without a
    voxel in the validation cases has no score and is left out of the mean that chooses the best
    weights; one without a voxel in the training cases cannot be learnt. Reading stops once every
    class is found, as a rule within a few cases.

    Args:
        training: loaded cases, with the label values of the dataset under "label".
        validation: likewise.
        classes: class name -> label values.
        fold: the fold of the validation cases, for the message.

    Raises:
        ValueError: no cases, or no voxel of any class, in the training or in the validation cases.
    """
    if are_regions(classes) and idist.get_rank() == 0:
        logger.info(
            "the classes %s are regions, which overlap: each has a channel of its own, and a voxel "
            "may be in several",
            ", ".join(classes),
        )
    where = {f"validation cases of fold {fold}": validation, "training cases": training}
    for place, cases in where.items():
        if len(cases) == 0:
            raise ValueError(
                f"there are no {place}: choose another --fold or --folds, or add cases"
            )
        absent = _find_missing_classes(cases, classes)
        if len(absent) == len(classes):
            raise ValueError(
                f"no image of the {len(cases)} {place} contains class {' or '.join(absent)}: "
                "choose another --fold or --split_seed, lower --val_slice_step or --slice_step "
                "where slices are skipped, or correct classes and label_values"
            )
        for name in absent if idist.get_rank() == 0 else ():
            logger.warning(
                "no image of the %d %s contains class %s, which is not %s: add cases that have it, "
                "or choose another --fold or --split_seed",
                *(len(cases), place, name),
                "scored" if cases is validation else "learnt",
            )


def _find_missing_classes(cases: Sequence[Mapping[str, Any]], classes: Classes) -> list[str]:
    """The classes that no case has a voxel of, in order."""
    absent = dict(classes)
    for label in _read_labels(cases):
        for name in [name for name, values in absent.items() if _holds(label, values)]:
            del absent[name]
        if not absent:
            break
    return list(absent)


def _read_labels(cases: Sequence[Mapping[str, Any]]) -> Iterator[torch.Tensor]:
    for index in range(len(cases)):
        yield torch.as_tensor(cases[index]["label"])


def _holds(label: torch.Tensor, values: Sequence[int]) -> bool:
    return any(bool((label == value).any()) for value in values)
