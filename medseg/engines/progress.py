"""Progress: Ignite's progress bar with the loss, attached as MONAI attaches its handlers."""

from typing import Any

from ignite.engine import Engine
from ignite.handlers import ProgressBar


class Progress:
    """Trainer handler: a bar for each epoch, with the loss of the last batch."""

    def attach(self, engine: Engine) -> None:
        """Draw the bar on standard error while the engine runs."""
        ProgressBar(persist=True).attach(engine, output_transform=_loss)


def _loss(output: Any) -> dict[str, float]:
    first = output[0] if isinstance(output, list) else output
    return {"loss": float(first["loss"])}
