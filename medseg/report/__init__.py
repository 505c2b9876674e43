"""Report: measure what was found, and show it."""

from medseg.report.measure import Measurement, measure_structures
from medseg.report.write_measurements import WriteMeasurementsd

__all__ = ["Measurement", "WriteMeasurementsd", "measure_structures"]
