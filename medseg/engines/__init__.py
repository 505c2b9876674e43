"""Ignite handlers that MONAI lacks: best weights, exact resume, and a bar with the loss."""

from medseg.engines.best import BestWeights
from medseg.engines.progress import Progress
from medseg.engines.resume import Resume, check_run

__all__ = ["BestWeights", "Progress", "Resume", "check_run"]
