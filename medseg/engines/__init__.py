"""Ignite handlers that MONAI lacks: best weights, exact resume with a record of
the run, the mean loss, and a bar."""

from medseg.engines.best import BestWeights, check_epochs
from medseg.engines.claim import claim_folder, claim_weights
from medseg.engines.mean_loss import MeanLoss
from medseg.engines.progress import Progress
from medseg.engines.record import run_record
from medseg.engines.resume import Resume, check_run
from medseg.engines.unwrapped import unwrapped

__all__ = [
    "BestWeights",
    "MeanLoss",
    "Progress",
    "Resume",
    "check_epochs",
    "check_run",
    "claim_folder",
    "claim_weights",
    "run_record",
    "unwrapped",
]
