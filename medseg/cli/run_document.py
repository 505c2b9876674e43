"""Run document: what `train`, `evaluate` and `segment` print with `--json`."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medseg.bundles.bundle import RUN_FILE

_PLANS = "medseg.inference.cases.run"
"""The logger of `plan_cases`, whose module is imported only when a workflow runs."""

SUMMARY = "metrics_summary.json"
"""What an evaluation writes its summary to, see `medseg.metrics.case_metrics`."""


def make_run_document(
    workflow: str, folder: Path | None, before: Mapping[Path, int]
) -> dict[str, Any]:
    """What a workflow has made.

    Args:
        workflow: "train", "evaluate" or "inference".
        folder: that it has written to; None for a bundle that has no key `output_dir`.
        before: `list_changes` of the folder before the workflow ran.

    Returns:
        `folder`; of a training `run`, the content of its run.json; of an evaluation `scores`, that
        of its summary; of a segmentation `files`, the names of those that it wrote.

    Example:
        >>> make_run_document("inference", None, {})
        {'folder': None}
    """
    if folder is None:
        return {"folder": None}
    document: dict[str, Any] = {"folder": str(folder.absolute())}
    for name, key, file in (("train", "run", RUN_FILE), ("evaluate", "scores", SUMMARY)):
        if workflow == name and (folder / file).is_file():
            document[key] = json.loads((folder / file).read_text(encoding="utf-8"))
    if workflow == "inference":
        changed = list_changes(folder).items() - before.items()
        document["files"] = sorted(path.relative_to(folder).as_posix() for path, _ in changed)
    return document


class PlannedCases(logging.Handler):
    """Gathers what `medseg segment --plan` logs of its cases, while it is a context manager.

    Attributes:
        document: under `cases` each case with its plan, under `failed` each that has none, with the
            reason.

    Example:
        >>> with PlannedCases() as planned:
        ...     planned.document
        {'cases': [], 'failed': []}
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.document: dict[str, list[dict[str, Any]]] = {"cases": [], "failed": []}

    def __enter__(self) -> "PlannedCases":
        logging.getLogger(_PLANS).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(_PLANS).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the plan of a case, or the reasons of those that failed."""
        if planned := getattr(record, "planned", None):
            name, plan = planned
            self.document["cases"].append({"case": name, "plan": plan})
        for name, reason in getattr(record, "failed", {}).items():
            self.document["failed"].append({"case": name, "reason": reason})


def list_changes(folder: Path) -> dict[Path, int]:
    """When each file of a folder, and of those in it, was changed last, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
