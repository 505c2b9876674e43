"""Ingest: read DICOM, NIfTI and pictures as (array, Geometry), or refuse with the reason.

`medseg.ingest.reader` offers the same to MONAI; it is not imported here, so that this package does
without torch.
"""

from medseg.ingest.checks import check_finite, check_labels, check_same_grid
from medseg.ingest.dicom.find_series import find_series
from medseg.ingest.dicom.read_series import read_series
from medseg.ingest.dicom.series import Series
from medseg.ingest.inspect_files import Row, inspect
from medseg.ingest.load import load
from medseg.ingest.reasons import IngestError, Reason, Verdict

__all__ = [
    "IngestError",
    "Reason",
    "Row",
    "Series",
    "Verdict",
    "check_finite",
    "check_labels",
    "check_same_grid",
    "find_series",
    "inspect",
    "load",
    "read_series",
]
