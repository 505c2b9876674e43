"""Tests of medseg.report.followup.recist: each boundary of RECIST 1.1, met and just missed."""

from __future__ import annotations

import pytest

from medseg.report.followup.change import measure_change
from medseg.report.followup.match_lesions import Match, Outcome
from medseg.report.followup.recist import RULE, assess_response
from medseg.report.measure import Measurement


def lesion(number, long_axis, structure="tumour"):
    return Measurement(structure, 1, number, 10, 1.0, long_axis_mm=long_axis, perpendicular_mm=5.0)


def change(before=(), after=(), outcome=Outcome.PERSISTED, structure="tumour"):
    """The change of lesions with (number, long axis) before and after."""
    numbers = (tuple(number for number, _ in side) for side in (before, after))
    measured = ([lesion(*one, structure) for one in side] for side in (before, after))
    return measure_change(*measured, match=Match(structure, outcome, *numbers))


def persist(*pairs, structure="tumour"):
    """Lesions 1, 2, ... with long axes before and after; 0 after: it vanished."""
    return [
        change([(n, old)], [(n, new)] if new else [], structure=structure)
        if new
        else change([(n, old)], outcome=Outcome.VANISHED, structure=structure)
        for n, (old, new) in enumerate(pairs, start=1)
    ]


NEW = change(after=[(9, 6.0)], outcome=Outcome.NEW)


@pytest.mark.parametrize(
    ("pairs", "category"),
    [
        ([(50.0, 35.0)], "PR"),  # -30 % exactly
        ([(50.0, 35.1)], "SD"),
        ([(50.0, 60.0)], "PD"),  # +20 % and +10 mm
        ([(50.0, 59.9)], "SD"),
        ([(25.0, 30.0)], "PD"),  # +20 % and +5 mm, both exactly
        ([(24.9, 29.88)], "SD"),  # +20 %, but 4.98 mm
        ([(20.0, 24.9)], "SD"),  # +24.5 %, but 4.9 mm
        ([(20.0, 25.0)], "PD"),  # +5 mm exactly
        ([(30.0, 35.0)], "SD"),  # +5 mm, but 16.7 %
        ([(20.1, 14.07), (10.1, 7.07)], "PR"),  # -30 %, with sums that are not exact in binary
        ([(20.1, 24.12), (10.1, 12.12)], "PD"),
        ([(20.0, 20.0)], "SD"),
        ([(20.0, 0), (12.0, 0)], "CR"),
        ([(20.0, 0), (40.0, 40.0)], "PR"),
    ],
)
def test_the_category_by_the_sum(pairs, category):
    found = assess_response(persist(*pairs))
    assert found.category == category, found.reason
    assert found.sum_before_mm == pytest.approx(sum(old for old, _ in pairs))
    assert found.sum_after_mm == pytest.approx(sum(new for _, new in pairs))


@pytest.mark.parametrize("pairs", [[(50.0, 20.0)], [(50.0, 0)], [(50.0, 50.0)]])
def test_a_new_lesion_is_progression_whatever_the_sum(pairs):
    found = assess_response([*persist(*pairs), NEW])
    assert found.category == "PD"
    assert "1 new lesion: tumour (later 9)" in found.reason
    assert found.new_lesions == (("tumour", 9),)


def test_the_targets_are_the_two_longest_of_an_organ():
    found = assess_response(persist((12.0, 12.0), (30.0, 30.0), (9.0, 9.0), (20.0, 20.0)))
    assert [(one.lesion, one.long_axis_mm) for one in found.targets] == [(2, 30.0), (4, 20.0)]
    assert found.sum_before_mm == 50


