"""Report: tells a program what became of each case, whatever the log of the run shows."""

import logging
from typing import Any

PLANNED, DONE, FAILED, LEFT_OUT = "planned", "done", "failed", "left out"

REPORT = "report"
"""The attribute of a record: one of the words above, and what is known of the case."""


def report_case(became: str, case: str, **facts: Any) -> None:
    """Tell what became of a case to the handlers of the logger of this module, and to no other.

    The command line adds one, by the logger's name: so it need not import this package beforehand,
    and learns the same on a terminal as elsewhere, at every level of the log.

    Args:
        became: `PLANNED`, `DONE`, `FAILED` or `LEFT_OUT`.
        case: its name.
        facts: what is known of it.

    Example:
        >>> report_case(DONE, "study", mask="study.nii.gz", seconds=3.1)
    """
    record = logging.makeLogRecord({REPORT: (became, {"case": case, **facts})})
    for handler in logging.getLogger(__name__).handlers:
        handler.handle(record)
