"""Write: a handler that writes the outputs of each case once it is post-processed."""

from collections.abc import Callable, Mapping
from typing import Any

from ignite.engine import Engine
from monai.engines import IterationEvents

from medseg.inference.outputs.notes import FACTS, FOUND


class WriteOutputs:
    """Evaluator handler that gives each case, with its image and its prediction, to `write`.

    The writers are not among the post-processing transforms of a bundle, so that other programs,
    which run these transforms and write in their own way, get the prediction and no files.

    What a writer says that it found, see `add_found`, goes on to the line that `run_cases` logs of
    the case, and to a program that asks for it.

    Args:
        write: takes the dictionary of a case: what was read, "pred" as it is after the
            post-processing, and "case", its name. It may return the dictionary with what it found.

    Example:
        >>> WriteOutputs(print).attach(evaluator)  # doctest: +SKIP
    """

    def __init__(self, write: Callable[[Mapping[str, Any]], Any]) -> None:
        self.write = write

    def attach(self, engine: Engine) -> None:
        """Write after the post-processing, which runs when the model is done."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write each case of the batch."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            written = self.write({**item, **output})
            if isinstance(written, Mapping):
                output |= {key: written[key] for key in (FOUND, FACTS) if key in written}
