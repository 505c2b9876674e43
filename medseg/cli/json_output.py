"""JSON output: the document that a verb prints with `--json`, also where it fails."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from medseg.cli.output import say_lines

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def say_json(document: Mapping[str, Any]) -> None:
    """Print a document; what JSON cannot hold is printed as text."""
    say_lines(json.dumps(document, indent=2, default=str))


def say_error_as_json(asked: bool) -> Callable[[str], None] | None:
    """What `one_line_errors` shall call: the document {"error": ...}, if JSON was asked for."""
    return (lambda message: say_json({"error": message})) if asked else None
