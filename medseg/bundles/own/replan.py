"""Replan: keep in a new plan what a person has changed since the last one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medseg.base.files import whole
from medseg.bundles.build import format_config
from medseg.bundles.bundle import TASK_FILE

PLANNED_FILE = "planned.json"
"""The task as it was planned, beside the one that may have been changed."""


def write_planned(bundle: Path, task: Mapping[str, Any]) -> None:
    """Keep the task as it was planned."""
    with whole(bundle / PLANNED_FILE) as partial:
        partial.write_text(format_config(task))


def keep_changes(bundle: Path, task: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A new task with the changes that were made to the last one.

    Args:
        bundle: folder of the bundle, with its task and the task as it was planned last.
        task: as it is planned now.

    Returns:
        The new task, and the keys that were kept with their values.

    Raises:
        ValueError: the bundle was not planned, or its task is no JSON.
    """
    before, planned = (read_task(bundle / name) for name in (TASK_FILE, PLANNED_FILE))
    kept = {key: value for key, value in before.items() if planned.get(key, ...) != value}
    gone = [key for key in planned if key not in before and key in task]
    made = {key: value for key, value in task.items() if key not in gone}
    return {**made, **kept}, kept


def read_task(path: Path) -> dict[str, Any]:
    """The task of a bundle, or the task as it was planned.

    Raises:
        ValueError: the file is not there, or no JSON.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(
            f"{path.parent} has no {path.name}, so that nothing says what was changed in it: plan "
            "under another name"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): correct it") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no dictionary: correct it")
    return found
