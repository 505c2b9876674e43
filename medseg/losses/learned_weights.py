"""LearnedWeightsLoss: the loss of a deeply supervised network that learns its head weights."""

from collections.abc import Sequence

import ignite.distributed as idist
import torch
from torch import Tensor, nn

FLOOR = 0.01
"""Added to the excess of each head: no head's weight settles above 1 / `FLOOR`."""


class LearnedWeightsLoss(nn.Module):
    """Weighs the heads by how uncertain each is, with one parameter s per head:

        L = sum_i exp(-s_i) (L_i - L_min + floor) + s_i.

    The weights are exp(-s), 1 at the start. Without the last term all of them would fall to 0; with
    it s tends to log(L_i - L_min + floor): a weight is the inverse of what its head has left to
    gain, and every head counts the same in relative terms. In the source L_i is a negative
    log-likelihood, which is not negative, and s its log-variance; `HybridLoss` is negative, so that
    its minimum is taken off first.

    As a head nears its minimum s would fall without end and its weight grow without bound. `FLOOR`
    ends that: the slope in s is 1 - exp(-s) (L_i - L_min + floor), which pulls s back from below
    log floor, about -4.6, ever harder. A hard limit on s would have no slope beyond it, and a head
    that got worse again would keep its weight.

    A list of heads gives this sum, deepest head first; one tensor, as in evaluation, the plain
    loss. Values of this loss can be compared within a run, not with those of fixed weights.

    The parameters must be given to the optimiser, without weight decay, and be saved to resume a
    run. Adam moves each of them by about its learning rate a step, so that a weight takes some
    log(2) / rate steps to double: a short run may want a higher rate for them.

    This loss is not wrapped for distributed training: it averages the gradient of s over all
    processes itself, so each of them must take every step. The parameters may stay on the CPU.

    Args:
        loss: of one head, called as loss(logits, target).
        heads: number of heads.
        minimum: least value of `loss`; None reads `loss.minimum`. One that is too high makes the
            excess negative and s fall without end.

    Attributes:
        log_scales: the parameters s (heads,), 0 at the start.
        weights: exp(-s), to be logged.

    Raises:
        ValueError: no head, or a loss of unknown minimum; in `forward`, another number of heads.

    Example:
        >>> loss = LearnedWeightsLoss(HybridLoss(), 4)
        >>> loss.weights
        [1.0, 1.0, 1.0, 1.0]

    Source: Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for
    Scene Geometry and Semantics", 2018, equation 10: twice the terms of its first task, with s for
    log sigma^2.
    """

    def __init__(self, loss: nn.Module, heads: int, *, minimum: float | None = None) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(
                f"learned weights need one or more heads, got {heads}: pass their number"
            )
        self.loss = loss
        self.minimum = _find_minimum(loss) if minimum is None else float(minimum)
        self.log_scales = nn.Parameter(torch.zeros(heads))

    @property
    def weights(self) -> list[float]:
        """The weights of the heads as learned so far, deepest head first."""
        weights: list[float] = torch.exp(-self.log_scales.detach()).tolist()
        return weights

    def forward(self, output: Tensor | Sequence[Tensor], target: Tensor) -> Tensor:
        """Return the scalar loss of the heads' logits, or of one tensor of logits."""
        if isinstance(output, Tensor):
            plain: Tensor = self.loss(output.float(), target)
            return plain
        if len(output) != len(self.log_scales):
            raise ValueError(
                f"learned weights must be one per head, got {len(output)} heads for "
                f"{len(self.log_scales)} weights: build the loss for this network"
            )
        losses = torch.stack([self.loss(logits.float(), target) for logits in output])
        excess = losses - self.minimum + FLOOR
        log_scales = _average_gradient(self.log_scales, losses.device)
        return (torch.exp(-log_scales) * excess + log_scales).sum()


def _average_gradient(parameter: Tensor, device: torch.device) -> Tensor:
    """A copy of the parameter whose gradient is averaged over the processes on its way back."""
    copy = parameter.to(device, copy=True)
    if copy.requires_grad:
        copy.register_hook(_average_over_processes)
    return copy


def _average_over_processes(gradient: Tensor) -> Tensor:
    total = idist.all_reduce(gradient.clone())  # it adds in place, which a hook must not
    return torch.as_tensor(total) / idist.get_world_size()


def _find_minimum(loss: nn.Module) -> float:
    minimum = getattr(loss, "minimum", None)
    if minimum is None:
        raise ValueError(
            f"learned weights need the least value of the loss, {type(loss).__name__} does not "
            "state it: pass minimum, 0.0 for a loss that is never negative"
        )
    return float(minimum)
