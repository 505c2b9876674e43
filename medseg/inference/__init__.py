"""Inference: run a network over whole images, case by case, and write what it finds."""

from medseg.inference.cases.check_image import CheckImaged
from medseg.inference.cases.check_result import CheckResultd
from medseg.inference.cases.existing import check_existing
from medseg.inference.cases.find_cases import find_cases
from medseg.inference.cases.find_channels import find_channel_cases
from medseg.inference.cases.find_pictures import find_pictures
from medseg.inference.cases.find_slices import find_slices, holds_pictures
from medseg.inference.cases.run import CasesFailedError, plan_cases, run_cases
from medseg.inference.outputs.clean_parts import CleanPartsd
from medseg.inference.outputs.instances import WriteInstancesd
from medseg.inference.outputs.label_files import LabelFiles
from medseg.inference.outputs.label_map import WriteLabelMapd
from medseg.inference.outputs.largest_part import KeepLargestPartd
from medseg.inference.outputs.picture import WritePictureLabeld
from medseg.inference.outputs.probabilities import ProbabilityFiles
from medseg.inference.outputs.restore import RestoreLabeld
from medseg.inference.outputs.write import WriteOutputs
from medseg.inference.predictor.precision import MixedPrecisionInferer
from medseg.inference.predictor.predictor import Predictor, PredictorInferer
from medseg.inference.preview.redraw import draw_missing_previews
from medseg.inference.preview.write import WritePicturePreviewd, WritePreviewd
from medseg.inference.tiles.fast import make_inferer
from medseg.inference.tiles.inferer import OverlapTileInferer
from medseg.inference.tiles.tiling import check_windows
from medseg.inference.zoo.own_channels import OwnChannels
from medseg.inference.zoo.own_label_map import MakeLabelMapd
from medseg.inference.zoo.planned_inferer import PlannedInferer

__all__ = [
    "CasesFailedError",
    "CheckImaged",
    "CheckResultd",
    "CleanPartsd",
    "KeepLargestPartd",
    "LabelFiles",
    "MakeLabelMapd",
    "MixedPrecisionInferer",
    "OverlapTileInferer",
    "OwnChannels",
    "PlannedInferer",
    "Predictor",
    "PredictorInferer",
    "ProbabilityFiles",
    "RestoreLabeld",
    "WriteInstancesd",
    "WriteLabelMapd",
    "WriteOutputs",
    "WritePictureLabeld",
    "WritePicturePreviewd",
    "WritePreviewd",
    "check_existing",
    "check_windows",
    "draw_missing_previews",
    "find_cases",
    "find_channel_cases",
    "find_pictures",
    "find_slices",
    "holds_pictures",
    "make_inferer",
    "plan_cases",
    "run_cases",
]
