"""TimeBudget: end a training after a time, whatever the machine, with its weights validated."""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from medseg.base.choices import check_choices

logger = logging.getLogger(__name__)

MOST_EPOCHS = 1_000_000
"""A run with a budget is never over by its epochs."""

FIRST_RESERVE = 0.05
"""The part of the budget that is kept for the last validation while none was timed."""


class TimeBudget:
    """Trainer handler that ends a run when its time is up, and says how much of it has gone.

    The time counts from the start of the training, with reading, validation and all runs that it
    was resumed from. As much as the last validation took is kept for one at the end, so that the
    last weights are judged too. At least one step is made, so that there are some. The number of
    epochs is estimated after each one.

    Put it before all other handlers, and among the objects of `Resume`. In a group of processes the
    clock of the first one counts.

    Args:
        hours: the budget; None does nothing.
        evaluator: validation engine.
        val_interval: epochs between validations.

    Example:
        >>> TimeBudget(2.0, evaluator=evaluator, val_interval=5).attach(trainer)  # doctest: +SKIP
    """

    def __init__(self, hours: float | None, *, evaluator: Engine, val_interval: int = 1) -> None:
        check_choices({"hours": hours})
        self.seconds = None if hours is None else 3600.0 * hours
        self.evaluator = evaluator
        self.val_interval = val_interval
        self.spent_before = 0.0
        self._begun = self._validation_begun = self._first_step = time.monotonic()
        self._reserve = 0.0 if self.seconds is None else FIRST_RESERVE * self.seconds
        self._planned_epochs = 0
        self._is_over = False

    def attach(self, engine: Engine) -> None:
        """Watch the clock at every step."""
        if self.seconds is None:
            return
        engine.add_event_handler(Events.STARTED, self.begin)
        engine.add_event_handler(Events.EPOCH_STARTED, self.estimate_epochs)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.end_in_time)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.validate_last)
        self.evaluator.add_event_handler(Events.STARTED, self._begin_validation)
        self.evaluator.add_event_handler(Events.COMPLETED, self._time_validation)

    @property
    def progress(self) -> float | None:
        """The part of the time for training that has gone, 0 to 1; None without a budget."""
        if self.seconds is None:
            return None
        spent = float(idist.broadcast(self.measure_spent(), src=0))
        return min(spent / max(self.seconds - self._reserve, 1e-9), 1.0)

    def measure_spent(self) -> float:
        """Seconds of this run and those that it was resumed from."""
        return self.spent_before + time.monotonic() - self._begun

    def begin(self, engine: Engine) -> None:
        """Start the clock, and let no number of epochs end the run."""
        self._begun, self._is_over = time.monotonic(), False
        self._planned_epochs = engine.state.max_epochs or 2
        engine.state.max_epochs = MOST_EPOCHS

    def estimate_epochs(self, engine: Engine) -> None:
        """Say how many epochs fit, by those that are done; end a run that has no time left."""
        self._set_epochs(engine, done=engine.state.epoch - 1)
        has_begun = engine.state.iteration or self.spent_before  # a first step is always made
        if has_begun and (self.progress or 0.0) >= 1.0:
            logger.info("the time of this run is up")
            engine.terminate()

    def end_in_time(self, engine: Engine) -> None:
        """End the epoch and the run when the time is up; until then another epoch may follow."""
        is_over = (self.progress or 0.0) >= 1.0
        self._warn_if_short(engine, is_over=is_over)
        if not is_over:
            engine.state.max_epochs = max(engine.state.max_epochs or 0, engine.state.epoch + 1)
            return
        self._is_over = True
        engine.state.max_epochs = engine.state.epoch
        engine.terminate_epoch()

    def _warn_if_short(self, engine: Engine, *, is_over: bool) -> None:
        """Say once, by the first two steps, that the time is too short for an epoch."""
        step, steps = engine.state.iteration, engine.state.epoch_length or 0
        if step == 1:
            self._first_step = time.monotonic()
        left = (self.seconds or 0.0) - self.measure_spent()
        needed = (time.monotonic() - self._first_step) * (steps - step)
        if (step == 2 and needed > left) or (step == 1 < steps and is_over):
            logger.warning(
                "--hours %g ends before the first epoch of %d steps does: the weights will have "
                "learnt little; pass more --hours",
                *((self.seconds or 0.0) / 3600, steps),
            )

    def validate_last(self, engine: Engine) -> None:
        """Validate at the end, unless that is done anyway; an epoch that was cut short is one."""
        if self._is_over:
            engine.state.iteration = engine.state.epoch * engine.state.epoch_length
            if engine.state.epoch % self.val_interval:
                self.evaluator.run(engine.state.epoch)
        else:
            self._set_epochs(engine, done=engine.state.epoch)  # for what is said of this epoch

    def state_dict(self) -> dict[str, Any]:
        """The time that has gone; nothing without a budget."""
        return {} if self.seconds is None else {"spent": self.measure_spent()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the time that is left."""
        self.spent_before = float(state.get("spent", 0.0))

    def _set_epochs(self, engine: Engine, *, done: int) -> None:
        progress = self.progress or 0.0
        fit = math.ceil(done / progress) if done and progress else self._planned_epochs
        engine.state.max_epochs = max(fit, done + 1)

    def _begin_validation(self, evaluator: Engine) -> None:
        self._validation_begun = time.monotonic()

    def _time_validation(self, evaluator: Engine) -> None:
        self._reserve = time.monotonic() - self._validation_begun
