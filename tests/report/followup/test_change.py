"""Tests of medseg.report.followup.change: sizes, percentages and doubling times on paper."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest

from medseg.report.followup.change import Change, make_letters, measure_change
from medseg.report.followup.match_lesions import Match, Outcome
from medseg.report.measure import Measurement

DAYS = (date(2026, 1, 1), date(2026, 4, 1))  # 90 days


def lesion(volume, long_axis=None, short_axis=None, number=1, voxels=10, **more):
    return Measurement(
        "tumour",
        1,
        number,
        voxels,
        volume,
        long_axis_mm=long_axis,
        perpendicular_mm=short_axis,
        **more,
    )


def test_a_size_has_its_change_and_its_percentage():
    found = Change(20.0, 15.0)
    assert (found.absolute, found.percent) == (-5.0, -25.0)


@pytest.mark.parametrize(("before", "after"), [(0.0, 5.0), (None, 5.0)])
def test_of_nothing_there_is_no_percentage(before, after):
    assert Change(before, after).percent is None


def test_volume_and_axes_of_a_lesion_that_persisted():
    match = Match("tumour", Outcome.PERSISTED, (1,), (1,), "overlap", 1.0, 0.0)
    found = measure_change([lesion(2.0, 20.0, 10.0)], [lesion(4.0, 25.0, 9.0)], match=match)
    assert found.volume_ml.percent == pytest.approx(100)
    assert found.long_axis_mm.absolute == pytest.approx(5)
    assert found.short_axis_mm.percent == pytest.approx(-10)


@pytest.mark.parametrize(
    ("after", "days"),
    [(4.0, 90.0), (8.0, 45.0), (1.0, -90.0), (2 * 2**0.5, 180.0)],
    ids=["doubled", "fourfold", "halved", "half a doubling"],
)
def test_the_doubling_time(after, days):
    found = measure_change([lesion(2.0)], [lesion(after)], match=None, dates=DAYS)
    assert found.doubling_days == pytest.approx(days)


@pytest.mark.parametrize(
    ("volumes", "dates", "why"),
    [
        ((2.0, 4.0), (DAYS[0], None), "dates of both studies are not known"),
        ((2.0, 4.0), (DAYS[0], DAYS[0]), "not of a later day"),
        ((2.0, 2.0), DAYS, "the volume is the same"),
        ((2.0, 2.0000001), DAYS, "to less than a voxel"),
    ],
)
def test_without_a_doubling_time_there_is_a_reason(volumes, dates, why):
    before, after = ([lesion(volume)] for volume in volumes)
    found = measure_change(before, after, match=None, dates=dates)
    assert found.doubling_days is None
    assert why in found.reasons["doubling_days"]


def test_a_change_of_one_voxel_is_a_change():
    before, after = lesion(2.0, voxels=20), lesion(2.1, voxels=21)
    found = measure_change([before], [after], match=None, dates=DAYS)
    assert found.doubling_days == pytest.approx(90 / math.log2(1.05))


def test_lesions_are_named_by_a_letter_and_by_their_numbers():
    match = Match("tumour", Outcome.MERGED, (1, 3), (2,), "overlap", 1.0, 0.0)
    found = measure_change([lesion(2.0), lesion(1.0, number=3)], [lesion(4.0)], match=match)
    assert replace(found, letter="B").label == "tumour B (earlier 1+3, later 2)"
    new = measure_change([], [lesion(1.0)], match=Match("tumour", Outcome.NEW, (), (3,)))
    assert new.label == "tumour (later 3)"
    assert measure_change([lesion(2.0)], [lesion(4.0)], match=None).label == "tumour"


def test_a_lesion_that_is_absent_has_the_size_0():
    new = Match("tumour", Outcome.NEW, (), (1,))
    found = measure_change([], [lesion(4.0, 25.0, 9.0)], match=new, dates=DAYS)
    assert (found.volume_ml.before, found.volume_ml.absolute) == (0, 4.0)
    assert found.volume_ml.percent is None
    assert "0 in the earlier study" in found.reasons["volume_ml"]
    gone = Match("tumour", Outcome.VANISHED, (1,), ())
    found = measure_change([lesion(4.0, 25.0, 9.0)], [], match=gone, dates=DAYS)
    assert found.long_axis_mm.percent == -100
    assert found.doubling_days is None


def test_a_lesion_outside_the_other_image_has_no_size_there():
    outside = Match("tumour", Outcome.OUTSIDE, (1,), ())
    found = measure_change([lesion(4.0, 25.0, 9.0)], [], match=outside)
    assert (found.volume_ml.after, found.long_axis_mm.absolute) == (None, None)
    assert "outside the other image" in found.reasons["long_axis_mm"]


def test_the_sizes_of_several_lesions_are_added():
    match = Match("tumour", Outcome.SPLIT, (1,), (1, 2), "overlap", 1.0, 0.0)
    parts = [lesion(1.0, 11.0, 5.0), lesion(0.5, 9.0, 4.0, number=2)]
    found = measure_change([lesion(4.0, 25.0, 9.0)], parts, match=match)
    assert found.volume_ml.after == 1.5
    assert found.long_axis_mm.after == 20.0
    assert found.short_axis_mm.after == 9.0


def test_what_could_not_be_measured_keeps_its_reason():
    sheared = lesion(4.0, reasons={"long_axis_mm": "sheared", "perpendicular_mm": "sheared"})
    found = measure_change([lesion(4.0, 25.0, 9.0)], [sheared], match=None)
    assert found.long_axis_mm.after is None
    assert found.reasons["long_axis_mm"] == found.reasons["short_axis_mm"] == "sheared"


def test_a_structure_without_a_voxel_has_the_length_0():
    found = measure_change([lesion(4.0, 25.0, 9.0)], [lesion(0.0, voxels=0)], match=None)
    assert found.long_axis_mm.percent == -100


def test_nothing_on_both_sides_is_refused():
    with pytest.raises(ValueError, match="on one side at least"):
        measure_change([], [], match=None)


def test_no_two_lesions_have_the_same_letters():
    made = [make_letters(number) for number in range(1000)]
    assert len(set(made)) == 1000
    assert (made[0], made[25], made[26], made[701], made[702]) == ("A", "Z", "AA", "ZZ", "AAA")
