"""Evaluation: what the scores of all cases show: distributions, the worst cases, a table."""

from medseg.evaluation.check_split import check_split
from medseg.evaluation.gallery import Gallery
from medseg.evaluation.out_of_fold import OutOfFold
from medseg.evaluation.overlays import Overlays
from medseg.evaluation.reader_scores import ReaderScores
from medseg.evaluation.score_cases import score_cases

__all__ = ["Gallery", "OutOfFold", "Overlays", "ReaderScores", "check_split", "score_cases"]
