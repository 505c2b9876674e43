"""Run document: what `train`, `evaluate` and `segment` print with `--json`."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medseg.bundles.bundle import RUN_FILE

_REPORTS = "medseg.inference.cases.report"
"""The logger of `report_case`, whose module is imported only when a workflow runs."""

_ALL = "medseg"
"""The logger of all warnings of this package."""

SUMMARY = "metrics_summary.json"
"""What an evaluation writes its summary to, see `medseg.metrics.case_metrics`."""


def make_run_document(
    workflow: str, folder: Path | None, before: Mapping[Path, int], reported: "ReportedCases"
) -> dict[str, Any]:
    """What a workflow has made.

    Args:
        workflow: "train", "evaluate" or "inference".
        folder: that it has written to; None for a bundle that has no key `output_dir`.
        before: `list_changes` of the folder before the workflow ran.
        reported: the cases of a segmentation.

    Returns:
        `folder`; of a training `run`, the content of its run.json; of an evaluation `scores`, that
        of its summary; of a segmentation `files`, the names of those that it wrote, `cases`, what
        was found and written in each, and `warnings`, all that the log had.

    Example:
        >>> make_run_document("train", None, {}, ReportedCases())
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
        document |= {"cases": reported.cases, "warnings": reported.warnings}
        if reported.left_out:
            document["left_out"] = reported.left_out
    return document


class ReportedCases(logging.Handler):
    """Gathers what became of each case of `medseg segment`, while it is a context manager.

    Attributes:
        cases: each case that was planned or is done, with what is known of it.
        failed: each case that failed, with the reason.
        left_out: each series of a study that is of another kind than the bundle is for.
        warnings: all that were logged, also those that are of no case.

    Example:
        >>> with ReportedCases() as reported:
        ...     reported.make_document()
        {'cases': [], 'failed': []}
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.cases: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self.left_out: list[dict[str, Any]] = []
        self.warnings: list[str] = []

    def __enter__(self) -> "ReportedCases":
        for name in (_REPORTS, _ALL):
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        for name in (_REPORTS, _ALL):
            logging.getLogger(name).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a case, in the place of what was known of it, or a warning."""
        if became_of := getattr(record, "report", None):
            became, facts = became_of
            self.cases = [case for case in self.cases if case["case"] != facts["case"]]
            lists = {"failed": self.failed, "left out": self.left_out}
            lists.get(became, self.cases).append(facts)
        elif record.levelno == logging.WARNING:
            self.warnings.append(record.getMessage())

    def make_document(self) -> dict[str, Any]:
        """The cases, those that failed, and those that were left out, if any."""
        left_out = {"left_out": self.left_out} if self.left_out else {}
        return {"cases": self.cases, "failed": self.failed, **left_out}


def list_changes(folder: Path) -> dict[Path, int]:
    """When each file of a folder, and of those in it, was changed last, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
