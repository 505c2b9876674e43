"""BestWeights: keep the weights of the best validation, and end a run that stops improving."""

import hashlib
import logging
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from medseg.base.files import keep_aside, whole
from medseg.engines.claim import claim_weights
from medseg.engines.distributed import unwrap
from medseg.plausibility import copy_trained_on

logger = logging.getLogger(__name__)


class BestWeights:
    """Trainer handler that looks at the score each time the validation engine is done.

    After a validation that is better than all before, the network's state dict is written, whole or
    not at all, to `path`: a flat state dict, as `models/model.pt` of a bundle has to be. Before the
    first validation it is written after each epoch, so that a run that is stopped has weights.
    After `patience` validations in a row without an improvement the trainer is told to stop. A
    score that is not a number counts as no improvement. If there is a file at `path` that this run
    did not write, it is moved to `replaced_dir`, which may be on another disk, under a dated name,
    together with the record of what it was trained on.

    MONAI's `CheckpointSaver` forgets the best score on resume and writes in place, and its
    `EarlyStopHandler` forgets its count; this handler is one object with a state dict, which
    `Resume` saves.

    Args:
        network: the network, or its `DistributedDataParallel` wrapper.
        path: file of the best weights.
        evaluator: validation engine whose key metric (larger is better) decides.
        patience: validations without improvement before the run ends; None never ends it.
        takes_last: keep the weights of every validation, not of the best: where the validation is
            trained on too, its score says nothing.
        replaced_dir: where the file of an earlier run goes; None means beside `path`'s folder, in
            `replaced/`.

    Raises:
        ValueError: `patience` below 1, or an evaluator without key metric.
        FileExistsError: when the trainer starts, if another run writes to `path`.
        ValueError: when it ends, if no validation had a score that is a number.

    Example:
        >>> BestWeights(net, "models/model.pt", evaluator=evaluator, patience=10).attach(trainer)
    """

    def __init__(
        self,
        network: torch.nn.Module,
        path: str | os.PathLike,
        *,
        evaluator: Engine,
        patience: int | None = None,
        takes_last: bool = False,
        replaced_dir: str | os.PathLike | None = None,
    ) -> None:
        if patience is not None and patience < 1:
            raise ValueError(
                f"patience must be at least 1 validation, got {patience}: "
                "pass None to train for all epochs"
            )
        if getattr(evaluator.state, "key_metric_name", None) is None:
            raise ValueError("best weights need an evaluator with a key metric: set key_val_metric")
        self.network = network
        self.path = Path(path)
        self.evaluator = evaluator
        self.patience = patience
        self.takes_last = takes_last
        self.replaced_dir = Path(replaced_dir or self.path.parent.parent / "replaced")
        self.score, self.epoch, self.misses = -math.inf, 0, 0
        self.judged = 0
        self.written = ""
        self.scores: dict[str, float] = {}
        self._run_before_save: list[Callable[..., Any]] = []
        self._carry: list[Callable[[Mapping[str, Any]], Mapping[str, Any]]] = []

    def carry_along(self, action: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Save what `action(state_dict)` returns: the same tensors, with a record about them."""
        self._carry.append(action)

    def add_before_save(self, action: Callable[..., Any]) -> None:
        """Call `action(path, partial=file)` when `file` is about to become the weights `path`."""
        self._run_before_save.append(action)

    def attach(self, engine: Engine) -> None:
        """Judge at the end of every validation, whatever makes the trainer run it."""
        engine.add_event_handler(Events.STARTED, self.begin)
        self.evaluator.add_event_handler(Events.COMPLETED, self, engine)
        engine.add_event_handler(Events.EPOCH_STARTED, self.stop_if_out_of_patience)
        engine.add_event_handler(Events.COMPLETED, self.validate_if_never)
        engine.add_event_handler(Events.COMPLETED, self.check_kept)

    def begin(self, trainer: Engine) -> None:
        """Claim the file, and from now on act after the handlers that are attached by now."""
        claim_weights(self.path)
        for action in (self.validate_last, self.keep_until_validated):
            if not trainer.has_event_handler(action, Events.EPOCH_COMPLETED):
                trainer.add_event_handler(Events.EPOCH_COMPLETED, action)

    def __call__(self, evaluator: Engine, trainer: Engine) -> None:
        """Keep the weights if they are the best so far, else count a miss (no improvement)."""
        name, epoch = evaluator.state.key_metric_name, trainer.state.epoch
        score = float(evaluator.state.metrics[name])
        self.judged = epoch
        is_best = score > self.score or (self.takes_last and math.isfinite(score))
        if is_best:
            self._save()
            self.score, self.epoch, self.misses = score, epoch, 0
            self.scores = {k: float(v) for k, v in evaluator.state.metrics.items()}
            return
        if math.isnan(score):
            logger.warning("%s is not a number in epoch %d", name, epoch)
        self.misses += 1
        self.stop_if_out_of_patience(trainer)

    def stop_if_out_of_patience(self, trainer: Engine) -> None:
        """Stop after `patience` validations without improvement, or again when resumed."""
        if self.patience is not None and self.misses >= self.patience:
            logger.info("no better than %.4f (epoch %d): stopping", self.score, self.epoch)
            trainer.terminate()

    def keep_until_validated(self, trainer: Engine) -> None:
        """Keep the weights of each epoch before the first validation, for a run that is stopped."""
        if self.score == -math.inf and self.misses == 0:
            self._save()

    def validate_last(self, trainer: Engine) -> None:
        """Validate the last epoch where the interval leaves it out: its learning rate is lowest."""
        if self.judged < trainer.state.epoch == trainer.state.max_epochs:
            self.evaluator.run(trainer.state.epoch)

    def validate_if_never(self, trainer: Engine) -> None:
        """Validate once at the end of a run that ended before its first validation."""
        if self.score == -math.inf and self.misses == 0 and trainer.state.iteration:
            self.evaluator.run(trainer.state.epoch)

    def check_kept(self, trainer: Engine) -> None:
        """Raise an error at the end if there are no weights; warn if they are in another place.

        Raises:
            ValueError: no validation of the run had a score.
        """
        if self.score == -math.inf:
            if idist.get_rank() == 0 and self.written:
                self.path.unlink(missing_ok=True)  # weights of an epoch that came to nothing
            raise ValueError(
                f"no weights in {self.path}: no validation of this run had a score, for "
                "instance because it diverged or val_interval is too large: train again with other "
                "settings"
            )
        if idist.get_rank() == 0 and not self.path.exists():
            logger.warning(
                "no weights in %s: the best, of epoch %d, were written elsewhere before this run "
                "was resumed",
                *(self.path, self.epoch),
            )

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on as if it had never been interrupted."""
        names = ("score", "epoch", "misses", "judged", "written", "scores")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        self.score, self.epoch, self.misses = state["score"], state["epoch"], state["misses"]
        self.judged = state.get("judged", self.epoch)
        self.written, self.scores = state["written"], state.get("scores", {})

    def _save(self) -> None:
        if idist.get_rank() != 0:
            return
        state = unwrap(self.network).state_dict()
        written = _digest(state)
        for carry in self._carry:
            state = carry(state)
        with whole(self.path) as partial:
            torch.save(state, partial)
            # only now: if the disk is full, the earlier file stays in its place
            if self.path.exists() and _digest_of_file(self.path) not in (self.written, written):
                kept = keep_aside(self.path, self.replaced_dir)
                logger.warning("%s of another run is now %s", self.path, kept)
                if kept is not None:
                    copy_trained_on(self.path, kept)
            for action in self._run_before_save:
                action(self.path, partial=partial)
        self.written = written


def _digest(state: Mapping[str, torch.Tensor]) -> str:
    """A digest that distinguishes weights of this run from those of another run."""
    digest = hashlib.sha256()
    for name, tensor in state.items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _digest_of_file(path: Path) -> str:
    try:
        return _digest(torch.load(path, map_location="cpu", weights_only=True))
    except Exception:  # damaged bytes make torch raise ten kinds of error; such a file is not ours
        return "unreadable"
