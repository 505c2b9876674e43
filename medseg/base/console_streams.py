"""Streams: a run goes on when nobody reads its output any more, and text never fails to be written.

Where the reader of the standard output or error is gone (`medseg ... 2>&1 | head -1`, a closed
terminal), the rest is dropped. So is what cannot be written to the standard error at all, such as
a log on a full disk. A standard output that cannot be written for another reason is an error.
"""

import errno
import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH_OF_A_LOG = 120
_NUMBERS = {"stdout": 1, "stderr": 2}
_closed_at_start: set[int] = set()
_lost: dict[int, str] = {}  # number of a stream -> why it could not be written


class OutputError(OSError):
    """The standard output, or a standard error that holds the answer, cannot be written."""

    def __init__(self, reason: str, *, stream: str = "output") -> None:
        super().__init__(
            f"the standard {stream} cannot be written ({reason}): send it to a terminal, or to a "
            "file on a disk that has room"
        )


def go_on_without_readers() -> None:
    """From now on, what this process writes to its standard streams never ends it.

    A stream that was closed at the start (`2>&-`) is the null device, so that no file of the run
    takes its number. Characters that the encoding lacks are written as escapes. A stream that was
    put in the place of a standard one, as tests do, is left as it is. A second call changes
    nothing.

    Raises:
        OutputError: later and once, when the standard output cannot be written for another reason
            than that its reader is gone, for instance a full disk. The rest is dropped then.

    Example:
        >>> go_on_without_readers()
    """
    for number in (0, 1, 2):
        _open_if_closed(number)
    for name, number in _NUMBERS.items():
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _open_text(_Output(number), encoding="utf-8", by_line=True))
        elif _is_own(stream, name, number):
            stream.flush()
            by_line = stream.line_buffering or name == "stderr"
            replaced = _open_text(_Output(number), encoding=stream.encoding, by_line=by_line)
            setattr(sys, name, replaced)
            _move_handlers(stream, replaced)


def require_output() -> None:
    """Refuse a standard output that was closed (`>&-`), for what gives nothing but what it prints.

    Raises:
        OutputError: it was closed when `go_on_without_readers` was called first.

    Example:
        >>> require_output()
    """
    if _NUMBERS["stdout"] in _closed_at_start:
        raise OutputError("it is closed")


def require_log() -> None:
    """Refuse a standard error that was closed or could not be written, where it holds the answer.

    Raises:
        OutputError: what was written to it, or is to be, is lost.
    """
    if is_log_lost():
        raise OutputError(_lost.get(_NUMBERS["stderr"], "it is closed"), stream="error")


def is_log_lost() -> bool:
    """Whether the standard error was closed at the start, or could not be written meanwhile."""
    if sys.stderr is not None:
        sys.stderr.flush()
    return _NUMBERS["stderr"] in {*_lost, *_closed_at_start}


def is_on_terminal() -> bool:
    """Whether the standard error is a terminal that can show a bar."""
    if sys.stderr is None or os.environ.get("TERM") == "dumb":
        return False
    return sys.stderr.isatty()


@contextmanager
def log_from(logger: logging.Logger, level: int) -> Iterator[None]:
    """Within the block, let a logger log nothing below a level."""
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


def show_table(table: "Table") -> None:
    """Print a table to the standard error, as wide as its terminal, or of 120 columns in a file."""
    from rich.console import Console

    if sys.stderr is not None:
        Console(stderr=True, width=None if is_on_terminal() else _WIDTH_OF_A_LOG).print(table)


class _Output(io.FileIO):
    """A standard stream that becomes the null device when it cannot be written any more."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self._without_reader = {errno.EPIPE, errno.EIO} if os.isatty(number) else {errno.EPIPE}

    def write(self, data: Any, /) -> int:
        """Write bytes, or drop them for want of a reader."""
        try:
            return super().write(data)
        except OSError as error:
            _point_to_null(self.fileno())  # else what is buffered fails again at the end
            is_output = self.fileno() == _NUMBERS["stdout"]
            if error.errno not in self._without_reader:
                _lost[self.fileno()] = os.strerror(error.errno or 0)
            if is_output and error.errno not in self._without_reader:
                raise OutputError(os.strerror(error.errno or 0)) from None
            return len(data)


def _move_handlers(before: Any, after: Any) -> None:
    """Let the handlers that log to one stream log to another."""
    named = logging.root.manager.loggerDict.values()
    for logger in (logging.root, *named):
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                handler.setStream(after)


def _open_text(raw: io.FileIO, *, encoding: str, by_line: bool) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffer, encoding=encoding, errors="backslashreplace", line_buffering=by_line
    )


def _is_own(stream: Any, name: str, number: int) -> bool:
    """Whether a stream is the one that Python made for the process."""
    if stream is not getattr(sys, f"__{name}__") or not isinstance(stream, io.TextIOWrapper):
        return False
    try:
        return stream.fileno() == number
    except (OSError, ValueError):
        return False


def _open_if_closed(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        _closed_at_start.add(number)
        _point_to_null(number)


def _point_to_null(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
