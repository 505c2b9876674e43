"""Files: outputs appear whole or not at all, and take the place of nothing.

Where a file cannot be written, because the disk is full, the folder is not ours to write or a file
is in the place of a folder, the OSError is one line that names the file, the reason and the remedy.
It has the kind and the `errno` of the system's own, which is its cause.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

from medseg.base import watch
from medseg.base.scratch import make_scratch_folder, remove_abandoned
from medseg.base.together.collected import find_current
from medseg.base.walk import check_length

_MAKE_ROOM = "make room on that disk or choose another folder"
_LONGEST_NAME = 255
_CHOOSE_WRITABLE = "choose a folder that you may write to"
_CHOOSE_SHORTER = "choose a shorter name"
_REMEDIES = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: "raise the limit on the size of files (ulimit -f) or choose another disk",
    errno.EACCES: _CHOOSE_WRITABLE,
    errno.EPERM: _CHOOSE_WRITABLE,
    errno.EROFS: _CHOOSE_WRITABLE,
    errno.ENAMETOOLONG: _CHOOSE_SHORTER,
}
_TRIAL_BYTES = 2**20
"""Bytes that tell whether a disk takes any more: more than the last block of a file has left."""
_WRITING_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # no reader meets these


@contextmanager
def whole(path: str | os.PathLike, *, replace: bool = True) -> Iterator[Path]:
    """A temporary path that takes the place of `path` when the block ends without an error.

    It has the name of `path`, in a scratch folder beside it, see `medseg.base.scratch`. On an
    error, or where the process is killed, whatever `path` held before is still there. Missing
    parent folders are made. Within `medseg.base.together` it takes its place at the end of
    that block.

    Args:
        path: the file.
        replace: whether it may take the place of a file that is there.

    Raises:
        FileExistsError: `path` is there, and is not to be replaced; it stays as it is.
        OSError: the file cannot be written, see the top of this file. An error of the block that
            is about another file passes as it is.

    Example:
        >>> with whole("out/mask.nii.gz") as partial:
        ...     nibabel.save(image, partial)
    """
    target = Path(path)
    collected = find_current(target)
    with ExitStack() as until_done:
        watch.tell_before_writing(target)
        with explain_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if collected is None:
                scratch = until_done.enter_context(make_scratch_folder(target.parent))
            else:
                scratch = collected.prepare(target).parent
        partial = scratch / target.name
        with check_folder_remains(target, scratch):
            with explain_errors(target, block_of=scratch), _ask_disk_for_reason(partial):
                yield partial
            with partial.open("rb") as file, explain_errors(target):
                os.fsync(file.fileno())
            if collected is not None:
                collected.add(target, replace=replace)
                return
            with explain_errors(target):
                if replace:
                    partial.replace(target)
                else:
                    move_to_new(partial, target)
    watch.tell_after_writing(target)


def move_to_new(partial: Path, target: Path) -> None:
    """Give a file a name that no file has yet, also where another process tries the same."""
    try:
        try:
            os.link(partial, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without links, where two might still be the last
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, "", str(target)) from None
            partial.replace(target)
    except FileExistsError:
        raise FileExistsError(
            f"{target} was written by another program at the same time and is kept: give each run "
            "a folder of its own"
        ) from None


def check_folder(path: str | os.PathLike) -> None:
    """Refuse a folder that cannot be made or written to, before anything is computed for it.

    It is tried with a scratch folder, at once removed, in the nearest folder that is there; nothing
    else is made. Permissions alone would not tell: root may write to /proc by them. What killed
    processes left in `path` is removed, see `medseg.base.scratch`.

    Raises:
        OSError: in one line, see the top of this file.

    Example:
        >>> check_folder("runs/liver")
    """
    folder = Path(path)
    check_length(folder)
    nearest = _find_nearest(folder)
    remove_abandoned(nearest)
    try:
        with make_scratch_folder(nearest):
            pass
    except OSError as error:
        reason = error.strerror
        if not nearest.is_dir():
            reason = f"{'it' if nearest == folder.absolute() else nearest} is not a folder"
        elif error.errno == errno.ENOENT:  # as of /proc
            reason = f"{nearest} does not allow new folders"
        remedy = _REMEDIES.get(error.errno or 0, "choose another folder")
        raise _change_message(
            f"{folder} cannot be written to ({reason}): {remedy}", error
        ) from error
    watch.remember(folder)


def check_place(path: str | os.PathLike) -> None:
    """Refuse a place that no file can take, before anything is computed for it.

    A file that is there is none of its business, nor is the folder, see `check_folder`.

    Raises:
        OSError: the name is too long, or something lies there that is no file.

    Example:
        >>> check_place("bundles/liver/models/model.pt")
    """
    place = Path(path)
    length, longest = len(os.fsencode(place.name)), find_longest_name(place.parent)
    if length > longest:
        raise OSError(
            f"{place} has a name of {length} bytes, longer than the {longest}: {_CHOOSE_SHORTER}"
        )
    if what := describe_non_file(place):
        raise OSError(f"{place} is {what}: move it away, or choose another name")


def describe_non_file(place: Path) -> str | None:
    """What lies at a place, in words, if it is anything but a file or a link to one."""
    try:
        mode = place.stat().st_mode
    except OSError as error:
        if not os.path.islink(place):  # absent, or of a name that no file can have
            return None
        return "a link in a circle" if error.errno == errno.ELOOP else "a broken link"
    if stat.S_ISREG(mode):
        return None
    what = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device and not a file"
    return f"a link to {what}" if os.path.islink(place) else what


def find_longest_name(folder: str | os.PathLike) -> int:
    """How many bytes the name of a file in `folder`, which need not exist, may have."""
    try:
        return os.pathconf(_find_nearest(Path(folder)), "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, or a disk that does not say
        return _LONGEST_NAME


def check_apart(out: str | os.PathLike, source: str | os.PathLike) -> None:
    """Refuse a folder of outputs that is the folder of the inputs, links followed.

    A later run would take the outputs of an earlier one for inputs.

    Raises:
        ValueError: they are one folder.

    Example:
        >>> check_apart("masks", "study")
    """
    if os.path.isdir(source) and os.path.isdir(out) and os.path.samefile(out, source):
        raise ValueError(f"{out} is the folder of the inputs: write to another folder")


def _find_nearest(folder: Path) -> Path:
    """The folder, or the first above it that there is."""
    return next(p for p in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(p))


def remove(path: str | os.PathLike) -> None:
    """Remove a file, if there is one; OSError in one line where that is not possible.

    Within `medseg.base.together` it goes at the end of that block.
    """
    place = Path(path)
    collected = find_current(place)
    with explain_errors(place):
        if collected is None:
            place.unlink(missing_ok=True)
        elif place.is_dir() and not place.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place))
        else:
            collected.remove(place)
    if collected is None:
        watch.tell_after_removing(place)


def set_aside(path: str | os.PathLike, folder: str | os.PathLike | None = None) -> Path | None:
    """Give a file of an earlier run a dated name, so that a new one can take its place.

    Args:
        path: the file.
        folder: where it goes, made if absent, on any disk; None means that it stays in its folder.

    Returns:
        Where the file is now, for instance `metrics-20260102-030405.csv`, dated by its last change;
        None if there was none.

    Raises:
        OSError: in one line, see the top of this file; `path` is still there then.
    """
    kept = keep_aside(path, folder)
    remove(path)
    return kept


def keep_aside(path: str | os.PathLike, folder: str | os.PathLike | None = None) -> Path | None:
    """As `set_aside`, but `path` stays until something replaces it, so that it is never absent.

    Where a second name for the same file is not possible, as on another disk, it is copied.

    Example:
        >>> with whole("models/model.pt") as partial:
        ...     torch.save(state, partial)
        ...     keep_aside("models/model.pt", "runs/liver/replaced")
    """
    source = Path(path)
    if not source.exists():
        return None
    target = source.parent if folder is None else Path(folder)
    with explain_errors(target / source.name):
        target.mkdir(parents=True, exist_ok=True)
    when = datetime.fromtimestamp(source.stat().st_mtime).strftime("%Y%m%d-%H%M%S")
    suffix = "".join(source.suffixes[-2 if source.suffix.lower() == ".gz" else -1 :])
    stem, longest = source.name[: len(source.name) - len(suffix)], find_longest_name(target)
    ends = (f"-{when}{n or ''}{suffix}" for n in count())
    names = (target / f"{_shorten(stem, longest - len(os.fsencode(end)))}{end}" for end in ends)
    kept = next(name for name in names if not name.exists() or name.samefile(source))
    if not kept.exists():
        with whole(kept) as partial:
            try:
                os.link(source.resolve(), partial)
            except OSError:  # another disk, or one that knows no second names
                shutil.copy2(source, partial)
    return kept


def _shorten(name: str, length: int) -> str:
    """The first letters of a name that take at most `length` bytes."""
    while len(os.fsencode(name)) > length:
        name = name[:-1]
    return name


@contextmanager
def explain_errors(target: Path, *, block_of: Path | None = None) -> Iterator[None]:
    """Give an error of writing the words of `_explain`; `block_of`: only one about a file there.

    An error without the system's words is one of ours, or of a package that has its own: it passes.
    """
    try:
        yield
    except OSError as error:
        about = block_of is None or block_of.name in str(error.filename)
        if error.strerror is None or not (about or error.errno in _WRITING_ERRORS):
            raise
        raise _explain(target, error) from error


@contextmanager
def check_folder_remains(target: Path, scratch: Path) -> Iterator[None]:
    """Where a writer fails since its folder is gone, whatever it says of that, say so."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if scratch.exists():
            raise
        raise FileNotFoundError(
            f"{target.parent} was removed, moved or replaced while {target.name} was written: run "
            "it again, and do not change its folders while it runs"
        ) from error


