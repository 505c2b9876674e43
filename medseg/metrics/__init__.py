"""Metrics: per-case scores in physical units, as a table."""

from medseg.metrics.case import CaseMetrics, score_case

__all__ = ["CaseMetrics", "score_case"]
