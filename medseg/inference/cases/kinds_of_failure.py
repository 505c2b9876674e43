"""Kinds of failure: the first case of each kind of reason is told, the others are counted."""

import logging
import re

from medseg.base.errors import add_page, find_root_cause, is_documented, show_traceback
from medseg.base.text import count_noun, shorten_list

logger = logging.getLogger(__name__)

_NUMBER = re.compile(r"(?<![\w./-])-?\d+(\.\d+)?(?!\w|\.\w)")
"""A number by itself, none that is part of a name."""


class KindsOfFailure:
    """Logs why cases failed: the first of each kind of reason, and at the end how many more.

    Args:
        total: number of cases of the run. Of a single one nothing is logged, since the error of the
            run says why it failed.

    Attributes:
        shown: case name -> reason, with the page that helps.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.shown: dict[str, str] = {}
        self._cases: dict[str, list[str]] = {}

    def log(self, case: str, error: BaseException) -> str:
        """Log that a case failed, unless one failed for the same kind of reason; the reason."""
        reason, shown = describe_failure(error)
        alike = self._cases.setdefault(_find_kind(reason), [])
        alike.append(case)
        self.shown[case] = shown
        if (len(alike) == 1 and self.total > 1) or show_traceback():
            logger.error("case %s failed: %s", case, shown, exc_info=show_traceback() and error)
        return reason

    def close(self) -> None:
        """Log how many more cases failed for each kind of reason."""
        for first, *others in self._cases.values():
            if others and not show_traceback():
                count = count_noun(len(others), "more case")
                names = shorten_list(others)
                logger.error("%s failed as case %s did: %s", count, first, names)


def _find_kind(reason: str) -> str:
    """What the reasons of cases share that differ in numbers or in details behind a semicolon.

    Example:
        >>> _find_kind("it is like none of 50 images; at most 0.25 alike")
        'it is like none of # images'
    """
    return _NUMBER.sub("#", reason.partition(";")[0])


def describe_failure(error: BaseException) -> tuple[str, str]:
    """Why a case failed, without and with the page that helps."""
    cause = find_root_cause(error)
    text = " ".join(str(cause).split())
    reason = text if text and is_documented(cause) else f"{type(cause).__name__}: {text}"
    shown = " ".join(add_page(cause).split()) if is_documented(cause) and text else reason
    return reason, shown
