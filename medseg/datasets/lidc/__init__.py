"""LIDC-IDRI: scans and the four readers' outlines to nodule patches with a consensus mask."""

from medseg.datasets.lidc.dataset import REMEDIES, VIEWS, Settings, list_cases, prepare

__all__ = ["REMEDIES", "VIEWS", "Settings", "list_cases", "prepare"]
