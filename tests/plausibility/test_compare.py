"""Tests of medseg.plausibility.compare: margins grow with the variety of the training."""

import pytest

from medseg.plausibility import compare_class, compare_image


@pytest.mark.parametrize(
    ("longest", "refused", "warned"),
    [
        # trained on 50 to 60 mm: half more is a warning, three times as much a refusal
        (50, False, False),
        (89, False, False),
        (91, False, True),
        (179, False, True),
        (181, True, False),
        (34, False, False),
        (33, False, True),
        (16, True, False),
    ],
)
def test_sizes_are_compared_as_ratios(longest, refused, warned):
    refusals, warnings = compare_image({"longest_mm": longest}, {"longest_mm": [50, 60]})
    assert (bool(refusals), bool(warnings)) == (refused, warned)


@pytest.mark.parametrize(
    ("longest", "voxel", "is_refused"),
    [
        (130, 2.2, True),  # both more than twice as large
        (20, 0.4, True),
        (130, 1.0, False),
        (60, 3.0, False),  # coarse
        (20, 1.0, False),  # a crop
        (20, 3.0, False),  # a coarse crop
        (115, 1.9, False),
    ],
)
def test_image_and_voxels_both_too_large_are_sizes_in_another_unit(longest, voxel, is_refused):
    measured = {"longest_mm": longest, "voxel_mm": voxel}
    refusals, _ = compare_image(measured, {"longest_mm": [50, 60], "voxel_mm": [1, 1]})
    assert [each.startswith("its sizes are likely") for each in refusals] == [True] * is_refused


def test_whole_numbers_below_zero_are_refused_where_training_had_none():
    for value, refused, warned in ((0.37, 1, 0), (0.07, 0, 1), (0.01, 0, 0)):
        found = compare_image({"negative": value}, {"negative": [0, 0]})
        assert [len(each) for each in found] == [refused, warned]
    assert compare_image({"negative": 0.4}, {"negative": [0, 0.45]}) == ([], [])


def test_a_place_in_a_volume_is_said_in_the_directions_of_the_patient():
    measured = {"volume_ml": 1.0, "place_1": 0.1, "place_2": 0.9, "place_3": 0.76}
    ranges = {"place_1": [0.4, 0.5], "place_2": [0.4, 0.5], "place_3": [0.278, 0.479]}
    end = "training 0.40 to 0.50)"
    first, second, third = compare_class("anterior", measured, ranges)
    assert first.startswith("anterior lies farther to the patient's left in the image than in any")
    assert first.endswith(f"training case (0.10 of the width; {end}")
    assert "lies farther to the front" in second
    assert third == (
        "anterior lies higher in the image than in any training case (0.76 of the height; training "
        "0.28 to 0.48)"
    )
    of_picture = compare_class("nucleus", {"share": 0.1, "place_1": 0.1}, ranges)
    assert "centre along the first axis" in of_picture[0]


def test_the_margin_is_a_part_of_the_range_where_that_is_more():
    """A quarter of 400 HU is 100 HU, of 40 HU the least margin of 75 HU."""
    for ranges, value, warned in (([0, 400], 499, False), ([0, 400], 501, True), ([0, 40], 116, 1)):
        assert bool(compare_image({"body_hu": value}, {"body_hu": ranges})[1]) == bool(warned)


def test_quantities_that_one_side_lacks_or_nobody_knows_are_left_out():
    assert compare_image({"longest_mm": 1e6}, {"body_hu": [0, 1], "other": [0, 1]}) == ([], [])


def test_a_volume_is_told_with_the_range_of_training():
    ranges = {"share": [0.1, 0.2], "volume_ml": [900, 2400]}
    assert compare_class("liver", {"share": 0.1, "volume_ml": 130}, ranges) == [
        "liver: the volume is 130 mL, in training it was 900 to 2400 mL"
    ]
    assert compare_class("liver", {"share": 0.1, "volume_ml": 650}, ranges) == []


def test_a_class_that_is_cut_off_may_be_small_and_anywhere_but_not_large():
    ranges = {"volume_ml": [900, 2400], "place_1": [0.6, 0.7]}
    assert compare_class("liver", {"volume_ml": 130, "place_1": 0.1}, ranges, is_cut=True) == []
    assert compare_class("liver", {"volume_ml": 9000}, ranges, is_cut=True)


def test_an_empty_result_is_told_only_where_no_training_case_was_empty():
    empty = {"share": 0.0, "volume_ml": 0.0}
    told = ["liver: nothing was found, but every training case had some"]
    assert compare_class("liver", empty, {"share": [0.01, 0.2]}) == told
    assert compare_class("tumour", empty, {"share": [0.0, 0.2], "volume_ml": [0.0, 9.0]}) == []


def test_a_class_that_may_be_empty_has_no_least_volume():
    ranges = {"share": [0.0, 0.2], "volume_ml": [0.0, 100.0]}
    assert compare_class("tumour", {"share": 0.1, "volume_ml": 0.01}, ranges) == []
    assert compare_class("tumour", {"share": 0.1, "volume_ml": 151}, ranges)
