"""Walk: the folders below a folder with links followed, round no circle, and what is no file."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

_SHOWN_LETTERS = 60  # of a path that is too long


def walk(root: str | os.PathLike[str]) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk` with links followed, sorted, and no folder entered twice by whatever links.

    A folder that may not be read is passed over. Removing names from the list of folders keeps
    them from being entered.

    Example:
        >>> [names for _, _, names in walk("study")]  # doctest: +SKIP
        [['im0.dcm', 'im1.dcm']]
    """
    seen = {os.path.realpath(root)}
    for folder, below, names in os.walk(os.fspath(root), followlinks=True):
        below.sort(key=lambda name: (os.path.islink(os.path.join(folder, name)), name))
        new = []
        for name in below:
            real = os.path.realpath(os.path.join(folder, name))
            if real not in seen:
                seen.add(real)
                new.append(name)
        below[:] = new
        yield Path(folder), below, sorted(names)


def describe_odd_entry(path: str | os.PathLike) -> str | None:
    """In words, what is at a path that neither a file nor a folder can be read from; else None.

    A link that leads nowhere or round in a circle; a pipe, socket or device, which could make a
    reader wait for ever; and what may not be looked at.

    Example:
        >>> describe_odd_entry("/dev/null")
        'a pipe, socket or device'
    """
    if os.path.isfile(path) or os.path.isdir(path) or not os.path.lexists(path):
        return None
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return "a broken link" if os.path.islink(path) else "unreadable"
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "a pipe, socket or device"


def list_entries(folder: str | os.PathLike[str]) -> list[Path]:
    """What a folder holds, sorted; nothing where it is not there or is not a folder.

    Raises:
        OSError: it is there and may not be read, or its links lead round in a circle.

    Example:
        >>> list_entries("no/such/folder")
        []
    """
    try:
        return sorted(Path(folder).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise OSError(
            f"{folder} cannot be read ({error.strerror}): correct its permissions or the link"
        ) from error


def find_odd_entries(paths: Iterable[Path]) -> list[Path]:
    """The entries that are neither a file nor a folder, see `describe_odd_entry`.

    Example:
        >>> find_odd_entries([Path("/dev/null"), Path("/")])
        [PosixPath('/dev/null')]
    """
    return [path for path in paths if describe_odd_entry(path)]


def check_length(path: str | os.PathLike) -> None:
    """Refuse a path that the system cannot even look for: one of 4096 bytes, or a name of 256.

    Raises:
        OSError: in one line, which has the beginning of the path.

    Example:
        >>> check_length("runs/liver")
    """
    try:
        os.stat(path)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            return
        length = len(os.fsencode(os.path.abspath(path)))
        explained = OSError(
            f"{os.fspath(path)[:_SHOWN_LETTERS]}... is too long a path for this system ({length} "
            f"bytes), or one of its names is too long: choose a shorter name"
        )
        explained.errno = error.errno
        raise explained from error
