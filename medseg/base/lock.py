"""Lock: a file that a process holds until it ends, so that no other does the same work."""

import atexit
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from medseg.base.files import explain_errors

_held: dict[Path, tuple[IO[str], int]] = {}
"""The open file of each lock, and the process that opened it."""


def hold(path: str | os.PathLike) -> bool:
    """Hold a lock file until this process ends; a killed process lets it go.

    The lock is the process's own: children, such as the workers of a data loader that outlive a
    killed parent for some seconds, do not hold it. When the process ends, the file is removed, and
    so are folders that were made for it and hold nothing.

    Returns:
        False if another process holds it. Where the system or the file system has no such locks
        (Windows, some network disks), always True.
    """
    lock = Path(path).absolute()
    if lock in _held:
        return True
    missing = [folder for folder in lock.parents if not folder.exists()]
    taken = _take(lock)
    if lock in _held:
        atexit.register(_release, lock, made=missing)
    return taken


@contextmanager
def hold_within(path: str | os.PathLike) -> Iterator[bool]:
    """As `hold`, but until the block ends; False if another process holds it.

    Example:
        >>> with hold_within("masks/.case_1.lock") as mine:
        ...     print(mine)
        True
    """
    lock = Path(path).absolute()
    taken = _take(lock)
    try:
        yield taken
    finally:
        _release(lock)


def _take(lock: Path) -> bool:
    """Hold a lock file, if no other process does; True, too, where there are no such locks."""
    if sys.platform == "win32":
        return True
    import fcntl

    with explain_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with explain_errors(lock):
            file = lock.open("a")
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            return error.errno not in (errno.EACCES, errno.EAGAIN)
        if lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            break
        file.close()  # whoever held it has just removed it: this is no longer the file of that name
    _held[lock] = (file, os.getpid())
    return True


def _release(lock: Path, *, made: Sequence[Path] = ()) -> None:
    """Remove a lock file that this process, and not the one that it was forked from, holds.

    Folders that were made for it, the innermost first, are removed where they are empty.
    """
    file, owner = _held.get(lock, (None, None))
    if file is not None and os.getpid() == owner:
        del _held[lock]
        with suppress(OSError):  # the folder may be gone
            lock.unlink()
        file.close()
        with suppress(OSError):  # the first that holds something ends it
            for folder in made:
                folder.rmdir()
