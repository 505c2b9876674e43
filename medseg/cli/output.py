"""CLI output: what a verb prints on the standard output, line by line or as JSON."""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console

from medseg.base.console_streams import OutputError, is_log_lost
from medseg.base.text import escape_unprintable, escape_unprintable_lines

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


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


def say_json(document: Mapping[str, Any]) -> None:
    """Print a document; what JSON cannot hold is printed as text."""
    say_lines(json.dumps(document, indent=2, default=str))


def say_error_as_json(asked: bool) -> Callable[[str], None] | None:
    """What `one_line_errors` shall call: the document {"error": ...}, if JSON was asked for."""
    return (lambda message: say_json({"error": message})) if asked else None
