"""Plausibility: whether an image and its result look like those of the training."""

from medseg.plausibility.appearance import has_appearance, measure_appearance, why_unlike
from medseg.plausibility.body_parts import are_far_apart
from medseg.plausibility.body_size import doubt_edges, judge_body, measure_body
from medseg.plausibility.compare import compare_class, compare_image, doubt_organ
from medseg.plausibility.content import why_no_content
from medseg.plausibility.extent import doubt_extent, why_impossible_extent
from medseg.plausibility.hounsfield import (
    doubt_hounsfield,
    is_scan_in_hounsfield,
    looks_like_hounsfield,
    why_not_hounsfield,
)
from medseg.plausibility.label_maps import describe_few_values, describe_label_map
from medseg.plausibility.lungs import lung_share
from medseg.plausibility.measure import measure_class, reaches_edge
from medseg.plausibility.posture import doubts_of_posture
from medseg.plausibility.trained_on import (
    TrainedOn,
    choose_cases,
    copy_trained_on,
    measure_case_image,
    measure_cases,
    merge_trained_on,
    path_beside,
    ranges_of,
    read_trained_on,
    why_not_compared,
    write_trained_on,
)

__all__ = [
    "TrainedOn",
    "are_far_apart",
    "choose_cases",
    "compare_class",
    "compare_image",
    "copy_trained_on",
    "describe_few_values",
    "describe_label_map",
    "doubt_edges",
    "doubt_extent",
    "doubt_hounsfield",
    "doubt_organ",
    "doubts_of_posture",
    "has_appearance",
    "is_scan_in_hounsfield",
    "judge_body",
    "looks_like_hounsfield",
    "lung_share",
    "measure_appearance",
    "measure_body",
    "measure_case_image",
    "measure_cases",
    "measure_class",
    "merge_trained_on",
    "path_beside",
    "ranges_of",
    "reaches_edge",
    "read_trained_on",
    "why_impossible_extent",
    "why_no_content",
    "why_not_compared",
    "why_not_hounsfield",
    "why_unlike",
    "write_trained_on",
]
