"""Command line: `medseg` and its verbs, each a thin call of what the other packages do."""

from medseg.cli.app import main

__all__ = ["main"]
