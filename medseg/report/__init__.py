"""Report: measure what was found, and show it."""

from medseg.report.measure import Measurement, measure_structures
from medseg.report.page.write_report import WriteReportd
from medseg.report.record_segmentation import RecordSegmentation, run_recorded
from medseg.report.segmentation import Segmentation
from medseg.report.write_measurements import WriteMeasurementsd, describe_measurement
from medseg.report.write_radiomics import WriteRadiomicsd

__all__ = [
    "Measurement",
    "RecordSegmentation",
    "Segmentation",
    "WriteMeasurementsd",
    "WriteRadiomicsd",
    "WriteReportd",
    "describe_measurement",
    "measure_structures",
    "run_recorded",
]
