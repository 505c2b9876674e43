"""FiniteLoss: a training that diverged ends at once, and does not go on with broken weights."""

import math

from ignite.engine import Engine, Events


class FiniteLoss:
    """Trainer handler that ends the run at the first loss that is infinite or not a number.

    One such loss makes every weight not a number, for good. The weights and the resume file of the
    epochs before stay as they are. Attached beside `MeanLoss`, all processes see it at once.

    Example:
        >>> FiniteLoss().attach(trainer)
    """

    def attach(self, engine: Engine) -> None:
        """Look at the loss of each step."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Raise ValueError if the loss is not finite."""
        output = engine.state.output
        first = output[0] if isinstance(output, list) else output
        loss = float(first["loss"])
        if not math.isfinite(loss):
            raise ValueError(
                f"the loss is {loss} in epoch {engine.state.epoch} (step {engine.state.iteration}):"
                " training diverged, start a new run with a lower --learning_rate; the best weights"
                " so far, if any, are kept"
            )
