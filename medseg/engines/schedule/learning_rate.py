"""LearningRate: the rate of each step of a run, which depends only on its place in the run."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from ignite.engine import Engine, Events
from ignite.handlers.param_scheduler import ParamScheduler
from torch.optim import Optimizer

from medseg.base.choices import check_choices
from medseg.engines.schedule.parameter_groups import FROZEN
from medseg.engines.schedule.schedulers import find_schedulers
from medseg.engines.schedule.time_budget import TimeBudget

POWER = 0.9
"""Of the polynomial schedule, as in DeepLab and nnU-Net."""

RISE = 0.3
"""The part of the steps of one cycle in which its rate rises."""

START_DIVISOR = 25.0
"""One cycle starts at its highest rate divided by this."""

PARTS = 10_000
"""Into so many parts a budget of time is divided for a schedule."""

END_DIVISOR = 1e4
"""One cycle ends at the rate of its start divided by this."""


def compute_rate_factor(step: int, *, schedule: str, steps: int, warmup_steps: int = 0) -> float:
    """The factor of the base rate in a step.

    With w warm-up steps, and t = step - w of T = steps - w:

    - warm-up, before every schedule: (step + 1) / (w + 1), so that it is 1 in step w;
    - `constant`: 1;
    - `polynomial`: (1 - t / T) ** 0.9 (the "poly" policy of DeepLab, Chen et al. 2017);
    - `cosine`: (1 + cos(pi t / T)) / 2 (Loshchilov and Hutter 2017, SGDR, equation 5, with one
      period and a lowest rate of 0);
    - `one_cycle`: in half waves of a cosine from 1 / 25 in step 0 up to 1 in step 0.3 T - 1, then
      down to 1 / 250000 in the last step (Smith and Topin 2018). It has no warm-up of its own.

    The warm-up is that of Goyal et al. 2017, section 2.2. The numbers are those of torch's
    `PolynomialLR`, `CosineAnnealingLR` and `OneCycleLR`. No step has a rate of 0.

    Args:
        step: of the optimiser, counted from 0.
        schedule: one of the four.
        steps: of the whole run.
        warmup_steps: how many of them warm up, fewer than `steps`.

    Raises:
        ValueError: `step` is not one of `steps`, or `warmup_steps` leaves none of them, or there
            is no such schedule.

    Example:
        >>> [compute_rate_factor(step, schedule="cosine", steps=4) for step in (0, 2)]
        [1.0, 0.5]
    """
    if schedule not in _FACTORS:
        raise ValueError(f"no schedule {schedule!r}: choose one of {', '.join(_FACTORS)}")
    if not 0 <= warmup_steps < steps:
        raise ValueError(
            f"{warmup_steps} warm-up steps, but the training has {steps} steps: pass 0 to "
            f"{steps - 1}"
        )
    if not 0 <= step < steps:
        raise ValueError(f"step {step} is outside a run of {steps} steps: count from 0")
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    return _FACTORS[schedule](step - warmup_steps, steps - warmup_steps)


class LearningRate(ParamScheduler):
    """Trainer handler that sets the learning rate before each step of the optimiser.

    The rate of a parameter group is its base rate times `compute_rate_factor`. The step is counted
    by the trainer, so a resumed run has the rates of one that was not interrupted, bit for bit, and
    so has every process of a group. Each parameter group keeps its base rate as `initial_lr`, as
    with torch's schedulers, and so it is part of the optimiser's state. If the schedule is constant
    and has no warm-up, the rates are not touched.

    A schedule that lowers the rate belongs to the number of steps that its run was started with.
    With more or fewer steps the rates would follow no schedule, so this is refused. Torch's
    schedulers silently go on with the old number, and after it the cosine rises again.

    With a budget of time the schedule runs over that time and not over steps, so that it ends where
    the run does, on any machine.

    Groups of `group_parameters` that are frozen have the rate 0 in the first epochs.

    Put it among the objects of `Resume`: its state holds the schedule of the run.

    Args:
        optimizer: whose rates are set; its groups may have different ones.
        schedule: "constant", "polynomial", "cosine" or "one_cycle".
        warmup_epochs: epochs in which the rate rises to its base, before the schedule.
        budget: the time that the run may take.
        freeze_epochs: first epochs in which frozen groups do not learn, see `group_parameters`.

    Raises:
        ValueError: no such schedule, or a warm-up before one cycle. When the trainer starts, if the
            warm-up is as long as the run, the number of batches is unknown, or another schedule is
            attached. At the first step, if the run was started with another number of steps.

    Example:
        >>> LearningRate(optimizer, schedule="cosine", warmup_epochs=5).attach(trainer)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        schedule: str = "constant",
        warmup_epochs: int = 0,
        budget: TimeBudget | None = None,
        freeze_epochs: int = 0,
    ) -> None:
        super().__init__(optimizer, "lr")
        check_choices({"lr_schedule": schedule, "warmup_epochs": warmup_epochs})
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs
        self.freeze_epochs = freeze_epochs
        self.budget = None if budget is None or budget.seconds is None else budget
        self.steps: int | None = None
        self._run = (0, 0)
        self._epoch = 0

    def attach(self, engine: Engine, event: Any = Events.ITERATION_STARTED) -> None:
        """Look at the run when it starts, and set the rates at the start of each step."""
        if self.schedule != "constant" or self.warmup_epochs or self.freeze_epochs:
            engine.add_event_handler(Events.STARTED, self.check)
            engine.add_event_handler(event, self)

    def check(self, engine: Engine) -> None:
        """Refuse a run that the schedule does not fit."""
        epochs, batches = engine.state.max_epochs, engine.state.epoch_length
        if not epochs or not batches:
            raise ValueError(
                f"lr_schedule {self.schedule} needs a run whose length is known, this one has "
                f"{epochs} epochs of {batches} batches: pass --lr_schedule constant and "
                "--warmup_epochs 0"
            )
        if self.budget is None:
            check_choices({"warmup_epochs": self.warmup_epochs, "max_epochs": epochs})
        if others := find_schedulers(engine, apart_from=[self]):
            raise ValueError(
                f"two schedules set the learning rate, lr_schedule {self.schedule} and "
                f"{type(others[0]).__name__}: pass --lr_schedule constant --warmup_epochs 0 to use "
                "your own"
            )

    def __call__(self, engine: Engine | None, name: str | None = None) -> None:
        """Set the rates of the step that the trainer is about to take."""
        if engine is None:
            raise TypeError("the learning rate needs the engine, which counts the steps: pass it")
        batches = engine.state.epoch_length or 0
        steps = (engine.state.max_epochs or 0) * batches
        self._run = steps, self.warmup_epochs * batches
        if self.schedule != "constant" and self.budget is None:
            self._keep_length(steps, batches)
        self.event_index, self._epoch = engine.state.iteration - 1, engine.state.epoch
        super().__call__(engine, name)

    def get_param(self) -> list[float]:
        """The rate of each parameter group in the step."""
        steps, warmup_steps = self._run
        step = self.event_index
        if self.budget is not None and step >= warmup_steps:
            part = self.budget.progress or 0.0
            step, steps, warmup_steps = min(int(part * PARTS), PARTS - 1), PARTS, 0
        factor = compute_rate_factor(
            step, schedule=self.schedule, steps=max(steps, step + 1), warmup_steps=warmup_steps
        )
        is_frozen = self._epoch <= self.freeze_epochs
        return [
            group.setdefault("initial_lr", group["lr"])
            * (0.0 if is_frozen and group.get(FROZEN) else factor)
            for group in self.optimizer_param_groups
        ]

    def state_dict(self) -> dict[str, Any]:
        """The schedule of the run, and over how many steps the rate falls."""
        return {
            "lr_schedule": self.schedule,
            "warmup_epochs": self.warmup_epochs,
            "steps": self.steps,
        }

    def load_state_dict(self, state_dict: Mapping) -> None:
        """Take over the number of steps of a run.

        Raises:
            ValueError: it was trained by another schedule.
        """
        for key, now in self.state_dict().items():
            if key != "steps" and state_dict[key] != now:
                raise ValueError(f"{key} was {state_dict[key]}, is {now}")
        self.steps = state_dict["steps"]

    def _keep_length(self, steps: int, batches: int) -> None:
        """Note the number of steps, or refuse one that differs from the earlier one."""
        if self.steps not in (None, steps):
            raise ValueError(
                f"lr_schedule {self.schedule} falls over the {self.steps} steps that this run was "
                f"started with, not over {steps}: pass --max_epochs {self.steps // batches}, or "
                "another --output_dir to start a new run"
            )
        self.steps = steps


def _compute_polynomial(step: int, steps: int) -> float:
    return (1 - step / steps) ** POWER


def _compute_cosine(step: int, steps: int) -> float:
    return (1 + math.cos(math.pi * step / steps)) / 2


def _compute_one_cycle(step: int, steps: int) -> float:
    top, low = RISE * steps - 1, 1 / START_DIVISOR
    if step <= top:
        return _compute_half_wave(low, 1.0, step / top)
    return _compute_half_wave(1.0, low / END_DIVISOR, (step - top) / (steps - 1 - top))


def _compute_half_wave(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


_FACTORS: Mapping[str, Callable[[int, int], float]] = {
    "constant": lambda step, steps: 1.0,
    "polynomial": _compute_polynomial,
    "cosine": _compute_cosine,
    "one_cycle": _compute_one_cycle,
}
