"""Make bundle: a bundle from a plan, fitted to the time and the memory that there are."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import Any

from medseg.bundles.bundle import TASK_FILE
from medseg.bundles.catalogue.locate import name_folder
from medseg.bundles.own.made_bundle import PAGE, MadeBundle
from medseg.bundles.own.measure_steps import StepCost, measure_steps
from medseg.bundles.own.replan import PLANNED_FILE, keep_changes, read_task, write_planned
from medseg.bundles.own.undo import undo_on_error
from medseg.bundles.own.write_bundle import change_task, write_bundle
from medseg.planning.plan import count_steps, fit_epochs
from medseg.planning.plan_page import write_plan_page
from medseg.planning.planned_folder import PlannedFolder

logger = logging.getLogger(__name__)

LEAST_PATCH = 512
"""Voxels, of 8 x 8 x 8; smaller patches are of no use."""


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
        MemoryError: see `measure_steps`; with `most_bytes` patches are made smaller instead.
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
        made = MadeBundle(folder, planned, cost, read_task(folder / TASK_FILE), kept)
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
    if not measure:
        return planned, None
    planned, cost = _measure_within(folder, planned, most_bytes)
    if hours is not None:
        planned = _fit(folder, planned, hours=hours, step_seconds=cost.seconds)
        _change(folder, planned)
    return planned, cost


def _write_page(made: MadeBundle) -> None:
    planned = made.planned
    write_plan_page(
        made.page,
        name=planned.name,
        place=name_folder(made.folder),
        found=planned.found,
        choices=made.choices,
        of_layers=made.of_layers,
        classes=planned.classes,
        facts=planned.facts,
        doubts=planned.doubts,
        costs=made.describe_cost(),
        split=made.describe_split(),
        readers=planned.readers.describe() if planned.readers else (),
        dicom_rows=planned.dicom_rows,
        notes=planned.notes,
    )


def _change(folder: Path, planned: PlannedFolder) -> dict[str, Any]:
    """Write a plan into a bundle; what a person changed in it stays, and is returned."""
    task, kept = keep_changes(folder, planned.task)
    change_task(folder, task)
    write_planned(folder, planned.task)
    return kept


def _measure_within(
    folder: Path, planned: PlannedFolder, most_bytes: int | None
) -> tuple[PlannedFolder, StepCost]:
    """Make patches smaller until a step takes no more memory than there is for it."""
    while True:
        share, needs = 0.5, "more memory than there is"
        try:
            cost = measure_steps(folder)
        except MemoryError:
            if most_bytes is None:
                raise
        else:
            if most_bytes is None or cost.peak_bytes <= most_bytes:
                return planned, cost
            share, needs = most_bytes / cost.peak_bytes, f"{cost.peak_bytes / 2**30:.2f} GiB"
        planned = _shrink(folder, planned, share, needs)


def _shrink(folder: Path, planned: PlannedFolder, share: float, needs: str) -> PlannedFolder:
    """Make patches smaller by a share, or more."""
    patch = planned.task["image_size"]
    in_effect = read_task(folder / TASK_FILE).get("image_size")
    if in_effect != patch:
        raise ValueError(
            f"a step takes {needs} with the image_size {in_effect}, which was changed by hand and "
            f"stays: make it smaller in {folder / TASK_FILE}, or pass more --memory"
        )
    fewer, unit = int(prod(patch) * min(share, 0.9)), "voxels" if len(patch) == 3 else "pixels"
    if fewer < LEAST_PATCH:
        raise ValueError(
            f"a step takes {needs} with patches of {prod(patch)} {unit}, and smaller ones would be "
            "of no use: pass more --memory"
        )
    planned = planned.with_patch(fewer)
    _change(folder, planned)
    return planned


def _fit(
    folder: Path, planned: PlannedFolder, *, hours: float, step_seconds: float
) -> PlannedFolder:
    """Set the epochs by the time that there is."""
    task = read_task(folder / TASK_FILE)
    batch_size = task.get("batch_size", planned.task["batch_size"])
    training = planned.count_training_cases(task)
    epochs = fit_epochs(
        training,
        batch_size=batch_size,
        step_seconds=step_seconds,
        hours=hours,
        slices=planned.slices,
    )
    steps = count_steps(training, batch_size=batch_size, slices=planned.slices)
    if steps * step_seconds > 3600 * hours:
        logger.warning(
            "--hours %g ends before the first epoch does: its %d steps take %.2g hours; pass more",
            *(hours, steps, steps * step_seconds / 3600),
        )
    why = f"fit into {hours:g} hours at {step_seconds:.2g} s a step"
    fitted = planned.with_choice("hours", hours, "the training ends then, validated")
    fitted = fitted.with_choice("max_epochs", epochs, why)
    return fitted.with_choice("val_interval", max(epochs // 5, 1), "five times")
