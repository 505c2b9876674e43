"""Scratch: folders for what is being made, removed by a later process where theirs was killed.

A killed process cannot clean up. So what is being made lies in a folder `.medseg-<16 digits>`,
which its process holds by a lock (`flock`) that the system lets go when the process is gone. The
next process that writes there removes the folders that nobody holds.
"""

import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ABANDONED_S = 24 * 3600.0
"""Where a file system or Windows knows no such locks, a folder is removed after this long without a
change."""

_NAME = re.compile(r"\.medseg-[0-9a-f]{16}")
_searched: set[Path] = set()


class _HeldError(OSError):
    """Another process holds the folder."""


@contextmanager
def make_scratch_folder(parent: str | os.PathLike | None = None) -> Iterator[Path]:
    """A new folder in `parent` that is gone, with all it holds, when the block ends.

    The first time that a process makes one in a folder, it removes what killed ones left there.

    Args:
        parent: an existing folder; None means the one for temporary files.

    Raises:
        OSError: the system's own.

    Example:
        >>> with make_scratch_folder() as folder:
        ...     _ = (folder / "network.onnx").write_bytes(b"")
    """
    place = Path(tempfile.gettempdir() if parent is None else parent)
    if place.absolute() not in _searched:
        remove_abandoned(place)
    folder, held = _make(place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a disk that went read-only keeps it
        if held is not None:
            os.close(held)


def is_in_scratch(path: Path) -> bool:
    """Whether a path lies in such a folder: what is there is no output until it is moved out."""
    return any(_NAME.fullmatch(part) for part in path.absolute().parts[:-1])


def remove_abandoned(folder: str | os.PathLike, *, levels: int = 0) -> list[Path]:
    """Remove the scratch folders in `folder` whose process is gone; any other file is left alone.

    Args:
        folder: need not exist.
        levels: of subfolders to look into as well; links are not followed.

    Returns:
        The folders that were removed.
    """
    place = Path(folder)
    _searched.add(place.absolute())
    try:
        with os.scandir(place) as entries:
            folders = [place / e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    mine = [path for path in folders if _NAME.fullmatch(path.name)]
    removed = [path for path in mine if _remove_if_abandoned(path)]
    if levels:
        for below in set(folders) - set(mine):
            removed += remove_abandoned(below, levels=levels - 1)
    return removed


def _make(parent: Path) -> tuple[Path, int | None]:
    """A new folder, and the descriptor that holds it, if it can be held."""
    while True:
        folder = parent / f".medseg-{secrets.token_hex(8)}"
        folder.mkdir()
        with suppress(_HeldError, FileNotFoundError):  # removed before it was held: make another
            held = _hold(folder)
            if held is None or folder.exists():
                return folder, held
            os.close(held)


def _hold(folder: Path) -> int | None:
    """A descriptor that holds the folder until it is closed; None where there are no locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise _HeldError(error.errno, error.strerror, str(folder)) from error
        return None  # a network file system that locks no folders
    return descriptor


def _remove_if_abandoned(folder: Path) -> bool:
    try:
        held = _hold(folder)
        if held is None and time.time() - _find_last_change(folder) < ABANDONED_S:
            return False
    except OSError:  # held, of another user, or gone meanwhile
        return False
    shutil.rmtree(folder, ignore_errors=True)
    if held is not None:
        os.close(held)
    return not folder.exists()


def _find_last_change(folder: Path) -> float:
    """When the folder or anything in it last changed, in seconds since 1970."""
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
