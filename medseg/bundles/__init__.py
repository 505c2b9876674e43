"""Bundles: find, build from layers, check, copy, run, export and prune them."""

from medseg.bundles.build import find
from medseg.bundles.bundle import name_version

__all__ = ["find", "name_version"]
