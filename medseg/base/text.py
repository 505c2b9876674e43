"""Counted: a number with its noun, the first of many names, and what a reader leaves out."""

import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

ODD = "that are links to nothing, pipes, devices or not to be read"
"""What `LeftOut` says of the entries of `medseg.base.walk.odd_entries`."""

_NAMED = 5


def counted(number: int, noun: str, *, plural: str | None = None) -> str:
    """A number and what it counts, for messages.

    Args:
        number: how many.
        noun: in the singular.
        plural: where it is not the noun with an s.

    Example:
        >>> counted(1, "case"), counted(0, "case"), counted(2, "study", plural="studies")
        ('1 case', '0 cases', '2 studies')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """The first five names, and how many more there are.

    Example:
        >>> listed(["a", "b", "c", "d", "e", "f", "g"])
        'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


class LeftOut:
    """What a reader of a folder does not use, by its reason, for one warning.

    Example:
        >>> left = LeftOut()
        >>> left.add("without a label", ["b.nii", "a.nii"])
        >>> str(left)
        '2 files without a label (a.nii, b.nii)'
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], list[str]] = {}

    def add(self, reason: str, names: Iterable[str], *, noun: str = "file") -> None:
        """Enter files; the reason is said after their number, as in "2 files without a label"."""
        if found := sorted(names):
            self._names.setdefault((noun, reason), []).extend(found)

    def __bool__(self) -> bool:
        return bool(self._names)

    def __str__(self) -> str:
        return "; ".join(
            f"{counted(len(names), noun)} {reason} ({listed(names)})"
            for (noun, reason), names in self._names.items()
        )

    def warn(self, logger: logging.Logger, place: Path, *, used: int) -> None:
        """Log what is left out, if anything is; the same words only once in a process."""
        if self:
            warn_once(logger, f"{counted(used, 'case')} of {place} used, left out: {self}")


@lru_cache(maxsize=256)
def warn_once(logger: logging.Logger, text: str) -> None:
    """Log a warning, unless this process has logged the same words before."""
    logger.warning("%s", text)
