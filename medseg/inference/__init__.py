"""Inference: how a network is run on a device, case by case, and what it leaves on disk."""

from medseg.inference.case import CasesFailedError, find_cases, run_cases
from medseg.inference.output import WriteLabelMapd, WritePreviewd
from medseg.inference.predictor import MixedPrecisionInferer

__all__ = [
    "CasesFailedError",
    "MixedPrecisionInferer",
    "WriteLabelMapd",
    "WritePreviewd",
    "find_cases",
    "run_cases",
]
