"""Made bundle: what was made of a plan, and what it takes, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.base.text import count_noun
from medseg.bundles.overrides import read_config
from medseg.bundles.own.explain_config import explain_config
from medseg.bundles.own.measure_steps import StepCost
from medseg.planning.plan import count_steps
from medseg.planning.planned_folder import PlannedFolder
from medseg.planning.task import Choice, LayerChoice

PAGE = "plan.html"


@dataclass(frozen=True)
class MadeBundle:
    """A bundle and the plan that it was made from.

    Attributes:
        folder: of the bundle.
        planned: the plan, as it was fitted.
        cost: of a step; None where none was tried.
        task: what is in effect: the plan, and what a person had changed and stays.
        kept: what a person or crossval had changed, and stays.
    """

    folder: Path
    planned: PlannedFolder
    cost: StepCost | None
    task: Mapping[str, Any]
    kept: Mapping[str, Any]

    @property
    def page(self) -> Path:
        """The page of the plan."""
        return self.folder / PAGE

    @property
    def choices(self) -> list[Choice]:
        """The keys of the task file, each with the rule of the plan, or that it was changed."""
        planned = self.planned.task
        chosen = {one.key for one in self.planned.choices}
        more = [key for key in self.kept if key not in chosen]
        return [
            *(self._describe_choice(choice) for choice in self.planned.choices),
            *(_describe_kept(key, self.kept[key], planned) for key in more),
        ]

    @property
    def of_layers(self) -> list[LayerChoice]:
        """What else is in effect, which the task file leaves to the layers."""
        config = read_config(self.folder / "configs" / "train.json")
        explained = explain_config(config, self.planned.found, layers=self.task["_layers_"])
        return [one for one in explained if one.key not in self.task]

    def _describe_choice(self, choice: Choice) -> Choice:
        if choice.key not in self.task:
            why = f"taken out by hand; the plan has {choice.value}: {choice.why}"
            return Choice(choice.key, "as the layers have it", why)
        value = self.task[choice.key]
        if value == choice.value:
            return choice
        why = f"changed by hand; the plan has {choice.value}: {choice.why}"
        return Choice(choice.key, value, why)

    def describe_cost(self) -> list[str]:
        """What a step and the whole training take, a line each; none where none was tried."""
        if self.cost is None:
            return []
        cost = self.cost
        return [
            f"a step takes {cost.seconds:.2g} s on this machine and "
            f"{cost.peak_bytes / 2**30:.1f} GiB of memory, plus the memory of the program and of "
            "the images",
            f"{self.task['max_epochs']} epochs of {self._count_steps()} steps take about "
            f"{format_hours(self.estimate_hours())}, without reading and validation",
        ]

    def describe_split(self) -> list[str]:
        """How the cases are split by the folds in effect, see `PlannedFolder.describe_split`."""
        config = read_config(self.folder / "configs" / "train.json")
        return self.planned.describe_split(folds=config["folds"], seed=config["split_seed"])

    def estimate_hours(self) -> float:
        """Of the steps of a training on this machine; 0 where no step was tried."""
        seconds = 0.0 if self.cost is None else self.cost.seconds
        return self._count_steps() * self.task["max_epochs"] * seconds / 3600

    def _count_steps(self) -> int:
        """The steps of an epoch, by the batch and the folds that are in effect."""
        training = self.planned.count_training_cases(self.task)
        batch = self.task["batch_size"]
        return count_steps(training, batch_size=batch, slices=self.planned.slices)


def format_hours(hours: float) -> str:
    """A time in words.

    Example:
        >>> format_hours(0.2), format_hours(1.5)
        ('12 minutes', '1.5 hours')
    """
    if hours >= 1:
        return f"{hours:.1f} hours"
    return count_noun(max(round(60 * hours), 1), "minute")


def _describe_kept(key: str, value: Any, planned: Mapping[str, Any]) -> Choice:
    """A key that the plan has without a reason of its own, or that a person or crossval added."""
    before = f"changed by hand; it was {planned[key]}" if key in planned else "added since"
    return Choice(key, value, before)
