"""CLI errors: what went wrong in a verb is one line on the standard error, and an exit status."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from medseg.base.interrupts import get_remedy, set_remedy, was_interrupted
from medseg.base.text import escape_unprintable
from medseg.cli.usage import BAD_ARGUMENTS, INTERRUPTED

DONE, SOME_FAILED = 0, 1


class one_line_errors:  # noqa: N801 - reads as the statement it is
    """Turn documented errors into one line and their exit status.

    The status is that of the attribute `exit_status` of the error, or else `BAD_ARGUMENTS`.

    Args:
        interrupted: what to say after Ctrl-C: what is kept, and how to go on; a workflow that runs
            may know better, see `medseg.base.interrupts.set_remedy`.
        also: is called with every error too, also with one that keeps its traceback.
    """

    def __init__(
        self, interrupted: str = "run it again", *, also: Callable[[str], None] | None = None
    ) -> None:
        self.interrupted = interrupted
        self.also = also

    def __enter__(self) -> None:
        set_remedy(None)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            self._report(error)
        finally:
            set_remedy(None)

    def _report(self, error: BaseException | None) -> None:
        """Say what went wrong, in one line, and end with its status."""
        from medseg.base.errors import find_root_cause, format_error, show_traceback

        if error is None or isinstance(error, (SystemExit, typer.Exit)):
            return
        if self.also is not None:
            self.also(self._describe(error))
        if show_traceback():
            return
        if _is_interrupt(error):
            sys.stderr.write(
                f"\ninterrupted: {get_remedy(self.interrupted)}\n"
            )  # below a progress bar
            raise typer.Exit(INTERRUPTED) from None
        message = format_error(error)
        if message is not None:
            sys.stderr.write(f"error: {escape_unprintable(message)}\n")
            status = getattr(find_root_cause(error), "exit_status", BAD_ARGUMENTS)
            raise typer.Exit(status) from None

    def _describe(self, error: BaseException) -> str:
        """An error of any kind in one line."""
        from medseg.base.errors import (
            add_page,
            explain_access_fault,
            find_root_cause,
            is_documented,
        )

        if _is_interrupt(error):
            return f"interrupted: {get_remedy(self.interrupted)}"
        cause = find_root_cause(error)
        if refused := explain_access_fault(cause):
            return refused
        return add_page(cause) if is_documented(cause) else f"{type(cause).__name__}: {cause}"


def _is_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C is what ended a verb, be it by an error that it caused on its way."""
    return isinstance(error, KeyboardInterrupt) or was_interrupted()
