"""Report: measure what was found, and show it."""

from medseg.report.measure import Measurement, measure_structures
from medseg.report.segmentation import Segmentation
from medseg.report.write_measurements import WriteMeasurementsd

__all__ = ["Measurement", "Segmentation", "WriteMeasurementsd", "measure_structures"]
