"""MeanLoss: the loss of a step that handlers see is that of all processes, not of this one."""

import ignite.distributed as idist
import torch
from ignite.engine import Engine
from monai.engines import IterationEvents


class MeanLoss:
    """Trainer handler that replaces the loss of each step by its mean over the processes.

    `DistributedDataParallel` averages the gradients, but each process keeps the loss of its own
    part of the batch, so that a curve drawn by one of them shows a part of the data only. The parts
    are of one size (the sampler deals evenly), so the mean of the losses is the loss of the whole
    batch, for a loss that is itself a mean over images.

    The loss is replaced after the backward pass, in `engine.state.output`, before MONAI decollates
    the output and other handlers read it: gradients are not touched. With one process the value
    stays. If it is not a number in one process it is so in all.

    Example:
        >>> MeanLoss().attach(trainer)
    """

    def attach(self, engine: Engine) -> None:
        """Average after each backward pass of a MONAI trainer."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Replace the loss in the output of the step; every process has to come here."""
        loss = engine.state.output["loss"].detach().as_subclass(torch.Tensor)
        engine.state.output["loss"] = idist.all_reduce(loss.clone()) / idist.get_world_size()
