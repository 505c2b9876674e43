"""Bundles: find, build from layers, check, copy, run, export and prune them."""

from medseg.bundles.build import find

__all__ = ["find"]
