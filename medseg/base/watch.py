"""Watch: notices when what a run wrote, or a folder that it writes to, is gone before its end.

A folder of outputs can be removed, moved, replaced by another or unmounted while a run goes on. The
run makes it anew, says so at once, and ends with an error: else the first outputs would be missing
without a word.
"""

import logging
import os
import shutil
import weakref
from dataclasses import dataclass
from pathlib import Path

from medseg.base.scratch import is_in_scratch
from medseg.base.text import count_noun, shorten_list

logger = logging.getLogger(__name__)

_FULL_DISK_BYTES = 2**20
"""Bytes of a disk: one with fewer left is full for most files of ours."""


@dataclass
class _Folder:
    """A folder as it was last seen: device and number, and the names that are to be in it.

    `marks` are names of no output, such as the lock of a run, that tell the folder from another.
    """

    identity: tuple[int, int] | None
    names: set[str]
    marks: frozenset[str] = frozenset()


class Watch:
    """Takes note of every file that `medseg.base.files` writes in this process, until it is closed.

    Attributes:
        written: the files, in order, once for each time.

    Example:
        >>> with closing(Watch()) as watch:
        ...     watch.find_lost()
        []
    """

    def __init__(self) -> None:
        self.written: list[Path] = []
        self._sizes: dict[Path, int] = {}
        self._folders: dict[Path, _Folder] = {}
        self._lost: dict[Path, None] = {}
        self._replaced: dict[Path, None] = {}
        _watches.add(self)

    def close(self) -> None:
        """Take note of nothing any more; what was noted stays."""
        _watches.discard(self)
        for folder in [place for place, seen in _at_the_start.items() if seen.marks]:
            del _at_the_start[folder]  # of a run that is over

    def check_before_writing(self, path: Path) -> None:
        """Look whether the folder of a file that is to be written is still the one that it was."""
        folder = path.absolute().parent
        seen = self._folders.get(folder) or _at_the_start.get(folder)
        if seen is None:
            return
        now = _find_identity(folder)
        if now == seen.identity and (not seen.names or (folder / next(iter(seen.names))).exists()):
            return
        there, marks = (
            {name for name in names if (folder / name).exists()}
            for names in (seen.names, seen.marks)
        )
        gone = [folder / name for name in sorted(seen.names - there)]
        self._folders[folder] = _Folder(now, there, frozenset(marks))
        if now == seen.identity and (there or marks):
            return  # some files were removed, not the folder; `find_lost` finds those of this run
        if not gone and marks == seen.marks and now is not None:
            return  # some network disks give a folder another number at times
        self._lost |= dict.fromkeys(gone)
        self._replaced[folder] = None
        logger.error(
            "%s was removed, moved or replaced while this run wrote to it. It was created again; "
            "%s",
            folder,
            f"these files are lost: {shorten_list([file.name for file in gone])}"
            if gone
            else "no file of this run is lost",
        )

    def note_written(self, path: Path) -> None:
        """Note a file that was written."""
        file = path.absolute()
        if file.parent not in self._folders:
            before = _at_the_start.get(file.parent)
            names, marks = (set(before.names), before.marks) if before else (set(), frozenset())
            self._folders[file.parent] = _Folder(_find_identity(file.parent), names, marks)
        self._folders[file.parent].names.add(file.name)
        self.written.append(file)
        self._sizes[file] = _measure_size(file)

    def forget(self, path: Path) -> None:
        """Expect a file no longer, since medseg itself removed it."""
        file = path.absolute()
        self.written = [other for other in self.written if other != file]
        if file.parent in self._folders:
            self._folders[file.parent].names.discard(file.name)

    def list_folders(self) -> list[Path]:
        """The folders of what was written."""
        return list(self._folders)

    def find_lost(self) -> list[Path]:
        """What was written, or was in a folder of outputs when that was replaced, and is gone."""
        for folder in list(self._folders):
            self.check_before_writing(folder / "any")
        return [file for file in dict.fromkeys([*self._lost, *self.written]) if not file.exists()]

    def find_changed(self) -> list[Path]:
        """What was written, is there, and is of another size: another program cut or replaced it.

        The content is not read again: one of the same size passes.
        """
        there = [file for file in dict.fromkeys(self.written) if file.exists()]
        return [file for file in there if _measure_size(file) != self._sizes[file]]

    def list_replaced(self) -> list[Path]:
        """The folders that were removed, moved or replaced, although they may be there again."""
        return list(self._replaced)

    def check(self) -> None:
        """Refuse to end as if all were well.

        Raises:
            FileNotFoundError: naming what is lost and what remains, or what was changed.
        """
        lost = self.find_lost()
        folders = dict.fromkeys([*self.list_replaced(), *(file.parent for file in lost)])
        if not folders:
            self._check_sizes()
            return
        if not self.list_replaced():
            raise FileNotFoundError(
                f"{shorten_list(list(map(str, lost)))} {'is' if len(lost) == 1 else 'are'} gone, "
                "another program removed or moved what this run wrote: run it again, and do not "
                "change its files while it runs"
            )
        gone = (
            shorten_list([str(file) for file in lost]) if lost else "files that the run began with"
        )
        remain = [file.name for file in dict.fromkeys(self.written) if file.exists()]
        raise FileNotFoundError(
            f"{shorten_list(list(map(str, folders)))} was removed, moved or replaced while this "
            f"run wrote to it. These files are lost: {gone}; these remain: "
            f"{count_noun(len(remain), 'file')}{f' ({shorten_list(remain)})' if remain else ''}: "
            "run it again, and do not change its folders while it runs"
        )

    def _check_sizes(self) -> None:
        if changed := self.find_changed():
            raise FileNotFoundError(
                f"{shorten_list(list(map(str, changed)))} changed after this run wrote it, another "
                "program cut it short or replaced it: run it again, and do not change its "
                "files while it runs"
            )


