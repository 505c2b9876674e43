"""Resume: a run that was killed goes on and ends where it would have ended."""

import logging
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data.utils import set_rnd

from medseg.base.arguments import require_bool
from medseg.base.files import whole
from medseg.base.interrupts import set_remedy
from medseg.base.path_keys import require_path
from medseg.base.watch import Watch
from medseg.engines.claim import claim_folder
from medseg.engines.distributed import unwrap
from medseg.engines.resume_record import check_record
from medseg.engines.run_folder import describe_resume
from medseg.engines.schedule.schedulers import find_schedulers
from medseg.networks import NestedUNet, load_weights

logger = logging.getLogger(__name__)

_LONGEST_REASON = 500  # of torch's message, which lists every layer


class Resume:
    """Trainer handler that saves a run after each epoch, and continues one that was saved.

    At the start of epoch e every random generator (torch, NumPy, Python, and those inside the
    dataset's transforms) is seeded from (seed, e, rank), so that an epoch does not depend on what
    happened before. At its end, after all other handlers, `objects`, the epoch and the iteration
    are written to `path`, whole or not at all. A run that is killed and resumed repeats the epoch
    it was in, and ends with the same weights, bit for bit, as one that was never interrupted: on
    the same device with the same threads and workers; on a GPU only where torch's deterministic
    algorithms are on.

    The settings of a resumed run come from the config, except those that are state of an object,
    such as the learning rate of an optimiser: these come from the file.

    Args:
        path: the resume file; it lives beside the run's other output, not in `models/`.
        objects: name -> object with `state_dict` and `load_state_dict`: network, optimiser, every
            learning-rate schedule that a handler steps, ... A network in
            `DistributedDataParallel` is saved without it, so that the run may go on with another
            number of processes and the same global batch.
        resume: go on from `path`.
        seed: seed of the run.
        record: what the run is made of, see `describe_run`; it is saved, and a run of another
            record is not resumed. None compares nothing.

    Raises:
        TypeError: `resume` is not a bool, or one of `objects` has no state.
        FileNotFoundError: `resume` is set and `path` does not exist.
        FileExistsError: `resume` is not set and `path` exists: a run is there; or another process
            is training there.
        FileNotFoundError: when the trainer is done, if a folder of the run or a file of it is gone.
        ValueError: when the trainer starts, if the file is not whole, is of another record, or fits
            other objects or another number of batches, or if workers persist from epoch to epoch,
            or a handler holds a learning-rate schedule that is not one of `objects`.

    Example:
        >>> Resume("runs/liver/resume.pt", {"network": net, "optimizer": opt}).attach(trainer)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        objects: Mapping[str, Any],
        *,
        resume: bool = False,
        seed: int = 0,
        record: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.objects = {name: unwrap(obj) for name, obj in objects.items()}
        _check_states(self.objects)
        self.resume = require_bool(resume, "resume")
        self.seed = seed
        self.record = record
        self._watch: Watch | None = None
        check_run(self.path, resume=self.resume)
        claim_folder(self.path)

    def attach(self, engine: Engine) -> None:
        """Load at the start, seed at the start of every epoch, save at its very end."""
        engine.add_event_handler(Events.STARTED, self.begin_watch)
        engine.add_event_handler(Events.STARTED, self.check_workers)
        engine.add_event_handler(Events.STARTED, self.check_schedulers)
        engine.add_event_handler(Events.STARTED, self.save_last)
        if self.resume:
            engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.EPOCH_STARTED, self.seed_epoch)
        engine.add_event_handler(Events.COMPLETED, self.check_kept)

    def begin_watch(self, engine: Engine) -> None:
        """From now on, watch what the run writes: its weights and this file."""
        self._watch = Watch()
        if idist.get_world_size() == 1:  # else the command is that of torchrun
            set_remedy(lambda: describe_resume(self.path))

    def check_kept(self, engine: Engine) -> None:
        """Raise an error at the end if weights, or a folder of the run, are gone by now."""
        set_remedy(None)
        if idist.get_rank() == 0 and self._watch is not None:
            self._watch.close()
            self._watch.check()

    def check_workers(self, engine: Engine) -> None:
        """Refuse workers that carry their random state over from the epoch before."""
        if getattr(engine.state.dataloader, "persistent_workers", False):
            raise ValueError(
                "persistent workers keep their random state from epoch to epoch, so that no run "
                "could be resumed exactly: pass persistent_workers False"
            )

    def check_schedulers(self, engine: Engine) -> None:
        """Refuse a learning-rate schedule that a resumed run would start again."""
        for scheduler in find_schedulers(engine, apart_from=self.objects.values()):
            raise ValueError(
                f"a handler holds the learning-rate schedule {type(scheduler).__name__}, which is "
                "not saved, so that a resumed run would start it again: add it to the objects of "
                "the Resume handler, or use the key lr_schedule instead"
            )

    def save_last(self, engine: Engine) -> None:
        """Save after all handlers of an epoch, also those attached later, such as a schedule."""
        if not engine.has_event_handler(self.save, Events.EPOCH_COMPLETED):
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def seed_epoch(self, engine: Engine) -> None:
        """Seed every random generator from (seed, epoch, rank).

        Ignite makes the epoch's data iterator after this event. The iterator draws the order of the
        cases, if the sampler is random, and the seed of the workers.
        """
        entropy = np.random.SeedSequence([self.seed, engine.state.epoch, idist.get_rank()])
        torch_seed, numpy_seed, python_seed, transform_seed = (
            int(word) for word in entropy.generate_state(4)
        )
        torch.manual_seed(torch_seed)
        np.random.seed(numpy_seed)
        random.seed(python_seed)
        dataset = getattr(engine.state.dataloader, "dataset", None)
        if dataset is not None:
            set_rnd(dataset, seed=transform_seed)

    def save(self, engine: Engine) -> None:
        """Write the state after a complete epoch."""
        if idist.get_rank() != 0:
            return
        state = {name: obj.state_dict() for name, obj in self.objects.items()}
        state["engine"] = {"epoch": engine.state.epoch, "iteration": engine.state.iteration}
        if self.record is not None:
            state["record"] = self.record
        with whole(self.path) as partial:
            torch.save(state, partial)

    def load(self, engine: Engine) -> None:
        """Restore the state; a run that is complete already has nothing left to do."""
        state = _read(self.path)
        _compare(self.path, state, self.record)
        epoch, iteration = state["engine"]["epoch"], state["engine"]["iteration"]
        self._check_epoch_length(engine.state.epoch_length, iteration // epoch)
        for name, obj in self.objects.items():
            try:
                if name in state or obj.state_dict():  # what has no state may be new
                    _restore(obj, state[name])
            except (RuntimeError, LookupError, TypeError, ValueError) as error:
                reason = " ".join(str(error).split())[:_LONGEST_REASON]
                raise ValueError(
                    f"{self.path} does not fit the {name} of this config ({reason}): "
                    "resume with the settings of that run"
                ) from error
        engine.state.epoch, engine.state.iteration = epoch, iteration
        logger.info("resuming after epoch %d of %s", epoch, self.path)
        if epoch >= engine.state.max_epochs:
            logger.warning(
                "the run is complete (epoch %d of %d): pass a larger --max_epochs to train further",
                epoch,
                engine.state.max_epochs,
            )

    def _check_epoch_length(self, now: int | None, saved: int) -> None:
        if now not in (None, saved):
            raise ValueError(
                f"the run in {self.path} has {saved} batches an epoch, this one {now}: resume with "
                "the cases, batch size and number of processes of that run"
            )


def _read(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """The state in a resume file; with `mmap` its tensors are read only when they are used."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # damaged bytes make torch raise ten kinds of error
        raise ValueError(
            f"{path} is not a complete resume file ({type(error).__name__}): "
            "start again with another output_dir"
        ) from error
    if not isinstance(state, dict) or "engine" not in state:
        raise ValueError(
            f"{path} is not a resume file: pass the resume.pt of a run, not its weights"
        )
    return state


