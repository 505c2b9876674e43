"""Command line: `medseg` and its verbs, each a thin call of what the other packages do.

Ctrl-C is one line from here on, also while the verbs are imported.
"""

from medseg.base.interrupts import end_at_once, remember_interrupts

remember_interrupts()
with end_at_once("interrupted before anything was begun: run it again"):
    from medseg.cli.app import main

__all__ = ["main"]
