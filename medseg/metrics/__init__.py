"""Metrics: scores per case, object, lesion and set, in physical units, as tables."""

from medseg.metrics.case_metrics import CaseMetrics, MeanCaseDice
from medseg.metrics.confusion import ConfusionMatrix
from medseg.metrics.lesions import Lesion, find_lesions, score_lesions
from medseg.metrics.objects import ObjectMatches, match_objects
from medseg.metrics.scores import score_case

__all__ = [
    "CaseMetrics",
    "ConfusionMatrix",
    "Lesion",
    "MeanCaseDice",
    "ObjectMatches",
    "find_lesions",
    "match_objects",
    "score_case",
    "score_lesions",
]
