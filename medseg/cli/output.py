"""CLI output: what a verb has to say, a line each, on the standard output."""

import sys
from contextlib import suppress

from rich.console import Console

from medseg.base.console_streams import OutputError, is_log_lost
from medseg.base.text import escape_unprintable, escape_unprintable_lines


def say(text: str) -> None:
    """Print text as one line, with neither markup nor :names: of pictures, colour or wrapping.

    Control characters are escaped, line breaks too: a name that holds one cannot look like a line.

    Example:
        >>> say("written bundles/liver")
        written bundles/liver
    """
    say_lines(escape_unprintable(text))


def say_lines(text: str) -> None:
    """Print text of several lines, made here and not from names; see `say`."""
    Console().print(
        escape_unprintable_lines(text), soft_wrap=True, highlight=False, markup=False, emoji=False
    )


def say_where_possible(line: str) -> None:
    """Write a line to the standard error, or to the standard output where that one is lost."""
    stream = sys.stdout if is_log_lost() else sys.stderr
    with suppress(OutputError):  # then both are lost, and the exit status alone tells
        stream.write(line)
        stream.flush()
