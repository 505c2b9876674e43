"""Live display: on a terminal, a bar of the epoch at the bottom, and the log above it."""

import atexit
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from medseg.base.text import escape_unprintable


class LiveDisplay:
    """The display of a training on the terminal of the standard error.

    While it is open, log lines appear above its bar, except those of one logger: the caller shows
    these with `say`.

    Args:
        own: name of the logger whose records are left out.

    Example:
        >>> display = LiveDisplay("medseg.engines.progress")
        >>> display.open({"bundle": "liver"})  # doctest: +SKIP
    """

    def __init__(self, own: str) -> None:
        self._own = own
        self._console: Console | None = None
        self._bars: Bars | None = None
        self._until_closed = ExitStack()

    def open(self, facts: Mapping[str, str]) -> None:
        """Show what the run is, and an empty bar below."""
        table = Table.grid(padding=(0, 2))
        for name, value in facts.items():
            table.add_row(Text(name, style="bold"), Text(escape_unprintable(value)))
        self._console = Console(stderr=True)
        self._console.print(Panel(table, title="training", title_align="left", expand=False))
        columns = (
            TextColumn("{task.description}", markup=False),
            *(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()),
            TextColumn("{task.fields[note]}", markup=False),
        )
        self._bars = self._until_closed.enter_context(
            Bars(*columns, console=self._console, transient=True)
        )
        self._until_closed.enter_context(_log_above(self._own))
        atexit.register(self.close)

    def say(self, line: str, *, style: str = "") -> None:
        """Show a line above the bar, for good."""
        if self._console is not None:
            self._console.print(Text(escape_unprintable(line), style=style))

    def begin(self, description: str, total: int | None) -> None:
        """Begin a bar anew."""
        if self._bars is None:
            return
        for task in self._bars.task_ids:
            self._bars.remove_task(task)
        self._bars.add_task(description, total=total, note="")

    def advance(self, note: str = "") -> None:
        """Move the bar on by one."""
        if self._bars is not None and self._bars.task_ids:
            self._bars.update(self._bars.task_ids[-1], advance=1, note=note)

    def close(self) -> None:
        """Take the bar away, and leave the lines; a second call does nothing."""
        self._until_closed.close()
        self._bars = None
        atexit.unregister(self.close)


@contextmanager
def _log_above(own: str) -> Iterator[None]:
    """Send log lines through the display, except those of one logger."""
    shown_by = getattr(sys.stderr, "rich_proxied_file", None)
    moved = [
        handler
        for handler in logging.root.handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is shown_by
    ]

    def is_of_another(record: logging.LogRecord) -> bool:
        return record.name != own

    for handler in moved:
        handler.setStream(sys.stderr)
        handler.addFilter(is_of_another)
    try:
        yield
    finally:
        for handler in moved:
            handler.removeFilter(is_of_another)
            if shown_by is not None:
                handler.setStream(shown_by)
