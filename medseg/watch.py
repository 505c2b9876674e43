"""Watch: notices when what a run wrote, or a folder that it writes to, is gone before its end.

A folder of outputs can be removed, moved, replaced by another or unmounted while a run goes on. The
run makes it anew, says so at once, and ends with an error: else the first outputs would be missing
without a word.
"""

import logging
import os
import weakref
from dataclasses import dataclass
from pathlib import Path

from medseg.counted import counted, listed
from medseg.scratch import is_in_scratch

logger = logging.getLogger(__name__)


@dataclass
class _Folder:
    """A folder as it was last seen: device and number, and the names that are to be in it."""

    identity: tuple[int, int] | None
    names: set[str]


class Watch:
    """Takes note of every file that `medseg.files` writes in this process, until it is closed.

    Attributes:
        written: the files, in order, once for each time.

    Example:
        >>> with closing(Watch()) as watch:
        ...     watch.lost()
        []
    """

    def __init__(self) -> None:
        self.written: list[Path] = []
        self._folders: dict[Path, _Folder] = {}
        self._lost: dict[Path, None] = {}
        self._replaced: dict[Path, None] = {}
        _watches.add(self)

    def close(self) -> None:
        """Take note of nothing any more; what was noted stays."""
        _watches.discard(self)

    def before(self, path: Path) -> None:
        """Look whether the folder of a file that is to be written is still the one that it was."""
        folder = path.absolute().parent
        seen = self._folders.get(folder) or _at_the_start.get(folder)
        if seen is None:
            return
        now = _identity(folder)
        if now == seen.identity and (not seen.names or (folder / next(iter(seen.names))).exists()):
            return
        there = {name for name in seen.names if (folder / name).exists()}
        gone = [folder / name for name in sorted(seen.names - there)]
        self._folders[folder] = _Folder(now, there)
        if now == seen.identity and there:
            return  # some files were removed, not the folder; `lost` finds those of this run
        if not gone and now is not None:
            return  # some network disks give a folder another number at times
        self._lost |= dict.fromkeys(gone)
        self._replaced[folder] = None
        logger.error(
            "%s was removed, moved or replaced while this run wrote to it, it is made anew: "
            "gone with it: %s",
            *(folder, listed([file.name for file in gone]) if gone else "nothing of this run"),
        )

    def after(self, path: Path) -> None:
        """Note a file that was written."""
        file = path.absolute()
        if file.parent not in self._folders:
            before = _at_the_start.get(file.parent)
            names = set(before.names) if before else set()
            self._folders[file.parent] = _Folder(_identity(file.parent), names)
        self._folders[file.parent].names.add(file.name)
        self.written.append(file)

    def forget(self, path: Path) -> None:
        """Expect a file no longer, since medseg itself removed it."""
        file = path.absolute()
        self.written = [other for other in self.written if other != file]
        if file.parent in self._folders:
            self._folders[file.parent].names.discard(file.name)

    def lost(self) -> list[Path]:
        """What was written, or was in a folder of outputs when that was replaced, and is gone."""
        for folder in list(self._folders):
            self.before(folder / "any")
        return [file for file in dict.fromkeys([*self._lost, *self.written]) if not file.exists()]

    def replaced(self) -> list[Path]:
        """The folders that were removed, moved or replaced, although they may be there again."""
        return list(self._replaced)

    def check(self) -> None:
        """Refuse to end as if all were well.

        Raises:
            FileNotFoundError: naming what is lost and what remains.
        """
        lost = self.lost()
        folders = dict.fromkeys([*self.replaced(), *(file.parent for file in lost)])
        if not folders:
            return
        gone = listed([str(file) for file in lost]) if lost else "files that the run began with"
        remain = [file.name for file in dict.fromkeys(self.written) if file.exists()]
        raise FileNotFoundError(
            f"{listed(list(map(str, folders)))} was removed, moved or replaced while this run "
            f"wrote to it: lost are {gone}, there remain of this run "
            f"{counted(len(remain), 'file')}{f' ({listed(remain)})' if remain else ''}: run it "
            "again, and leave its folders alone meanwhile"
        )


_watches: "weakref.WeakSet[Watch]" = weakref.WeakSet()
_at_the_start: dict[Path, _Folder] = {}


def remember(folder: str | os.PathLike) -> None:
    """Note what a folder holds before a run that will write to it; hidden files come and go."""
    place = Path(folder).absolute()
    _at_the_start.pop(place, None)
    if os.path.isdir(place):
        names = {name for name in os.listdir(place) if not name.startswith(".")}
        _at_the_start[place] = _Folder(_identity(place), names)


def before_writing(path: Path) -> None:
    """Tell every watch that a file is to be written; one in a scratch folder is no output yet."""
    for watch in () if is_in_scratch(path) else list(_watches):
        watch.before(path)


def after_writing(path: Path) -> None:
    """Tell every watch that a file was written; one in a scratch folder is no output yet."""
    for watch in () if is_in_scratch(path) else list(_watches):
        watch.after(path)


def after_removing(path: Path) -> None:
    """Tell every watch that medseg itself removed a file."""
    for watch in list(_watches):
        watch.forget(path)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Device and number of a folder; None if it is not there."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
