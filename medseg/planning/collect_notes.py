"""Collect notes: what is logged of the data while a plan is made, to be kept with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Keeper(logging.Handler):
    """Puts each text that is logged into a list, once, and passes it on to who would have had it.

    Args:
        notes: the list.
        last_resort: what Python logs warnings with where there is no handler; None where one is.
    """

    def __init__(self, notes: list[str], last_resort: logging.Handler | None) -> None:
        super().__init__(logging.WARNING)
        self.notes = notes
        self.last_resort = last_resort

    def emit(self, record: logging.LogRecord) -> None:
        if self.last_resort is not None:
            self.last_resort.handle(record)
        if (text := record.getMessage()) not in self.notes:
            self.notes.append(text)


@contextmanager
def collect_notes() -> Iterator[list[str]]:
    """A list that the warnings of the block are put into as they are logged, each once.

    Example:
        >>> with collect_notes() as notes:
        ...     logging.getLogger("medseg.planning").warning("label %d is empty", 3)
        >>> notes
        ['label 3 is empty']
    """
    notes: list[str] = []
    logger = logging.getLogger("medseg")
    keeper = _Keeper(notes, None if logger.hasHandlers() else logging.lastResort)
    logger.addHandler(keeper)
    try:
        yield notes
    finally:
        logger.removeHandler(keeper)
