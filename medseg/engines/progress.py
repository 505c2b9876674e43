"""Progress: Ignite's progress bar with the loss, attached as MONAI attaches its handlers."""

from typing import Any

from ignite.engine import Engine
from ignite.handlers import ProgressBar


class Progress:
    """Handler of a trainer or an evaluator: a bar for each epoch, with the loss if there is one."""

    def attach(self, engine: Engine) -> None:
        """Draw the bar on standard error while the engine runs."""
        ProgressBar(persist=False).attach(engine, output_transform=_loss)


def _loss(output: Any) -> dict[str, float]:
    first = output[0] if isinstance(output, list) else output
    return {"loss": float(first["loss"])} if "loss" in first else {}
