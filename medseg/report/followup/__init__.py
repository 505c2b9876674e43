"""Follow-up: two studies of a patient compared: lesions matched, changes measured, a response."""

from medseg.report.followup.case import Case, read_case
from medseg.report.followup.compare import Followup, compare_studies
from medseg.report.followup.write import write_followup

__all__ = ["Case", "Followup", "compare_studies", "read_case", "write_followup"]
