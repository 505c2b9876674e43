"""Loss: average the loss of each step, read it, and end a run that diverged."""

import math
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents


class MeanLoss:
    """Trainer handler that replaces the loss of each step by its mean over the processes.

    `DistributedDataParallel` averages the gradients, but each process keeps the loss of its own
    part of the batch, so that a curve drawn by one of them shows only a part of the data. The parts
    are of one size (the sampler distributes the cases evenly), so the mean of the losses is the
    loss of the whole batch, for a loss that is itself a mean over images.

    The loss is replaced after the backward pass, in `engine.state.output`, before MONAI decollates
    the output and other handlers read it: gradients are not touched. With one process the value
    stays the same. If it is NaN in one process, it is NaN in all.

    Example:
        >>> MeanLoss().attach(trainer)
    """

    def attach(self, engine: Engine) -> None:
        """Average after each backward pass of a MONAI trainer."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Replace the loss in the output of the step; every process must call this."""
        loss = engine.state.output["loss"].detach().as_subclass(torch.Tensor)
        engine.state.output["loss"] = idist.all_reduce(loss.clone()) / idist.get_world_size()


class FiniteLoss:
    """Trainer handler that ends the run at the first loss that is infinite or not a number.

    One such loss makes every weight NaN for good. The saved weights and the resume file of earlier
    epochs stay as they are. Together with `MeanLoss`, all processes see it at once.

    Example:
        >>> FiniteLoss().attach(trainer)
    """

    def attach(self, engine: Engine) -> None:
        """Look at the loss of each step."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Raise ValueError if the loss is not finite."""
        loss = find_loss(engine.state.output)
        if loss is not None and not math.isfinite(loss):
            raise ValueError(
                f"the loss is {loss} in epoch {engine.state.epoch} (step {engine.state.iteration}):"
                " training diverged, start a new run with a lower --learning_rate; the best weights"
                " so far, if any, are kept"
            )


def summarise_step(output: Any, *, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """What TensorBoard shows of a training step: its loss and its learning rate.

    Args:
        output: of the step, as MONAI's trainer gives it.
        optimizer: whose rate it is; of several parameter groups each has a number, from 0.

    Returns:
        `train_loss` and `learning_rate`, or `learning_rate_0`, `learning_rate_1`, ...

    Example:
        >>> step = summarise_step([{"loss": 0.5}], optimizer=torch.optim.SGD([weight], lr=0.1))
        >>> step
        {'train_loss': 0.5, 'learning_rate': 0.1}
    """
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    names = (
        ["learning_rate"] if len(rates) == 1 else [f"learning_rate_{n}" for n in range(len(rates))]
    )
    loss = find_loss(output)
    shown = {} if loss is None else {"train_loss": loss}
    return {**shown, **dict(zip(names, rates, strict=True))}


def find_loss(output: Any) -> float | None:
    """The loss in the output of a step, decollated or not; None where there is none.

    Example:
        >>> find_loss([{"loss": 0.5}, {"loss": 0.5}])
        0.5
    """
    first = output[0] if isinstance(output, list) else output
    return float(first["loss"]) if "loss" in first else None
