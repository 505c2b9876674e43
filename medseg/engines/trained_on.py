"""RecordTraining: leave beside the weights what they were trained on."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from medseg.engines.best import BestWeights
from medseg.plausibility import measure_cases, write_trained_on

logger = logging.getLogger(__name__)


class RecordTraining:
    """Trainer handler that measures the training cases and writes their ranges beside the weights.

    `segment` compares what it is given with these ranges. They are written once a run has written
    weights, at the end of that epoch, so that earlier weights keep theirs until then.

    Args:
        best_weights: the handler that writes the weights.
        cases: of the training.
        load: gives a case's image and label map before values are scaled.
        modality: "CT", "MR" or "picture".
        classes: name -> label values that it gathers.
        whole_images: False where cases are crops; see `medseg.plausibility.measure_cases`.
        about: which data these are, such as name, fold and seed; no names of cases.

    Example:
        >>> RecordTraining(best, cases=cases, load=load, modality="CT", classes={"liver": [1]})
    """

    def __init__(
        self,
        best_weights: BestWeights,
        *,
        cases: Sequence[Mapping[str, Any]],
        load: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        modality: str,
        classes: Mapping[str, Sequence[int]],
        whole_images: bool = True,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.best_weights = best_weights
        self.cases = cases
        self.load = load
        self.modality = modality
        self.classes = classes
        self.whole_images = whole_images
        self.about = dict(about or {})
        self._written = False

    def attach(self, engine: Engine) -> None:
        """Ask after every epoch, when its validation is done, whether there are weights."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, _: Engine) -> None:
        """Write the ranges, once, if the run has weights."""
        if self._written or not self.best_weights.written:
            return
        self.write(self.best_weights.path)
        self._written = True

    def write(self, weights: str | os.PathLike) -> Path:
        """Measure the cases, and write their ranges beside weights."""
        found = measure_cases(
            self.cases,
            self.load,
            modality=self.modality,
            classes=self.classes,
            whole_images=self.whole_images,
            about=self.about,
        )
        path = write_trained_on(found, Path(weights))
        logger.info("what the weights were trained on: %s", path)
        return path
