"""Settings: how windows are computed and what is returned, checked once for all parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from medseg.base.arguments import check_choice, check_integers, is_integer
from medseg.base.class_values import Classes
from medseg.inference.tiles.tiling import Tiling
from medseg.transforms.classes import count_logit_channels
from medseg.transforms.regions import are_regions

WEIGHTS = ("gaussian", "nnunet", "constant")
OUTPUTS = ("logits", "labels")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The arguments of `OverlapTileInferer` that its parts share, with their meaning there.

    Attributes:
        tiling: where windows lie.
        probabilities: whether a file of them is written.
        memory_limit: in bytes.

    Raises:
        ValueError: one is out of range.
    """

    tiling: Tiling
    weights: str = "gaussian"
    batch_size: int = 1
    flips: Sequence[int] = ()
    output: str = "logits"
    classes: Classes | None = None
    probabilities: bool = False
    patch_size: Sequence[int] | None = None
    device: torch.device | None = None
    memory_limit: int | None = None

    def __post_init__(self) -> None:
        check_choice("weights", self.weights, WEIGHTS)
        check_choice("output", self.output, OUTPUTS)
        size, flips, patch = self.batch_size, self.flips, self.patch_size
        if not is_integer(size) or size < 1:
            raise ValueError(
                f"batch_size must be a whole number of 1 or more, got {size!r}: pass 1"
            )
        if not isinstance(flips, Sequence) or not all(map(is_integer, flips)):
            raise ValueError(
                f"flips must be a list of axes, got {flips!r}: pass for instance [0, 1]"
            )
        if patch is not None:
            rule = "a patch must have 1 voxel or more along each axis"
            check_integers("patch_size", patch, least=1, rule=rule)
        if isinstance(patch, int):
            raise ValueError(
                f"patch_size must have one entry per axis, got {patch}: pass for instance "
                f"{(patch,) * 3}"
            )

    @property
    def labels(self) -> bool:
        """Whether labels are returned and not logits."""
        return self.output == "labels"

    @property
    def channels(self) -> int | None:
        """Channels of the logits that the classes need; None for any number."""
        return None if self.classes is None else count_logit_channels(self.classes)

    @property
    def regions(self) -> bool:
        """Whether the channels are the sigmoid logits of regions."""
        return self.classes is not None and are_regions(self.classes)
