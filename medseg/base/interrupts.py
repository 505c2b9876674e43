"""Interrupts: Ctrl-C is remembered, so that what it breaks on its way is not taken for a fault.

An interrupt in the midst of an import can end in another error, or in none at all: some packages
catch it there, and a module that was loaded by half fails later.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STATUS = 130
"""Exit status of a command that was interrupted: 128 and the number of the signal."""

_PATIENCE_S = 1.0
"""After this time without an end, an interrupt is acknowledged."""

_STOPPING = b"\nstopping: the step that runs now is ended first\n"

_came = False
_acknowledgement: threading.Timer | None = None
_describe_remedy: Callable[[], str] | None = None


def remember_interrupts() -> None:
    """From now on, `was_interrupted` knows of each Ctrl-C; it raises KeyboardInterrupt as ever.

    Where the process handles or ignores the signal in another way already, nothing changes.

    Example:
        >>> remember_interrupts()
    """
    if _may_set_handler(signal.default_int_handler):
        signal.signal(signal.SIGINT, _remember)


def was_interrupted() -> bool:
    """Whether Ctrl-C came since `remember_interrupts`, whatever error it ended in."""
    return _came


def set_remedy(describe: Callable[[], str] | None) -> None:
    """What to say after Ctrl-C from now on: what is kept, and how to go on.

    Args:
        describe: is called when the line is printed; None for what the command says itself.

    Example:
        >>> set_remedy(lambda: "run it again"); set_remedy(None)
    """
    global _describe_remedy
    _describe_remedy = describe


def get_remedy(otherwise: str) -> str:
    """What to say after Ctrl-C, or the other text where `set_remedy` gave none."""
    if _acknowledgement is not None:  # the line that follows says it all
        _acknowledgement.cancel()
    return otherwise if _describe_remedy is None else _describe_remedy()


@contextmanager
def end_at_once(line: str) -> Iterator[None]:
    """While the body runs, Ctrl-C ends the process at once, with this line on the standard error.

    For imports, which take seconds, which an interrupt leaves half done, and in which nothing has
    been written yet: nothing is cleaned up.
    """
    if not _may_set_handler(_remember):
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        os.write(2, f"\n{line}\n".encode())
        os._exit(STATUS)

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _remember)


def _remember(number: int, frame: FrameType | None) -> None:
    global _came, _acknowledgement
    if not _came:
        _acknowledgement = threading.Timer(_PATIENCE_S, _acknowledge)
        _acknowledgement.daemon = True
        _acknowledgement.start()
    _came = True
    signal.default_int_handler(number, frame)


def _acknowledge() -> None:
    with suppress(OSError):  # nobody reads the standard error any more
        os.write(2, _STOPPING)


def _may_set_handler(handler: object) -> bool:
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is handler
