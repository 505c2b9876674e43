"""Collected: files of one case that are written and wait until they all take their places."""

import os
from contextlib import ExitStack
from contextvars import ContextVar
from pathlib import Path

from medseg.base.scratch import is_in_scratch, make_scratch_folder


class Collected:
    """Files in scratch folders beside their places, and files that are to be removed.

    Attributes:
        replace: for each place of a finished file, in the order of writing, whether the file may
            take the place of one that is there.
        removed: the places of files that are to be removed, in order, as keys.
        until_done: holds the scratch folders, which it removes when it is closed.

    Example:
        >>> with ExitStack() as stack:
        ...     partial = Collected(stack).prepare(Path("masks/case.nii.gz"))  # doctest: +SKIP
    """

    def __init__(self, until_done: ExitStack) -> None:
        self.replace: dict[Path, bool] = {}
        self.removed: dict[Path, None] = {}
        self.until_done = until_done
        self._scratch: dict[Path, Path] = {}

    def prepare(self, place: Path) -> Path:
        """Where the file of a place is written; its folder is there."""
        folder = place.absolute().parent
        if folder not in self._scratch:
            self._scratch[folder] = self.until_done.enter_context(make_scratch_folder(folder))
        return self._scratch[folder] / place.name

    def prepare_earlier(self, place: Path) -> Path:
        """Where an earlier file of a place is kept until all have taken their places."""
        kept = self.prepare(place).parent / "earlier" / place.name
        kept.parent.mkdir(exist_ok=True)
        return kept

    def add(self, place: Path, *, replace: bool) -> None:
        """Note that the file of a place is finished."""
        self.replace[place.absolute()] = replace

    def remove(self, place: Path) -> None:
        """Note that a place is to be empty, whatever was written for it so far."""
        place = place.absolute()
        if self.replace.pop(place, None) is not None:
            self.prepare(place).unlink(missing_ok=True)
        if os.path.lexists(place):
            self.removed[place] = None


current: ContextVar[Collected | None] = ContextVar("collected files", default=None)
"""What `together` collects in this thread; None outside of it."""


def find_current(place: Path) -> Collected | None:
    """What collects a file that is to be written to a place, if anything does."""
    return None if is_in_scratch(place) else current.get()


def find_written(place: str | os.PathLike) -> Path:
    """Where the file of a place can be read: it may be written and not in its place yet."""
    path = Path(place)
    collected = find_current(path)
    if collected is not None and path.absolute() in collected.replace:
        return collected.prepare(path)
    return path
