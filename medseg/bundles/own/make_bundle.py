"""Make bundle: a bundle from a plan, fitted to the time and the memory that there are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from medseg.bundles.own.measure_steps import StepCost, measure_steps
from medseg.bundles.own.replan import PLANNED_FILE, keep_changes, write_planned
from medseg.bundles.own.undo import undo_on_error
from medseg.bundles.own.write_bundle import TASK_FILE, change_task, write_bundle
from medseg.planning.plan import count_steps, fit_epochs
from medseg.planning.plan_folder import PlannedFolder
from medseg.planning.plan_page import write_plan_page

PAGE = "plan.html"

LEAST_PATCH = 512
"""Voxels, of 8 x 8 x 8; smaller patches are of no use."""


@dataclass(frozen=True)
class MadeBundle:
    """A bundle and the plan that it was made from.

    Attributes:
        folder: of the bundle.
        planned: the plan, as it was fitted.
        cost: of a step; None where none was tried.
        kept: what a person had changed, and stays.
    """

    folder: Path
    planned: PlannedFolder
    cost: StepCost | None
    kept: Mapping[str, Any]

    @property
    def page(self) -> Path:
        """The page of the plan."""
        return self.folder / PAGE

    def describe_cost(self) -> list[str]:
        """What a step and the whole training take, a line each; none where none was tried."""
        if self.cost is None:
            return []
        task, cost = {**self.planned.task, **self.kept}, self.cost
        steps = count_steps(
            self.planned.found.cases, batch_size=task["batch_size"], slices=self.planned.slices
        )
        hours = steps * task["max_epochs"] * cost.seconds / 3600
        long = f"{hours:.1f} hours" if hours >= 1 else f"{max(round(60 * hours), 1)} minutes"
        return [
            f"a step takes {cost.seconds:.2g} s on this machine and "
            f"{cost.peak_bytes / 2**30:.1f} GiB of memory, beside the program and the images",
            f"{task['max_epochs']} epochs of {steps} steps take about {long}, without reading and "
            "validation",
        ]


def make_bundle(
    folder: Path,
    planned: PlannedFolder,
    *,
    replan: bool = False,
    measure: bool = True,
    hours: float | None = None,
    most_bytes: int | None = None,
) -> MadeBundle:
    """Write the bundle of a plan, with the page that explains it, whole or not at all.

    Where it fails, a new bundle is gone, and one that is planned again is as it was.

    Args:
        folder: of the bundle.
        planned: the plan.
        replan: whether the bundle is there, and what was changed in it is kept.
        measure: whether a few steps are tried.
        hours: that the training may take; it sets the epochs, by the steps that were tried.
        most_bytes: that a step may take; patches are made smaller for it.

    Raises:
        FileExistsError, ValueError: see `write_bundle` and `keep_changes`; or no useful patch takes
            so little memory.
        MemoryError: see `measure_steps`.
    """
    kept: Mapping[str, Any] = {}
    if not replan:
        write_bundle(folder, planned.task)
    with undo_on_error(_list_written(folder)) if replan else _removed_on_error(folder):
        if replan:
            kept = _change(folder, planned)
        else:
            write_planned(folder, planned.task)
        planned, cost = _fit_to_machine(
            folder, planned, measure=measure, hours=hours, most_bytes=most_bytes
        )
        made = MadeBundle(folder, planned, cost, kept)
        _write_page(made)
    return made


def make_bundles(
    out: Path, plans: Sequence[PlannedFolder], *, replan: bool = False, **options: Any
) -> list[MadeBundle]:
    """Write the bundle of each plan below a folder: all of them, or none.

    Args:
        out: folder of the bundles.
        plans: of different names.
        replan, options: see `make_bundle`, which raises the same.
    """
    made = []
    with ExitStack() as stack:
        for planned in plans:
            folder = out / planned.name
            if replan:
                stack.enter_context(undo_on_error(_list_written(folder)))
            made.append(make_bundle(folder, planned, replan=replan, **options))
            if not replan:
                stack.enter_context(_removed_on_error(folder))
    return made


@contextmanager
def _removed_on_error(folder: Path) -> Iterator[None]:
    """Remove a new bundle where the block fails or is interrupted, so that none is half made."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _list_written(folder: Path) -> list[Path]:
    """The files of a bundle that a new plan changes."""
    configs = (folder / "configs").glob("*")
    return [*configs, *(folder / name for name in (TASK_FILE, PLANNED_FILE, PAGE))]


def _fit_to_machine(
    folder: Path,
    planned: PlannedFolder,
    *,
    measure: bool,
    hours: float | None,
    most_bytes: int | None,
) -> tuple[PlannedFolder, StepCost | None]:
    """Try a few steps, and change the plan to the memory and the time that there are."""
    cost = measure_steps(folder) if measure else None
    if cost is not None and most_bytes is not None:
        planned, cost = _shrink(folder, planned, cost, most_bytes)
    if cost is not None and hours is not None:
        planned = _fit(planned, hours=hours, step_seconds=cost.seconds)
        _change(folder, planned)
    return planned, cost


def _write_page(made: MadeBundle) -> None:
    planned = made.planned
    write_plan_page(
        made.page,
        name=planned.name,
        found=planned.found,
        choices=planned.choices,
        classes=planned.classes,
        facts=planned.facts,
        doubts=planned.doubts,
        costs=made.describe_cost(),
        split=planned.describe_split(),
        readers=planned.readers.describe() if planned.readers else (),
    )


def _change(folder: Path, planned: PlannedFolder) -> dict[str, Any]:
    """Write a plan into a bundle; what a person changed in it stays, and is returned."""
    task, kept = keep_changes(folder, planned.task)
    change_task(folder, task)
    write_planned(folder, planned.task)
    return kept


def _shrink(
    folder: Path, planned: PlannedFolder, cost: StepCost, most_bytes: int
) -> tuple[PlannedFolder, StepCost]:
    """Make patches smaller until a step takes no more memory than there is for it."""
    while cost.peak_bytes > most_bytes:
        voxels = prod(planned.task["image_size"])
        fewer = int(voxels * min(most_bytes / cost.peak_bytes, 0.9))
        if fewer < LEAST_PATCH:
            raise ValueError(
                f"a step takes {cost.peak_bytes / 2**30:.2f} GiB with patches of {voxels} voxels, "
                "and smaller ones would be of no use: pass more --memory"
            )
        planned = planned.with_patch(fewer)
        _change(folder, planned)
        cost = measure_steps(folder)
    return planned, cost


def _fit(planned: PlannedFolder, *, hours: float, step_seconds: float) -> PlannedFolder:
    """Set the epochs by the time that there is."""
    epochs = fit_epochs(
        planned.found.cases,
        batch_size=planned.task["batch_size"],
        step_seconds=step_seconds,
        hours=hours,
        slices=planned.slices,
    )
    why = f"fit into {hours:g} hours at {step_seconds:.2g} s a step"
    fitted = planned.with_choice("hours", hours, "the training ends then, validated")
    fitted = fitted.with_choice("max_epochs", epochs, why)
    return fitted.with_choice("val_interval", max(epochs // 5, 1), "five times")
