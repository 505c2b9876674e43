"""Inference: how a network is run on a device, case by case, and what it leaves on disk."""

from medseg.inference.case import CasesFailedError, find_cases, plan_cases, run_cases
from medseg.inference.check_image import CheckImaged
from medseg.inference.check_result import CheckResultd
from medseg.inference.existing import check_existing
from medseg.inference.instance_output import WriteInstancesd
from medseg.inference.output import WriteLabelMapd, WritePreviewd
from medseg.inference.overlap_tile import OverlapTileInferer
from medseg.inference.picture_output import WritePictureLabeld, WritePicturePreviewd
from medseg.inference.pictures import find_pictures
from medseg.inference.precision import MixedPrecisionInferer
from medseg.inference.predictor import Predictor, PredictorInferer
from medseg.inference.probability_output import ProbabilityFiles
from medseg.inference.restore import RestoreLabeld
from medseg.inference.tiling import check_windows

__all__ = [
    "CasesFailedError",
    "CheckImaged",
    "CheckResultd",
    "MixedPrecisionInferer",
    "OverlapTileInferer",
    "Predictor",
    "PredictorInferer",
    "ProbabilityFiles",
    "RestoreLabeld",
    "WriteInstancesd",
    "WriteLabelMapd",
    "WritePictureLabeld",
    "WritePicturePreviewd",
    "WritePreviewd",
    "check_existing",
    "check_windows",
    "find_cases",
    "find_pictures",
    "plan_cases",
    "run_cases",
]
