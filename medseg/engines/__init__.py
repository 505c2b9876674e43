"""Engines: what MONAI lacks to train: best weights, exact resume, checks, progress."""

from medseg.engines.batch import check_batch, check_image_size, warn_of_padding
from medseg.engines.best_weights import BestWeights
from medseg.engines.claim import claim_folder, claim_weights, set_curves_aside
from medseg.engines.config_in_use import read_config_as_run, read_config_in_use, use_handler
from medseg.engines.distributed import end_group, start_group, unwrap
from medseg.engines.faulty_cases import check_cases
from medseg.engines.foreground import check_foreground
from medseg.engines.log_choices import LogChoices
from medseg.engines.loss import FiniteLoss, MeanLoss, summarise_step
from medseg.engines.progress import Progress, keep_log
from medseg.engines.resume import Resume, check_run
from medseg.engines.resume_record import describe_run
from medseg.engines.run_folder import choose_run_folder
from medseg.engines.schedule.learning_rate import LearningRate, compute_rate_factor
from medseg.engines.schedule.parameter_groups import group_parameters
from medseg.engines.schedule.time_budget import TimeBudget
from medseg.engines.trained_on import RecordTraining

__all__ = [
    "BestWeights",
    "FiniteLoss",
    "LearningRate",
    "LogChoices",
    "MeanLoss",
    "Progress",
    "RecordTraining",
    "Resume",
    "TimeBudget",
    "check_batch",
    "check_cases",
    "check_foreground",
    "check_image_size",
    "check_run",
    "choose_run_folder",
    "claim_folder",
    "claim_weights",
    "compute_rate_factor",
    "describe_run",
    "end_group",
    "group_parameters",
    "keep_log",
    "read_config_as_run",
    "read_config_in_use",
    "set_curves_aside",
    "start_group",
    "summarise_step",
    "unwrap",
    "use_handler",
    "warn_of_padding",
]
