"""Bundles: find, build from layers, check, copy, run, export and prune them."""

from medseg.bundles.bundle import check_complete, name_version
from medseg.bundles.catalogue.bundle_root import find
from medseg.bundles.catalogue.companion import load_companion
from medseg.bundles.catalogue.start import start_from

__all__ = ["check_complete", "find", "load_companion", "name_version", "start_from"]
