"""Errors: one clear line for what the user can correct, a traceback for our own faults."""

import errno
import os
import sys
import threading
from collections.abc import Iterator
from traceback import clear_frames, format_exception
from types import TracebackType

from medseg.base.console_streams import go_on_without_readers
from medseg.base.interrupts import get_remedy, remember_interrupts, was_interrupted
from medseg.base.pages import find_page
from medseg.base.text import escape_unprintable, escape_unprintable_lines, log_printable_text
from medseg.base.watch import list_written_folders

_PEER_LOST = (
    *("closed by peer", "reset by peer", "Broken pipe"),
    *("remote process exited", "ncclRemoteError"),
)
"""What gloo and NCCL say, in a RuntimeError, where the process at the other end is gone."""

AFTER_INTERRUPT = "finished work is kept: after one whole epoch, --resume True continues a training"
"""What to say where a workflow of a bundle was stopped from outside."""

_NO_MEMORY = (
    *("CUDA out of memory", "can't allocate memory", "out of memory. Tried to allocate"),
    "is killed by signal: Killed",
)
"""What torch says, in a RuntimeError, where it gets no memory, or the system ends a process that
reads for it, as it does where memory runs out."""

_LONGEST_REASON = 200

_FOLDER_ERRORS = (errno.ENOENT, errno.ENOTDIR)
_ACCESS_ERRORS = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR)
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def find_root_cause(error: BaseException) -> BaseException:
    """The error of a chain that says what to mend: the outermost documented one, else the first.

    MONAI wraps errors of a config or transform in its own, and medseg those of other packages.
    """
    return next(filter(is_documented, list_causes(error)), _find_first_cause(error))


def list_causes(error: BaseException) -> Iterator[BaseException]:
    """An error, its cause, the cause of that, and so on, each once though causes form a ring."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__


def forget_frames(error: BaseException) -> None:
    """Clear the frames of an error and of all behind it, which hold images and even the error.

    An error may stand behind itself: `raise first from second`, where the second was raised while
    the first was handled.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        last = waiting.pop()
        if last is not None and id(last) not in seen:
            seen.add(id(last))
            clear_frames(last.__traceback__)
            waiting += [last.__cause__, last.__context__]


def _find_first_cause(error: BaseException) -> BaseException:
    """The error with which a chain began."""
    return [*list_causes(error)][-1]


def is_documented(error: BaseException) -> bool:
    """Whether medseg itself raised the error, on purpose: then its message says it all.

    A `MemoryError` of NumPy is one of another type, and one of Python says nothing.
    """
    is_stated = type(error) is MemoryError and bool(error.args)
    return _find_module(error).partition(".")[0] == "medseg" and (
        is_stated or isinstance(error, (ValueError, TypeError, OSError, RuntimeError, ImportError))
    )


def add_page(error: BaseException) -> str:
    """The message of a documented error, with the page that helps where it is about data."""
    message, page = str(error), find_page(_find_module(error))
    is_refusal = isinstance(error, (ValueError, TypeError, OSError))  # not the count of failures
    return f"{message} (see {page})" if is_refusal and page and "docs/" not in message else message


