"""Printable: text of files and headers in a form that no terminal, log or spreadsheet acts on."""

import copy
import logging
import warnings
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell starts that a spreadsheet takes for a formula (OWASP, "CSV Injection")."""


def printable(text: object) -> str:
    """Text in one line, in which every character that is not printable is an escape.

    Escaped are line breaks, escape sequences and other control characters (C0, C1), marks that
    turn the direction of text, and bytes of a file name that are no text.

    Example:
        >>> printable("two\\nlines, red\\x1b[31m, é")
        'two\\\\nlines, red\\\\x1b[31m, é'
    """
    written = str(text)
    if written.isprintable():
        return written
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in written)


def printable_lines(text: str) -> str:
    """Text of several lines, as of a traceback, each of them printable."""
    return "\n".join(printable(line) for line in text.split("\n"))


def csv_cell(value: Any) -> Any:
    """A value for a table: text that a spreadsheet would run as a formula begins with `'`.

    Example:
        >>> csv_cell("=cmd()"), csv_cell("two\\nlines"), csv_cell(-0.5)
        ("'=cmd()", 'two\\\\nlines', -0.5)
    """
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(_FORMULA) and not _is_number(value)
    return printable(f"'{value}" if is_formula else value)


def log_printable_text() -> None:
    """From now on, what is logged and warned of is printable; call it again for new handlers.

    A message is one line; a traceback behind it keeps its lines.
    """
    named = logging.root.manager.loggerDict.values()
    loggers = [logging.root, *(each for each in named if isinstance(each, logging.Logger))]
    handlers = [handler for logger in loggers for handler in logger.handlers]
    for handler in (*handlers, logging.lastResort):
        if handler is not None and not isinstance(handler.formatter, _PrintableFormatter):
            handler.setFormatter(_PrintableFormatter(handler.formatter))
    if warnings.formatwarning is _format_warning:
        warnings.formatwarning = _printable_warning


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _PrintableFormatter(logging.Formatter):
    """Formats a record as another formatter does, from its message as one printable line."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self.inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        shown = copy.copy(record)
        shown.msg, shown.args = printable(record.getMessage()), None
        return printable_lines(self.inner.format(shown))


_format_warning = warnings.formatwarning


def _printable_warning(*about: Any, **more: Any) -> str:
    return printable_lines(_format_warning(*about, **more))
