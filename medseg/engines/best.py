"""BestWeights: keep the weights of the best validation, and end a run that no longer improves."""

import logging
import math
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from medseg.files import whole

logger = logging.getLogger(__name__)


class BestWeights:
    """Trainer handler; attach it after the `ValidationHandler` whose evaluator it reads.

    After every validation that beats all before it, the network's state dict is written, whole or not
    at all, to `path`: a flat state dict, as `models/model.pt` of a bundle has to be. After `patience`
    validations without an improvement the trainer is told to stop. A file that was at `path` before
    this run is moved, under a dated name, to `replaced_dir`; nothing is lost.

    MONAI's `CheckpointSaver` forgets the best score on resume and writes in place, and its
    `EarlyStopHandler` forgets its count; this handler is one object with a state dict, which
    `Resume` saves.

    Args:
        network: the network, or its `DistributedDataParallel` wrapper.
        path: file of the best weights.
        evaluator: validation engine whose key metric (larger is better) decides.
        patience: validations without improvement before the run ends; None never ends it.
        replaced_dir: where the file of an earlier run goes; None means beside `path`'s folder, in
            `replaced/`.

    Raises:
        ValueError: `patience` below 1.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        path: str | os.PathLike,
        *,
        evaluator: Engine,
        patience: int | None = None,
        replaced_dir: str | os.PathLike | None = None,
    ) -> None:
        if patience is not None and patience < 1:
            raise ValueError(
                f"patience must be at least 1 validation, got {patience}: "
                "pass null to train for all epochs"
            )
        self.network = network
        self.path = Path(path)
        self.evaluator = evaluator
        self.patience = patience
        self.replaced_dir = Path(replaced_dir or self.path.parent.parent / "replaced")
        self.score, self.epoch, self.misses, self.validations = -math.inf, 0, 0, 0

    def attach(self, engine: Engine) -> None:
        """Judge after each epoch of the trainer in which the evaluator ran."""
        self.evaluator.add_event_handler(Events.COMPLETED, self._count)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        if not self.validations:
            return
        self.validations = 0
        name = self.evaluator.state.key_metric_name
        score = float(self.evaluator.state.metrics[name])
        if math.isnan(score):
            logger.warning("%s is not a number in epoch %d", name, engine.state.epoch)
        if score > self.score:
            self._save()
            self.score, self.epoch, self.misses = score, engine.state.epoch, 0
            logger.info("best %s %.4f in epoch %d: %s", name, score, self.epoch, self.path)
            return
        self.misses += 1
        if self.patience is not None and self.misses >= self.patience:
            logger.info("no better than %.4f (epoch %d): stopping", self.score, self.epoch)
            engine.terminate()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on judging as if never interrupted."""
        return {"score": self.score, "epoch": self.epoch, "misses": self.misses}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        self.score, self.epoch, self.misses = state["score"], state["epoch"], state["misses"]

    def _count(self, engine: Engine) -> None:
        self.validations += 1

    def _save(self) -> None:
        if idist.get_rank() != 0:
            return
        if self.epoch == 0 and self.path.exists():
            self._move_away()
        network = getattr(self.network, "module", self.network)
        with whole(self.path) as partial:
            torch.save(network.state_dict(), partial)

    def _move_away(self) -> None:
        when = datetime.fromtimestamp(self.path.stat().st_mtime).strftime("%Y%m%d-%H%M%S")
        kept = self.replaced_dir / f"{self.path.stem}-{when}{self.path.suffix}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.path, kept)
        logger.warning("%s of an earlier run is now %s", self.path, kept)
