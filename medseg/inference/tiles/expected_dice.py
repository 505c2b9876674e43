"""Expected Dice: how well a label map fits the probabilities that it was made of."""

import json
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from medseg.inference.tiles.canvas import Box, Canvas, to_probabilities
from medseg.transforms.classes import make_label_map

EXPECTED_DICE = "expected_dice"
"""The key of an image's meta data, after inference. Its value is a text, since MONAI puts texts of
several cases together and takes them apart again; see `read_expected_dice`."""

CHUNK_VALUES = 2**21
"""Logits that are turned into probabilities at a time; each takes some 20 bytes."""


class ExpectedDice:
    """A canvas that passes logits on, and sums up what Dice each class can be expected to have.

    Where P is the probability that a voxel belongs to a class and M whether the label map has it
    there, the expected Dice with a truth drawn by P is about 2 sum(P M) / (sum(P) + sum(M)): the
    ratio of the expectations. It is as good as the probabilities are calibrated. Those of a network
    trained by a Dice loss are mostly too confident, and then it is too high.

    Args:
        canvas: receives the same logits, and gives the result.
        regions: whether the channels are the sigmoid logits of regions.

    Example:
        >>> from medseg.inference.tiles.canvas import LabelCanvas
        >>> canvas = LabelCanvas((1, 2), regions=False, device=torch.device("cpu"))
        >>> expected = ExpectedDice(canvas, regions=False)
        >>> logits = torch.tensor([[[0.0, 100.0]]])  # P is 0.5 and 1, M is 0 and 1
        >>> expected.put((slice(0, 2),), logits)
        >>> expected.list_values()
        [0.8]
    """

    def __init__(self, canvas: Canvas, *, regions: bool) -> None:
        self.canvas = canvas
        self.regions = regions
        self._sums: Tensor | None = None

    def put(self, box: Box, logits: Tensor) -> None:
        """Add the probabilities of a box, and pass the logits on."""
        for each in logits:
            for chunk in _cut(each):
                sums = _sum_up(chunk, regions=self.regions)
                self._sums = sums if self._sums is None else self._sums + sums
        self.canvas.put(box, logits)

    def get_result(self) -> Tensor:
        """The result of the other canvas."""
        return self.canvas.get_result()

    def list_values(self) -> list[float | None]:
        """For each foreground class, from 0 to 1; None for one that the label map does not have."""
        if self._sums is None:
            return []
        hits, probability, voxels = self._sums.tolist()
        return [
            2 * h / (p + n) if n else None
            for h, p, n in zip(hits, probability, voxels, strict=True)
        ]


def keep_expected_dice(image: Tensor, values: Sequence[float | None]) -> None:
    """Keep the values of the classes with an image; a plain tensor keeps none."""
    if hasattr(image, "meta"):
        image.meta[EXPECTED_DICE] = json.dumps(list(values))


def read_expected_dice(image: Tensor) -> dict[int, float]:
    """The values that an image was given, by label value; empty where there are none.

    Example:
        >>> read_expected_dice(torch.zeros(1))
        {}
    """
    kept = getattr(image, "meta", {}).get(EXPECTED_DICE, "[]")
    found = json.loads(kept if isinstance(kept, str) else kept[0])
    return {index: value for index, value in enumerate(found, start=1) if value is not None}


def _cut(logits: Tensor) -> Iterator[Tensor]:
    """Parts of (C, *spatial) along the first axis in space, each of about `CHUNK_VALUES`."""
    step = max(CHUNK_VALUES * logits.shape[1] // max(logits.numel(), 1), 1)
    return iter(logits.split(step, dim=1))


def _sum_up(logits: Tensor, *, regions: bool) -> Tensor:
    """Sums over the voxels, (3, foreground classes), float64: P where M, P, and M."""
    logits = logits.flatten(1)
    values = to_probabilities(logits, regions=regions)
    if regions or len(values) == 1:
        mask = logits > 0
    else:
        classes = torch.arange(1, len(values), device=values.device)[:, None]
        mask, values = make_label_map(logits) == classes, values[1:]
    within = torch.where(mask, values, 0)
    sums = torch.stack([within.sum(1), values.sum(1), mask.sum(1).to(values)])
    return sums.double().cpu()
