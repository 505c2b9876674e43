"""Plausibility: whether an image, and what was found in it, are as those of the training were."""

from medseg.plausibility.hounsfield import is_scan_in_hounsfield, lung_share, why_not_hounsfield
from medseg.plausibility.label_maps import describe_label_map

__all__ = ["describe_label_map", "is_scan_in_hounsfield", "lung_share", "why_not_hounsfield"]
