"""Forward: run a network on windows, slice by slice and with flips, and check its output."""

from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Tensor

from medseg.networks.output import require_one_tensor


class Forward:
    """Maps windows (B, C, *spatial) to logits (B, classes, *spatial), and checks them.

    Args:
        predict: the network.
        slices: the axis along which windows are one voxel thick and the network has no dimension;
            None for a network of as many dimensions as the windows.
        flips: axes, negative ones from the end: the logits are the mean over all combinations of
            flips along them.
        channels: of the logits; None for any number.

    Raises:
        ValueError: in the call, flips along an axis that windows do not have, logits of another
            size than their windows, or another number of channels.
        TypeError: in the call, anything but one tensor.

    Example:
        >>> Forward(lambda x: 2 * x, flips=(0,))(torch.ones(1, 1, 4)).flatten().tolist()
        [2.0, 2.0, 2.0, 2.0]
    """

    def __init__(
        self,
        predict: Callable[[Tensor], Tensor],
        *,
        slices: int | None = None,
        flips: Sequence[int] = (),
        channels: int | None = None,
    ) -> None:
        self.predict = predict
        self.slices = slices
        self.flips = tuple(flips)
        self.channels = channels

    def __call__(self, windows: Tensor) -> Tensor:
        dims = self._find_flipped_dims(windows.ndim - 2)
        chosen = [c for n in range(len(dims) + 1) for c in combinations(dims, n)]
        if len(chosen) == 1:
            return self._run_once(windows)
        total = self._run_once(windows).to(torch.float32, copy=True)  # to be added to in place
        for flipped in chosen[1:]:
            _add_flipped(total, self._run_once(windows.flip(flipped)), flipped)
        return total.div_(len(chosen))

    def _find_flipped_dims(self, axes: int) -> list[int]:
        """Dimensions to flip, counted from the end, each once, without that of the slices."""
        if outside := [axis for axis in self.flips if not -axes <= axis < axes]:
            raise ValueError(
                f"flips must be axes of the image, 0 to {axes - 1}, got {outside[0]}: leave it out"
            )
        return sorted({axis % axes - axes for axis in self.flips if axis % axes != self.slices})

    def _run_once(self, windows: Tensor) -> Tensor:
        """Run one pass; a network of one dimension less gets windows one voxel thick as slices."""
        if self.slices is None:
            return self._run_checked(windows.contiguous())
        dim = self.slices + 2
        return self._run_checked(windows.squeeze(dim).contiguous()).unsqueeze(dim)

    def _run_checked(self, windows: Tensor) -> Tensor:
        logits = require_one_tensor(self.predict(windows))
        if logits.shape[2:] != windows.shape[2:]:
            heads = "call eval(), or wrap it so that it returns one tensor"
            raise ValueError(
                f"a network must give logits of the size of its input, got {tuple(logits.shape)} "
                f"for {tuple(windows.shape)}: "
                f"{heads if logits.ndim > windows.ndim else 'use one with padding'}"
            )
        if self.channels not in (None, logits.shape[1]):
            raise ValueError(
                f"the classes need {self.channels} channels, the network gives {logits.shape[1]}: "
                "load the weights and the classes of one training"
            )
        return logits


def _add_flipped(total: Tensor, logits: Tensor, dims: tuple[int, ...]) -> None:
    """Add flipped logits class by class, so that only one class is held twice at a time."""
    for whole, part in zip(total.unbind(1), logits.unbind(1), strict=True):
        whole += part.flip(dims)
