"""Files: outputs appear whole or not at all, and take the place of nothing."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import IO

_held: dict[Path, IO[str]] = {}


@contextmanager
def whole(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends without an error.

    The temporary name keeps every suffix of `path` (`.nii.gz` stays so), since writers choose the
    format by it. On an error it is removed and whatever `path` held before is still there. Missing
    parent folders are made.

    Example:
        >>> with whole("out/mask.nii.gz") as partial:
        ...     nibabel.save(image, partial)
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def set_aside(path: str | os.PathLike, folder: str | os.PathLike | None = None) -> Path | None:
    """Give a file of an earlier run a dated name, so that a new one can take its place.

    Args:
        path: the file.
        folder: where it goes, made if absent; None means that it stays in its folder.

    Returns:
        Where the file is now, for instance `metrics-20260102-030405.csv`, dated by its last change;
        None if there was none.
    """
    source = Path(path)
    if not source.exists():
        return None
    target = source.parent if folder is None else Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    when = datetime.fromtimestamp(source.stat().st_mtime).strftime("%Y%m%d-%H%M%S")
    names = (f"{source.stem}-{when}{n or ''}{source.suffix}" for n in count())
    kept = next(target / name for name in names if not (target / name).exists())
    source.replace(kept)
    return kept


def hold(path: str | os.PathLike) -> bool:
    """Hold a lock file until this process ends; a killed process lets it go.

    Returns:
        False if another process holds it. Where the system has no `flock` (Windows), always True.
    """
    lock = Path(path).absolute()
    if sys.platform == "win32" or lock in _held:
        return True
    import fcntl

    lock.parent.mkdir(parents=True, exist_ok=True)
    file = lock.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held[lock] = file
    return True