def test_there_are_five_targets_at_most():
    changes = [
        one
        for k, organ in enumerate(("a", "b", "c"))
        for one in persist((30.0 - k, 30.0), (20.0 - k, 20.0), structure=organ)
    ]
    found = assess_response(changes)
    assert [(one.organ, one.lesion) for one in found.targets] == [
        *(("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2)),
    ]


def test_structures_of_one_organ_share_its_two_targets():
    organs = {"tumour": "Liver", "cyst": "Liver"}
    changes = [*persist((30.0, 30.0), (20.0, 20.0)), *persist((25.0, 25.0), structure="cyst")]
    found = assess_response(changes, organs=organs)
    assert [(one.structure, one.lesion) for one in found.targets] == [("tumour", 1), ("cyst", 1)]


@pytest.mark.parametrize(
    ("long_axis", "thickness", "is_target"),
    [
        (10.0, 1.0, True),
        (9.99, 1.0, False),
        (12.0, 5.0, True),
        (15.0, 8.0, False),
        (16.0, 8.0, True),
    ],
)
def test_a_target_has_10_mm_or_twice_the_thickness_of_thick_slices(long_axis, thickness, is_target):
    found = assess_response(persist((long_axis, 20.0)), slice_thickness_mm=thickness)
    assert bool(found.targets) is is_target
    assert (found.category is not None) is is_target


def test_without_a_target_there_is_no_category_and_a_reason():
    found = assess_response(persist((8.0, 20.0)))
    assert found.category is None
    assert "no lesion of the earlier study has a long axis of 10 mm or more" in found.reason
    assert (found.sum_before_mm, found.change_percent) == (None, None)


@pytest.mark.parametrize("changes", [[], [NEW]])
def test_without_a_lesion_before_there_is_no_category(changes):
    found = assess_response(changes)
    assert found.category is None
    assert found.reason.startswith("there is no lesion in the earlier study by which")
    assert found.reason.endswith(f"new lesions: {len(changes)}")


def test_without_the_size_of_a_target_there_is_no_category():
    outside = change([(1, 30.0)], outcome=Outcome.OUTSIDE)
    found = assess_response([outside, *persist((12.0, 12.0))])
    assert found.category is None
    assert "outside the later image" in found.reason
    assert assess_response([outside, NEW]).category == "PD"


def test_other_lesions_that_remain_make_a_complete_response_partial():
    found = assess_response(persist((30.0, 0), (20.0, 0), (8.0, 8.0)))
    assert found.category == "PR"
    assert "1 other remains" in found.reason
    assert assess_response(persist((30.0, 0), (20.0, 0), (8.0, 0))).category == "CR"


def test_the_parts_of_a_lesion_are_added_and_a_merged_one_counts_once():
    split = change([(1, 40.0)], [(1, 20.0), (2, 15.0)], Outcome.SPLIT)
    assert assess_response([split]).sum_after_mm == 35
    merged = change([(1, 20.0), (2, 18.0)], [(1, 41.0)], Outcome.MERGED)
    found = assess_response([merged])
    assert (found.sum_before_mm, found.sum_after_mm) == (38.0, 41.0)


def test_a_lesion_that_merged_with_a_target_is_measured_with_it_in_both_studies():
    others = [change([(n, size)], [(n, size)]) for n, size in ((1, 24.0), (2, 22.0))]
    bridge = change([(1, 24.0), (3, 20.0)], [(1, 45.0)], Outcome.MERGED)
    found = assess_response([bridge, others[1]])
    assert [one.lesion for one in found.targets] == [1, 2, 3]
    assert (found.sum_before_mm, found.sum_after_mm) == (66.0, 67.0)
    assert found.category == "SD"
    grown = change([(1, 24.0), (3, 20.0)], [(1, 58.0)], Outcome.MERGED)
    assert assess_response([grown, others[1]]).category == "PD"


def test_a_later_lesion_outside_the_earlier_image_leaves_only_a_progression():
    unknown = change(after=[(7, 40.0)], outcome=Outcome.OUTSIDE)
    for pairs in ([(20.0, 0)], [(20.0, 12.0)], [(20.0, 20.0)]):
        found = assess_response([*persist(*pairs), unknown])
        assert found.category is None
        assert "1 lesion of the later study outside the earlier image may be new" in found.reason
    assert assess_response([*persist((20.0, 30.0)), unknown]).category == "PD"


def test_with_a_doubt_of_the_patient_there_is_no_category():
    found = assess_response(persist((20.0, 30.0)), doubt="the IDs differ")
    assert found.category is None
    assert found.reason == "the IDs differ; if they are of one patient, pass --same-patient"


def test_the_rule_is_told_in_full():
    for words in ("30 %", "20 %", "5 mm", "10 mm", "nadir", "2 of an organ", "Lymph nodes"):
        assert words in RULE
    assert assess_response([]).rule == RULE