def _find_module(error: BaseException) -> str:
    """The module that raised an error; "" for one that was never raised."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__", ""))


def explain_config_fault(error: BaseException) -> str | None:
    """What is wrong with a config, if MONAI could not build a component of it; else None.

    An override of a wrong type or value ends so: the component and the complaint are named.
    """
    component = None
    *wrappers, error = list_causes(error)
    for text in map(str, wrappers):
        if text.startswith("Failed to instantiate component"):
            component = text.split("'")[1]
            settings = text.splitlines()[0].rpartition("keywords: ")[2].replace(",", ", ")
    if component is None or not isinstance(error, (ValueError, TypeError, OSError)):
        return None
    complaint = " ".join(str(error).split())
    return f"no {component} can be made ({complaint}): correct the overrides among {settings}"


def explain_other_version(error: BaseException) -> str | None:
    """What to say if a config names something that this medseg does not have; else None.

    Example:
        >>> explain_other_version(AttributeError("module 'medseg.base' has no attribute 'x'"))
        "module 'medseg.base' has no attribute 'x': the config was made by another version of \
medseg; use that version, or build, copy or train the bundle again with this one"
    """
    error = _find_first_cause(error)
    text = " ".join(str(error).split())
    is_attribute = isinstance(error, AttributeError) and text.startswith("module 'medseg")
    is_class = isinstance(error, ImportError) and "function path: 'medseg" in text
    if not (is_attribute or is_class):
        return None
    return (
        f"{text.rstrip('.')}: the config was made by another version of medseg; use that version, "
        "or build, copy or train the bundle again with this one"
    )


def explain_missing_class(error: BaseException) -> str | None:
    """What to say if a config names a class or function that no package has; else None."""
    error = _find_first_cause(error)
    if not isinstance(error, ImportError) or "function path: '" not in str(error):
        return None
    path = str(error).split("'")[1]
    return f"{path} is not there: correct that _target_ in the config, or install its package"


def explain_missing_package(error: BaseException) -> str | None:
    """What to say if a package is missing that a config asks for, itself or by a class; else None.

    Example:
        >>> explain_missing_package(ModuleNotFoundError("No module named 'einops'", name="einops"))
        "a package is missing (No module named 'einops'): install it, as the metadata or docs of \
the bundle say"
    """
    error = _find_first_cause(error)
    if type(error).__name__ == "ErrorDuringImport":  # of pydoc, with which MONAI finds classes
        error = getattr(error, "value", error)
    if not isinstance(error, ImportError) or str(error.name).startswith("medseg"):
        return None
    reason = " ".join(str(error).split())[:_LONGEST_REASON].rstrip(".")
    return f"a package is missing ({reason}): install it, as the metadata or docs of the bundle say"


def explain_lost_process(error: BaseException) -> str | None:
    """What to say if the error is only that another process of a distributed run ended; else None.

    The others of a run notice a process that ends with an error when they next wait for it. Theirs
    is no error of its own, and its traceback would hide the line that counts.
    """
    error = _find_first_cause(error)
    if not isinstance(error, RuntimeError) or not any(sign in str(error) for sign in _PEER_LOST):
        return None
    return (
        "another process of this run has ended: see its own message; without one it was "
        "killed, often because memory ran out"
    )


def explain_disk_fault(error: BaseException) -> str | None:
    """What to say if a disk is full or broken, wherever that was noticed; else None."""
    error = _find_first_cause(error)
    if not isinstance(error, OSError) or error.errno not in _DISK_ERRORS:
        return None
    place = str(error.filename or " or ".join(map(str, list_written_folders())))
    named = f" for {place}" if place else ""
    return (
        f"the disk fails{named} ({os.strerror(error.errno)}): make room there or choose another "
        "output folder; finished files are kept"
    )


def explain_memory_fault(error: BaseException) -> str | None:
    """What to say if torch or NumPy got no memory, of the machine or of a GPU; else None."""
    error = _find_first_cause(error)
    text = " ".join(str(error).split())
    of_torch = isinstance(error, RuntimeError) and any(sign in text for sign in _NO_MEMORY)
    if not (of_torch or isinstance(error, MemoryError)):
        return None
    reason = text[:_LONGEST_REASON] or "MemoryError"
    return (
        f"there is not enough memory ({reason}): lower --batch_size, --image_size or --channels "
        "in training, --windows_per_batch elsewhere; finished files are kept"
    )


def explain_folder_fault(error: BaseException) -> str | None:
    """What to say of a file whose folder is gone, as that of curves in an output folder."""
    error = _find_first_cause(error)
    if not isinstance(error, OSError) or error.errno not in _FOLDER_ERRORS:
        return None
    if not isinstance(error.filename, (str, bytes)):
        return None
    folder = os.path.dirname(os.path.abspath(os.fsdecode(error.filename)))
    if os.path.isdir(folder):
        return None
    return (
        f"{folder} is not there, it was removed, moved or replaced while this run used it: run it "
        "again, and do not change its folders while it runs; what was written elsewhere is kept"
    )


def explain_access_fault(error: BaseException) -> str | None:
    """What to say if the system refused a file or folder, such as for its permissions; else None.

    Example:
        >>> explain_access_fault(PermissionError(errno.EACCES, "Permission denied", "a.nii"))
        'a.nii cannot be used (Permission denied): correct its permissions or the path'
    """
    if (
        not isinstance(error, OSError)
        or error.errno not in _ACCESS_ERRORS
        or error.filename is None
    ):
        return None
    reason = os.strerror(error.errno)
    file = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    return f"{file} cannot be used ({reason}): correct its permissions or the path"


def format_error(error: BaseException) -> str | None:
    """The message of an error that the user can mend; None for one that keeps its traceback."""
    cause = find_root_cause(error)
    documented = add_page(cause) if is_documented(cause) else None
    message = (
        explain_access_fault(cause)
        or documented
        or explain_disk_fault(error)
        or explain_memory_fault(error)
    )
    return (
        message
        or explain_config_fault(error)
        or explain_other_version(error)
        or explain_missing_class(error)
        or explain_missing_package(error)
        or explain_folder_fault(error)
    )


def show_traceback() -> bool:
    """Whether the environment asks for whole tracebacks, by MEDSEG_TRACEBACK=1."""
    return bool(os.environ.get("MEDSEG_TRACEBACK"))


def print_errors_in_one_line() -> None:
    """From now on, an uncaught documented error of this process prints one line, not a traceback.

    Any other error keeps its traceback, and so does every error when the environment variable
    MEDSEG_TRACEBACK is set. The exit status is 1 in both cases. Ctrl-C is one line too, and ends
    the process by its signal. A reader of the output that goes away does not end it, see
    `medseg.base.console_streams`; what is printed and logged is printable, see
    `medseg.base.text`.
    """
    remember_interrupts()
    go_on_without_readers()  # here, as every config begins with it
    log_printable_text()
    sys.excepthook = _report
    threading.excepthook = _report_of_thread


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    line = _make_line(error)
    if show_traceback() or line is None:
        sys.stderr.write(escape_unprintable_lines("".join(format_exception(kind, error, trace))))
        return
    sys.stderr.write(f"{escape_unprintable(line)}\n")


def _report_of_thread(given: threading.ExceptHookArgs) -> None:
    """Nothing of a disk that fails: whoever waits for the thread, as that of curves, says it."""
    error = given.exc_value
    is_said = error is not None and (explain_disk_fault(error) or explain_folder_fault(error))
    if show_traceback() or not is_said:
        threading.__excepthook__(given)


def _make_line(error: BaseException) -> str | None:
    if isinstance(error, KeyboardInterrupt) or was_interrupted():
        return f"interrupted: {get_remedy(AFTER_INTERRUPT)}"
    message = format_error(error) or explain_lost_process(error)
    return None if message is None else f"error: {message}"