@contextmanager
def _ask_disk_for_reason(partial: Path) -> Iterator[None]:
    """Where a writer fails without the system's reason, as torch and numpy do, ask for that.

    A disk that is full, over its quota or broken refuses further bytes of the same file, too.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        if partial.exists() and getattr(error, "strerror", None) is None:
            _append(partial, bytes(_TRIAL_BYTES))
        raise


def _append(path: Path, content: bytes) -> None:
    """Write to the end of a file and through to the disk; an error names the file."""
    try:
        with path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(path)
        raise


def _explain(target: Path, error: OSError) -> OSError:
    """The same kind of error, such as PermissionError, in one line."""
    reason, remedy = error.strerror, _REMEDIES.get(error.errno or 0, "choose another folder")
    in_the_way = [path for path in target.parents if os.path.exists(path) and not path.is_dir()]
    if in_the_way:
        reason, remedy = f"{in_the_way[0]} is not a folder", "move it away or choose another folder"
    elif os.path.isdir(target):
        reason, remedy = "it is a folder", "move it away or choose another folder"
    return _change_message(f"{target} cannot be written ({reason}): {remedy}", error)


def _change_message(line: str, error: OSError) -> OSError:
    """An error of the same kind and number, with a line of ours."""
    explained = type(OSError(error.errno, ""))(line)
    explained.errno = error.errno
    return explained
