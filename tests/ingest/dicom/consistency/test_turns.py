"""Tests of medseg.ingest.dicom.consistency.turns: what comes back again and again along a stack."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from medseg.ingest.dicom.consistency.turns import (
    are_alternating,
    are_interleaved,
    are_interleaved_counts,
    are_overlapping,
    are_strictly_alternating,
    count_blocks,
    find_places,
    is_monotone,
    is_zigzag,
)


def stack(thickness_mm=None, spacing_mm=None, *, step_mm=1.0):
    return [
        SimpleNamespace(
            position=np.array([0, 0, step_mm * k]),
            thickness_mm=thickness_mm,
            spacing_between_mm=spacing_mm,
        )
        for k in range(6)
    ]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [("abab", True), ("aabbaab", True), ("aabb", False), ("abcd", False), ("aaab", False)],
)
def test_each_of_several_kinds_comes_back(kinds, expected):
    assert are_alternating(kinds) is expected


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("ababab", True),
        ("abababa", True),
        ("abcabcabc", True),
        ("abcdabcdabcd", True),
        ("aabaabaab", True),
        ("ababa", True),  # three of one and two of the other
        ("abab", False),  # two rounds may be chance
        ("aabaab", False),
        ("ababba", False),
        ("aaaaaa", False),
        ("aaabbb", False),
        ("abcdef", False),
    ],
)
def test_a_strict_order_repeats_three_times(kinds, expected):
    assert are_strictly_alternating(kinds) is expected


@pytest.mark.parametrize(
    ("kinds", "places", "expected"),
    [
        ("abaab", (0, 1, 2, 4, 5), True),  # one of the second kind is missing
        ("aabaab", (0, 2, 3, 4, 6, 7), True),  # the second volume has two slices
        ("abbab", (0, 1, 2, 4, 5), False),
        ("ababab", (0, 1, 3, 4, 6, 7), True),  # not at half a step
        ("ababab", (0, 1, 5, 6, 10, 11), True),
        ("aabbab", (0, 1, 5, 6, 10, 11), False),
    ],
)
def test_turns_go_by_places_where_some_are_empty(kinds, places, expected):
    assert are_strictly_alternating(kinds, places) is expected


def test_places_are_counted_in_the_smallest_step():
    slices = [SimpleNamespace(position=np.array([0, 0, z])) for z in (0, 1.2, 2.5, 5.0, 6.2)]
    assert find_places(slices) == [0, 1, 2, 4, 5]


def test_numbers_that_jump_and_are_smooth_in_every_second_swing():
    assert is_zigzag([0, 400, 3, 403, 6, 406, 9, 409])
    assert not is_zigzag([0, 50, 100, 150, 200, 250, 300, 350])


def test_numbers_go_on_where_they_never_turn_back():
    assert is_monotone([1, 1, 2])
    assert is_monotone([3, 2, 2])
    assert not is_monotone([1, 2, 1])


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([1, 6, 2, 7, 3], True),
        ([1, 6, 2, 5, 3, 4], True),
        ([1, 4, 7, 2, 5, 8, 3, 6, 9], True),
        ([1, 2, 3, 1, 2, 3, 1, 2, 3], False),
        ([1, 5, 2, 6], False),  # four may be chance
        ([1, 5, 6, 2, 3, 4], False),
    ],
)
def test_numbers_count_by_turns_where_every_second_or_third_goes_on(numbers, expected):
    assert are_interleaved_counts(numbers) is expected


def test_runs_of_equal_values_are_blocks():
    assert (count_blocks("aabba"), count_blocks("a")) == (3, 1)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"thickness_mm": 2.0}, True),
        ({"thickness_mm": 1.0}, False),
        ({"spacing_mm": 2.0}, True),
        ({"thickness_mm": 0.8, "spacing_mm": 2.0}, True),
        ({"thickness_mm": 2.0, "spacing_mm": 1.0}, False),  # meant to overlap
        ({"thickness_mm": 2.0, "spacing_mm": 0.0}, True),
    ],
)
def test_slices_overlap_by_what_they_state_against_their_step(stated, expected):
    assert are_overlapping(stack(**stated), where_unstated=not expected) is expected


@pytest.mark.parametrize("answer", [True, False])
def test_slices_that_state_no_extent_overlap_as_asked_for(answer):
    assert are_overlapping(stack(), where_unstated=answer) is answer


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("121222", False),
        ("111212223233", False),
        ("123456", False),
        ("", False),
        ("1112111", True),
        ("1212", True),
        ("11221212", True),
    ],
)
def test_kinds_lie_among_each_other_where_they_share_more_than_their_edges(kinds, expected):
    assert are_interleaved(kinds) is expected
