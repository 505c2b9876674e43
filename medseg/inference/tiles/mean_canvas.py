"""Mean canvas: averages the probabilities of a network with those that another one has found."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medseg.inference.tiles.canvas import Box, Canvas, to_probabilities

Find = Callable[[Tensor], AbstractContextManager[NDArray]]

_SMALLEST = 1e-7
"""Probability that logits are made of at least; that of float16 is 6e-8."""


@dataclass(frozen=True)
class Companion:
    """Another network, whose probabilities count beside those of the network that is run.

    Attributes:
        find: gives, for one image (1, C, *spatial), its probabilities while the block lasts,
            (channels, *spatial), such as a .npy file that is mapped into memory.
        share: of its probabilities in the mean, above 0. With 1 they alone count, and the network
            that is run has nothing to do.
        plan: what it computes and needs for an image, see `OverlapTileInferer.plan`.
        about: its bundle and the digest of its weights, for records.
    """

    find: Find
    share: float = 0.5
    plan: Callable[[Tensor], Any] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


class MeanCanvas:
    """Passes on logits of the mean of the probabilities of two networks.

    Args:
        canvas: receives the logits, and gives the result.
        others: probabilities of the other network, (channels, *spatial).
        share: of these in the mean, from 0 to 1.
        regions: whether the channels are the sigmoid logits of regions.

    Example:
        >>> from medseg.inference.tiles.canvas import LabelCanvas
        >>> canvas = LabelCanvas((1, 1), regions=False, device=torch.device("cpu"))
        >>> mean = MeanCanvas(canvas, np.array([[0.9], [0.1]]), share=0.5, regions=False)
        >>> mean.put((slice(0, 1),), torch.tensor([[[0.0], [1.0]]]))  # probability 0.27 and 0.73
        >>> mean.get_result().flatten().tolist()
        [0]
    """

    def __init__(self, canvas: Canvas, others: NDArray, *, share: float, regions: bool) -> None:
        self.canvas = canvas
        self.others = others
        self.share = share
        self.regions = regions

    def put(self, box: Box, logits: Tensor) -> None:
        """Average the probabilities of a box of one image, and pass their logits on."""
        own = to_probabilities(logits[0], regions=self.regions)
        if len(own) != len(self.others):
            raise ValueError(
                f"one network gives {len(own)} channels and the other {len(self.others)}: average "
                "networks for the same classes"
            )
        self._pass_on(box, torch.lerp(own, self._read(box, own.device), self.share))

    def put_others(self, axis: int) -> None:
        """Pass on the logits of the other network alone, slice by slice along an axis."""
        size = self.others.shape[1:]
        for place in range(size[axis]):
            box = [slice(0, n) for n in size]
            box[axis] = slice(place, place + 1)
            self._pass_on(tuple(box), self._read(tuple(box), torch.device("cpu")))

    def get_result(self) -> Tensor:
        """The result of the other canvas."""
        return self.canvas.get_result()

    def _read(self, box: Box, device: torch.device) -> Tensor:
        place = (slice(None), *box)
        values = np.array(self.others[place], dtype=np.float32)
        return torch.from_numpy(values).to(device)

    def _pass_on(self, box: Box, probabilities: Tensor) -> None:
        if self.regions or len(probabilities) == 1:
            logits = probabilities.logit(eps=_SMALLEST)
        else:
            logits = probabilities.clamp_min(_SMALLEST).log()
        self.canvas.put(box, logits[None])
