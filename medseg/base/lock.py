"""Lock: a file that a process holds until it ends, so that no other does the same work."""

import atexit
import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from medseg.base.files import explain_errors

_held: dict[Path, IO[str]] = {}


def hold(path: str | os.PathLike) -> bool:
    """Hold a lock file until this process ends; a killed process lets it go.

    The lock is the process's own: children, such as the workers of a data loader that outlive a
    killed parent for some seconds, do not hold it. The file is removed when the process ends.

    Returns:
        False if another process holds it. Where the system or the file system has no such locks
        (Windows, some network disks), always True.
    """
    lock = Path(path).absolute()
    if sys.platform == "win32" or lock in _held:
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
    _held[lock] = file
    atexit.register(_release, lock, os.getpid())
    return True


def _release(lock: Path, owner: int) -> None:
    """Remove a lock file that this process, and not the one that it was forked from, holds."""
    if os.getpid() == owner and (file := _held.pop(lock, None)):
        with suppress(OSError):  # the folder may be gone
            lock.unlink()
        file.close()
