"""Export: write results as DICOM objects."""

from medseg.export.parametric_map import write_parametric_map
from medseg.export.rtstruct import write_rtstruct
from medseg.export.segmentation import write_seg
from medseg.export.segments import Algorithm
from medseg.export.source.images import SourceImages, describe_source
from medseg.export.structured_report import write_sr
from medseg.export.write_dicom import WriteDicomd

__all__ = [
    "Algorithm",
    "SourceImages",
    "WriteDicomd",
    "describe_source",
    "write_parametric_map",
    "write_rtstruct",
    "write_seg",
    "write_sr",
]
