"""RecordTraining: save what weights were trained on, in their file and beside it."""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from medseg.engines.best_weights import BestWeights
from medseg.plausibility import (
    TrainedOn,
    carry_trained_on,
    choose_cases,
    choose_settings,
    measure_cases,
    merge_trained_on,
    write_trained_on,
)

logger = logging.getLogger(__name__)


class RecordTraining:
    """Trainer handler that measures the training cases and keeps their ranges with the weights.

    `segment` compares what it is given with these ranges. The cases are measured before the first
    epoch; each process measures a part of them, so that none waits long for another. The file of
    the best weights holds the ranges, see `medseg.plausibility.carry_trained_on`. They are also
    written beside it, with its digest, just before the weights are replaced; until then the ranges
    of the earlier weights stay.

    Args:
        best_weights: the handler that writes the weights.
        cases: of the training.
        load: gives a case's image and label map before values are scaled.
        modality: "CT", "MR" or "picture".
        classes: name -> label values that it gathers.
        whole_images: False where cases are crops; see `medseg.plausibility.measure_cases`.
        about: which data these are, such as name, fold and split_seed; no names of cases.
        choices: of the config; those that say what the network is trained for are written, too.

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
        choices: Mapping[str, Any] | None = None,
    ) -> None:
        self.best_weights = best_weights
        self.cases = cases
        self.load = load
        self.modality = modality
        self.classes = classes
        self.whole_images = whole_images
        self.about = dict(about or {})
        self.settings = choose_settings(choices or {})
        self._found: TrainedOn | None = None

    def attach(self, engine: Engine) -> None:
        """Measure as the training starts, and write when there are weights."""
        engine.add_event_handler(Events.STARTED, self)
        self.best_weights.carry_along(self.carry)
        self.best_weights.add_before_save(self.write)

    def __call__(self, engine: Engine) -> None:
        """Measure the cases, unless the run is complete already."""
        if engine.state.epoch < (engine.state.max_epochs or 0):
            self._found = self.measure()

    def measure(self) -> TrainedOn:
        """The ranges of the training cases; in a group each process measures its part of them.

        Raises:
            ValueError: there are no cases.
        """
        chosen = choose_cases(self.cases)
        rank, size = idist.get_rank(), idist.get_world_size()
        if rank == 0:
            logger.info("measuring what the training cases are like: %d", len(chosen))
        if size == 1:
            return self._measure(chosen)
        mine = chosen[rank::size]
        texts = idist.all_gather(json.dumps(asdict(self._measure(mine)) if mine else None))
        parts = [TrainedOn(**part) for text in texts if (part := json.loads(text))]
        return merge_trained_on(parts)

    def carry(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """The state dict with the ranges, see `medseg.plausibility.carry_trained_on`."""
        return carry_trained_on(state, self._measure_once())

    def write(
        self, weights: str | os.PathLike, *, partial: str | os.PathLike | None = None
    ) -> Path:
        """Write the ranges beside weights; see `medseg.plausibility.write_trained_on`."""
        path = write_trained_on(self._measure_once(), weights, partial=partial)
        logger.debug("what the weights were trained on: %s", path)
        return path

    def _measure_once(self) -> TrainedOn:
        if self._found is None:
            self._found = self.measure()
        return self._found

    def _measure(self, cases: Sequence[Mapping[str, Any]]) -> TrainedOn:
        return measure_cases(
            cases,
            self.load,
            modality=self.modality,
            classes=self.classes,
            whole_images=self.whole_images,
            about=self.about,
            settings=self.settings,
        )