_watches: "weakref.WeakSet[Watch]" = weakref.WeakSet()
_at_the_start: dict[Path, _Folder] = {}
_remembered: dict[Path, None] = {}  # every folder that was remembered, whether it was there or not


def remember(folder: str | os.PathLike, *, mark: str | None = None) -> None:
    """Note what a folder holds before a run that will write to it; hidden files come and go.

    Args:
        folder: need not exist.
        mark: the name of a file in it that a run keeps there until it ends, such as its lock. What
            such a mark has shown is kept, however often it is noted, until a `Watch` is closed.
    """
    place = Path(folder).absolute()
    _remembered[place] = None
    before = _at_the_start.get(place)
    if mark is not None and before is not None and mark in before.marks:
        return
    _at_the_start.pop(place, None)
    if os.path.isdir(place):
        marks = frozenset({mark} if mark and (place / mark).exists() else ())
        names = {name for name in os.listdir(place) if not name.startswith(".")} - marks
        _at_the_start[place] = _Folder(_find_identity(place), names, marks)


def list_written_folders() -> list[Path]:
    """The folders that this process writes to, as far as is known; of full disks alone, if any is.

    For errors that name no file, as those of the curves of a training.
    """
    noted = [folder for watch in list(_watches) for folder in watch.list_folders()]
    folders = list(dict.fromkeys([*_remembered, *noted]))
    return [folder for folder in folders if _is_on_full_disk(folder)] or folders


def _is_on_full_disk(folder: Path) -> bool:
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    return shutil.disk_usage(there).free < _FULL_DISK_BYTES


def tell_before_writing(path: Path) -> None:
    """Tell every watch that a file is to be written; one in a scratch folder is no output yet."""
    for watch in () if is_in_scratch(path) else list(_watches):
        watch.check_before_writing(path)


def tell_after_writing(path: Path) -> None:
    """Tell every watch that a file was written; one in a scratch folder is no output yet."""
    for watch in () if is_in_scratch(path) else list(_watches):
        watch.note_written(path)


def tell_after_removing(path: Path) -> None:
    """Tell every watch that medseg itself removed a file."""
    for watch in list(_watches):
        watch.forget(path)


def _measure_size(file: Path) -> int:
    """Bytes of a file; -1 if it is gone."""
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _find_identity(folder: Path) -> tuple[int, int] | None:
    """Device and number of a folder; None if it is not there."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
