"""Plausibility: whether an image and its result look like those of the training."""

from medseg.plausibility.appearance import explain_unlikeness, has_appearance, measure_appearance
from medseg.plausibility.body_parts import are_far_apart
from medseg.plausibility.body_size import describe_edge_doubts, judge_body, measure_body
from medseg.plausibility.compare import compare_class, compare_image, describe_organ_doubts
from medseg.plausibility.content import explain_no_content
from medseg.plausibility.extent import describe_extent_doubts, explain_impossible_extent
from medseg.plausibility.hounsfield import (
    describe_hounsfield_doubts,
    explain_not_hounsfield,
    is_scan_in_hounsfield,
    looks_like_hounsfield,
)
from medseg.plausibility.label_maps import describe_few_values, describe_label_map
from medseg.plausibility.lungs import measure_lung_share
from medseg.plausibility.measure import (
    measure_class,
    measure_share_beside_largest,
    reaches_edge,
)
from medseg.plausibility.measure_cases import (
    choose_cases,
    keep_first_channel,
    measure_case_image,
    measure_cases,
    merge_trained_on,
)
from medseg.plausibility.posture import describe_posture_doubts
from medseg.plausibility.settings import (
    check_settings,
    choose_settings,
    compare_settings,
    list_other_settings,
)
from medseg.plausibility.trained_on import (
    TrainedOn,
    carry_trained_on,
    copy_trained_on,
    explain_not_compared,
    explain_not_used,
    find_path_beside,
    read_ranges,
    read_trained_on,
    write_trained_on,
)

__all__ = [
    "TrainedOn",
    "are_far_apart",
    "carry_trained_on",
    "check_settings",
    "choose_cases",
    "choose_settings",
    "compare_class",
    "compare_image",
    "compare_settings",
    "copy_trained_on",
    "describe_edge_doubts",
    "describe_extent_doubts",
    "describe_few_values",
    "describe_hounsfield_doubts",
    "describe_label_map",
    "describe_organ_doubts",
    "describe_posture_doubts",
    "explain_impossible_extent",
    "explain_no_content",
    "explain_not_compared",
    "explain_not_hounsfield",
    "explain_not_used",
    "explain_unlikeness",
    "find_path_beside",
    "has_appearance",
    "is_scan_in_hounsfield",
    "judge_body",
    "keep_first_channel",
    "list_other_settings",
    "looks_like_hounsfield",
    "measure_appearance",
    "measure_body",
    "measure_case_image",
    "measure_cases",
    "measure_class",
    "measure_lung_share",
    "measure_share_beside_largest",
    "merge_trained_on",
    "reaches_edge",
    "read_ranges",
    "read_trained_on",
    "write_trained_on",
]
