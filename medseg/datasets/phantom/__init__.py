"""Phantoms: synthetic patients whose right answer is known, one kind per bundle.

`phantom.write` makes them; a module per kind draws one case.
"""

from medseg.datasets.phantom.phantoms import KINDS, write

__all__ = ["KINDS", "write"]
