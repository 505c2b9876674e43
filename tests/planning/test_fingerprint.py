"""Tests of medseg.planning.fingerprint."""

from dataclasses import replace

import numpy as np
import pytest

from medseg.planning.case_facts import THUMBNAIL, CaseFacts, ChannelFacts
from medseg.planning.fingerprint import make_fingerprint

SIDE = THUMBNAIL


def place(axis, part):
    """A label that fills a part, from 0 to 1, of an axis."""
    grid = np.zeros((SIDE,) * 3, np.float32)
    first, last = (round(p * SIDE) for p in part)
    np.moveaxis(grid, axis, 0)[first:last] = 1
    return grid


def facts(case="a", **changes):
    made = CaseFacts(
        case=case,
        shape=(10, 20, 30),
        spacing_mm=(1.0, 1.0, 4.0),
        colours=1,
        counts={0: 5000, 1: 750, 2: 250},
        channels=(ChannelFacts(np.arange(201, dtype=np.float32)),),
        places={1: place(1, (0, 0.4)), 2: place(1, (0.6, 1))},
    )
    return replace(made, **changes)


def test_medians_shares_and_percentiles_are_those_of_all_cases():
    found = make_fingerprint(
        [facts("a"), facts("b", shape=(12, 20, 30)), facts("c", shape=(30, 10, 30))]
    )
    assert (found.cases, found.dimensions, found.shape) == (3, 3, (12, 20, 30))
    assert found.smallest_shape == (10, 10, 30)
    assert found.shares == {1: 0.75, 2: 0.25}
    (values,) = found.channels
    assert values.percentiles == pytest.approx((1, 100, 199))
    assert values.mean == pytest.approx(100)
    assert found.smallest_mm[2] == pytest.approx((250 * 4) ** (1 / 3))
    assert not found.spacing_varies


def test_spacing_that_differs_by_more_than_a_hundredth_varies():
    assert make_fingerprint([facts(), facts("b", spacing_mm=(1.0, 1.0, 4.1))]).spacing_varies
    same = make_fingerprint([facts(), facts("b", spacing_mm=(1.0, 1.0, 4.02))])
    assert not same.spacing_varies


def test_the_coarse_axis_has_its_tenth_percentile():
    cases = [facts(str(mm), spacing_mm=(1.0, 1.0, float(mm))) for mm in range(1, 12)]
    assert make_fingerprint(cases).coarse_mm == pytest.approx(2)


def test_an_axis_to_one_side_of_which_all_labels_lie_is_one_sided():
    two = [facts("a"), facts("b")]
    assert make_fingerprint(two).one_sided_axes == (1,)
    core = {1: place(0, (0.4, 0.6)), 2: place(2, (0.3, 0.7))}
    assert make_fingerprint([facts(places=core), facts("b", places=core)]).one_sided_axes == ()


def test_a_single_label_that_always_lies_on_one_side_makes_the_axis_one_sided():
    cases = [facts(case, counts={0: 10, 1: 5}, places={1: place(0, (0, 0.3))}) for case in "ab"]
    assert make_fingerprint(cases).one_sided_axes == (0,)


def test_labels_that_lie_on_either_side_in_other_cases_make_no_axis_one_sided():
    sides = [(0, 0.4), (0.6, 1)] * 2
    cases = [facts(str(n), places={1: place(1, side)}) for n, side in enumerate(sides)]
    assert make_fingerprint(cases).one_sided_axes == ()


def test_a_single_case_says_nothing_of_sides():
    assert make_fingerprint([facts()]).one_sided_axes == ()


def test_in_how_many_cases_a_label_is_counts():
    found = make_fingerprint([facts(), facts("b", counts={0: 10, 1: 4})])
    assert found.present == {1: 2, 2: 1}
    assert found.values == (0, 1, 2)


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        ([], "no case can be used"),
        (
            [facts(), facts("b", shape=(3, 4), spacing_mm=(1, 1), colours=3)],
            r"volumes in 1 case \(a\), pictures in colour in 1 case \(b\): convert them",
        ),
        (
            [facts(), facts("b", counts=dict.fromkeys(range(200), 5))],
            "200 different values, from 0 to 199, and that of case b alone 200, of 130 at most",
        ),
        ([facts(counts={0: 5}, places={})], "nothing but background|anything but background"),
    ],
)
def test_cases_that_make_no_dataset_are_refused(cases, words):
    with pytest.raises(ValueError, match=words):
        make_fingerprint(cases)


def channel(low, **more):
    return ChannelFacts(np.arange(low, low + 201, dtype=np.float32), **more)


def test_each_channel_has_the_values_of_the_cases_that_have_it():
    both = (channel(0, name="t1"), channel(1000, name="ct", is_ct=True))
    found = make_fingerprint([facts(channels=both), facts("b", channels=(None, both[1]))])
    first, second = found.channels
    assert (first.name, first.is_ct, first.cases) == ("t1", False, 1)
    assert (second.name, second.is_ct, second.cases) == ("ct", True, 2)
    assert second.percentiles == pytest.approx((1001, 1100, 1199))


def test_a_channel_without_any_value_within_labels_is_refused():
    nothing = (channel(0, name="t1"), ChannelFacts(name="t2"))
    with pytest.raises(ValueError, match="channel t2 is in no case that has a label"):
        make_fingerprint([facts(channels=nothing)])


def test_parts_are_counted_by_case_and_measured_together():
    cases = [facts("a", parts={1: (700, 30, 20)}), facts("b", parts={1: (740, 10), 2: (250,)})]
    found = make_fingerprint(cases)
    assert found.parts == {1: 2.5, 2: 1.0}
    assert found.part_mm == pytest.approx({1: (30 * 4) ** (1 / 3), 2: (250 * 4) ** (1 / 3)})
    assert found.anisotropy == 4


def test_declared_classes_are_counted_in_the_place_of_values():
    many = [facts(), facts("b", counts=dict.fromkeys(range(200), 5))]
    with pytest.raises(ValueError, match=r"^199 classes are declared, and a network has 129 at "):
        make_fingerprint(many, classes={f"s{n}": [n] for n in range(1, 200)})
    assert len(make_fingerprint(many, classes={"low": [*range(90)], "high": [91]}).values) == 200
