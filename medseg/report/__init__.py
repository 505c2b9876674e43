"""Report: measure what was found, and show it."""

from medseg.report.measure import Measurement, measure_structures

__all__ = ["Measurement", "measure_structures"]
