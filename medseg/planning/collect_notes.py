"""Collect notes: what is logged of the data while a plan is made, to be kept with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Keeper(logging.Handler):
    """Puts each text that is logged into a list, once."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.notes = notes

    def emit(self, record: logging.LogRecord) -> None:
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
    keeper, logger = _Keeper(notes), logging.getLogger("medseg")
    logger.addHandler(keeper)
    try:
        yield notes
    finally:
        logger.removeHandler(keeper)
