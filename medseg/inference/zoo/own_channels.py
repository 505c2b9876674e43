"""Own channels: what the post-processing of a bundle of another origin makes of its channels.

It may give a label map, one mask for each class, or masks that overlap. Which it is, and which
value stands for which channel, is seen from what it makes of an image in which the network is sure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import torch
from monai.data import MetaTensor
from torch import Tensor

from medseg.base.class_values import BACKGROUND, Classes
from medseg.labels import OUTSIDE

logger = logging.getLogger(__name__)

MOST_OVERLAPPING = 7
"""Channels that may overlap, at most: each combination of them is a value of the label map."""

_SURE = 10.0  # a logit, and above every threshold of a probability
_SHAPE = (4, 4, 4)
_NO_VALUES = ("Invertd", "InvertDict", "InvertD", "SaveImaged", "SaveImageDict", "SaveImageD")


class OwnChannels:
    """Which classes a post-processing gives, by the values of its label map.

    Args:
        names: of the network's channels; the first may be "background".
        postprocessing: its transforms, of the key "pred".

    Attributes:
        classes: name -> values of the label map. A value that several channels may have is named
            after those that it takes, "outside" those that go before them.
        are_overlapping: whether the masks are several, and more than one may have a voxel; then a
            value stands for each combination, see `number_voxels`.

    Raises:
        ValueError: more than `MOST_OVERLAPPING` channels overlap.

    Example:
        >>> argmax = lambda data: {"pred": data["pred"].argmax(0)[None]}
        >>> OwnChannels(["background", "liver"], argmax).classes
        {'liver': [1]}
    """

    def __init__(self, names: Sequence[str], postprocessing: Any) -> None:
        self.names = list(names)
        self._steps = [step for step in _list_steps(postprocessing)
                       if type(step).__name__ not in _NO_VALUES]  # fmt: skip
        self._has_background = self.names[0] == BACKGROUND and len(self.names) > 1
        self.are_overlapping = False
        self.classes: Classes = self._find_classes()

    def number_voxels(self, found: Tensor) -> Tensor:
        """The values of a label map, (1, *spatial), of what the post-processing gave.

        Args:
            found: a label map, (1, *spatial), or masks (C, *spatial) of 0 and 1.

        Raises:
            ValueError: several channels that are no masks, or that overlap against expectation.
        """
        if len(found) == 1:
            return found
        if not ((found == 0) | (found == 1)).all():
            raise ValueError(
                f"its post-processing gives {len(found)} channels with values from "
                f"{found.min():g} to {found.max():g}, which are no masks: add AsDiscreted to it"
            )
        masks = found[1:] if self._has_background else found
        weighs = [2**place if self.are_overlapping else place + 1 for place in range(len(masks))]
        if not self.are_overlapping and (masks.sum(0) > 1).any():
            raise ValueError(
                "masks of several classes overlap, and its post-processing was taken for one that "
                "gives each voxel one class: add AsDiscreted with argmax to it"
            )
        return sum(mask.int() * weigh for mask, weigh in zip(masks, weighs, strict=True))[None]

    def _find_classes(self) -> Classes:
        first = int(self._has_background)
        try:
            alone = [self._try_on({place: _SURE}) for place in range(len(self.names))]
            exclusive = self._is_exclusive(alone)
        except Exception as error:  # its own code: it may ask for what only a case has
            logger.debug("the values of the label map are not tried out: %s", error)
            return {name: [place + 1] for place, name in enumerate(self.names[first:])}
        if exclusive:
            return self._name_exclusive(alone)
        if len(self.names) - first > MOST_OVERLAPPING:
            raise ValueError(
                f"{len(self.names) - first} channels of the network may overlap, and a label map "
                f"can tell at most {MOST_OVERLAPPING} apart: choose some in its post-processing"
            )
        return self._name_combinations(first)

    def _is_exclusive(self, alone: Sequence[tuple[int, ...]]) -> bool:
        """Whether of two channels the surer one counts alone."""
        found = [place for place, value in enumerate(alone) if any(value)][-2:]
        if len(found) < 2:
            return True
        a, b = found
        return (
            self._try_on({a: _SURE, b: _SURE / 2}) == alone[a]
            and self._try_on({a: _SURE / 2, b: _SURE}) == alone[b]
        )

    def _name_exclusive(self, alone: Sequence[tuple[int, ...]]) -> Classes:
        first = int(self._has_background)
        if len(alone[0]) > 1:
            return {name: [place + 1] for place, name in enumerate(self.names[first:])}
        named: dict[int, list[str]] = {}
        for name, (value,) in zip(self.names, alone, strict=True):
            if value and name != BACKGROUND:
                named.setdefault(value, []).append(name)
        return {" or ".join(names): [value] for value, names in sorted(named.items())}

    def _name_combinations(self, first: int) -> Classes:
        """Name each value after the fewest channels that give it."""
        places = range(first, len(self.names))
        values: dict[tuple[int, ...], tuple[int, ...]] = {
            on: self._try_on(dict.fromkeys(on, _SURE))
            for count in range(1, len(places) + 1)
            for on in combinations(places, count)
        }
        self.are_overlapping = any(len(value) > 1 for value in values.values())
        named: dict[int, str] = {}
        for on, value in values.items():
            number = self._number(value, first)
            if number and number not in named:
                named[number] = self._name(on, values, places)
        return {name: [number] for number, name in sorted(named.items())}

    def _number(self, value: tuple[int, ...], first: int) -> int:
        if len(value) == 1:
            return value[0]
        return sum(2**place for place, mask in enumerate(value[first:]) if mask)

    def _name(
        self,
        on: tuple[int, ...],
        values: dict[tuple[int, ...], tuple[int, ...]],
        places: Sequence[int],
    ) -> str:
        """The channels of a value, and those outside of which it is."""
        before = [
            self.names[place]
            for place in places
            if place not in on and values[tuple(sorted((*on, place)))] != values[on]
        ]
        name = " and ".join(self.names[place] for place in on)
        return f"{name}{OUTSIDE}{', '.join(before)}" if before else name

    def _try_on(self, logits: dict[int, float]) -> tuple[int, ...]:
        """The values, channel by channel, where the network is so sure, and against all others."""
        pred = torch.full((len(self.names), *_SHAPE), -_SURE)
        for place, logit in logits.items():
            pred[place] = logit
        data: Any = {"pred": MetaTensor(pred), "image": MetaTensor(torch.zeros(1, *_SHAPE))}
        for step in self._steps:
            data = step(data)
        found = torch.as_tensor(data["pred"]).flatten(1)
        if (found != found[:, :1]).any() or (found != found.round()).any():
            raise ValueError("the result is no label map")
        return tuple(int(value) for value in found[:, 0])


def _list_steps(postprocessing: Any) -> list[Callable[[Any], Any]]:
    """The transforms of a post-processing, one by one."""
    if postprocessing is None:
        return []
    inner = getattr(postprocessing, "transforms", None)
    if inner is None:
        return [postprocessing]
    return [step for one in inner for step in _list_steps(one)]
