"""Bundles: found, built from their layers, checked, copied, run, exported and pruned."""

from medseg.bundles.build import find

__all__ = ["find"]
