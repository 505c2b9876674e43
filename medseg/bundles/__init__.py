"""Bundles: find, build from layers, check, copy, run, export and prune them."""

from medseg.bundles.build import find
from medseg.bundles.bundle import check_complete, name_version

__all__ = ["check_complete", "find", "name_version"]