def _check_states(objects: Mapping[str, Any]) -> None:
    for name, obj in objects.items():
        if not (hasattr(obj, "state_dict") and hasattr(obj, "load_state_dict")):
            raise TypeError(
                f"{name}, a {type(obj).__name__}, cannot be saved: pass an object that has "
                "state_dict and load_state_dict, such as the schedule inside a handler"
            )


def _compare(path: Path, state: Mapping[str, Any], record: Mapping[str, Any] | None) -> None:
    """Refuse a run other than the one in the file, if the file has a record."""
    if record is None:
        return
    if "record" in state:
        check_record(path, state["record"], record)
    else:
        raise ValueError(
            f"{path} does not say what its run is made of, so it cannot be compared with this one: "
            "start a new run in another --output_dir"
        )


def _restore(obj: Any, state: Any) -> None:
    """Load a state; a network that it does not fit is refused as `load_weights` does."""
    if isinstance(obj, NestedUNet):
        load_weights(obj, state)
    else:
        obj.load_state_dict(state)


def check_run(
    path: str | os.PathLike, *, resume: bool, record: Mapping[str, Any] | None = None
) -> None:
    """Refuse to start where a run exists, or to resume where none does, before data are read.

    Args:
        path: the resume file of the run.
        resume: whether the run is to go on.
        record: what the run is made of, see `describe_run`; None compares nothing.

    Raises:
        TypeError: `resume` is not a bool, or `path` is no path.
        FileNotFoundError: `resume` is set and `path` does not exist.
        FileExistsError: `resume` is not set and `path` exists.
        ValueError: the run in the file has other settings or other cases.
    """
    exists = Path(require_path(path, "resume_file")).exists()
    if require_bool(resume, "resume") and not exists:
        raise FileNotFoundError(
            f"no run to resume at {path}: pass the --output_dir of the run, or --resume False"
        )
    if exists and not resume:
        raise FileExistsError(
            f"{path} holds a run already: pass --resume True to continue it, or another "
            "--output_dir to start a new one"
        )
    if resume and record is not None:
        _compare(Path(path), _read(Path(path), mmap=True), record)
