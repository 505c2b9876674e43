"""Tests of medseg.planning.checks.doubts: what is odd about a case is said, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from medseg.planning.case_facts import THUMBNAIL, CaseFacts, ChannelFacts
from medseg.planning.checks.doubts import find_doubts, warn_of_few


def place(start):
    found = np.zeros((THUMBNAIL,) * 3, np.float32)
    found[start : start + 5, 5:12, 3:9] = 1
    return found


def values(numbers):
    """A channel that has these values within labels."""
    return ChannelFacts(np.asarray(numbers, np.float32))


def make_facts(number=20):
    """Cases that differ a little; label 1 lies at one end and label 2 at the other."""
    random = np.random.default_rng(0)
    return [
        CaseFacts(
            case=f"c{n}",
            shape=(40, 50, 30 + n % 3),
            spacing_mm=(1.0, 1.0, 2.0 + 0.01 * (n % 4)),
            colours=1,
            counts={0: 50_000, 1: int(random.normal(900, 40)), 2: 700},
            channels=(values(random.normal(100, 10, 500)),),
            places={1: place(2), 2: place(17)},
        )
        for n in range(number)
    ]


def doubts_of(**changes):
    """What is said of a case with these changes among 20."""
    facts = make_facts()
    facts[7] = replace(facts[7], **changes)
    found = find_doubts(facts)
    assert {one.case for one in found} <= {"c7"}
    return [one.finding for one in found]


def test_cases_that_differ_a_little_are_not_odd():
    assert doubts_of() == []


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"spacing_mm": (1.0, 1.0, 6.0)}, "voxel of 6 mm3, median 2.0"),
        ({"shape": (40, 50, 3)}, "image of 6000 voxels, median 62000"),
        ({"counts": {1: 9000, 2: 700}}, "label 1 has 18.3 mL, median 1.8"),
        ({"counts": {1: 900}}, "has no label 2, as 19 others have"),
        ({"channels": (values(np.full(500, 900)),)}, "median value within labels 900, of the"),
        ({"places": {1: place(17), 2: place(2)}}, "better with right and left exchanged"),
    ],
)
def test_what_is_far_from_the_others_is_said_with_its_numbers(changes, finding):
    said = doubts_of(**changes)
    assert any(finding in one for one in said), said


def test_labels_that_lie_far_from_the_others_are_said_and_those_a_little_off_are_not():
    (said,) = doubts_of(places={1: place(6), 2: place(19)})
    assert said == (
        "its labels are shifted by 12 % of the image to the right or left, compared with the other "
        "cases"
    )
    assert doubts_of(places={1: place(3), 2: place(18)}) == []


def test_the_size_of_a_label_in_pictures_is_told_in_pixels():
    facts = [
        CaseFacts(f"c{n}", (64, 64), (1, 1), 1, {0: 2896, 1: 1200 if n else 2}) for n in range(8)
    ]
    assert "label 1 has 2 pixels, median 1200" in [doubt.finding for doubt in find_doubts(facts)]


def test_labels_that_lie_anywhere_are_neither_shifted_nor_mirrored():
    random = np.random.default_rng(3)
    facts = [replace(one, places={1: place(int(random.integers(0, 19)))}) for one in make_facts()]
    assert find_doubts(facts) == []


def test_an_image_of_a_single_value_is_odd_among_few_cases_too():
    facts = make_facts(3)
    facts[1] = replace(facts[1], channels=(ChannelFacts(is_constant=True, name="t1"),))
    (doubt,) = find_doubts(facts)
    assert (doubt.case, doubt.finding) == ("c1", "t1: the whole image has one value")


def test_one_image_of_other_values_is_odd_among_ten():
    facts = make_facts(10)
    facts[7] = replace(facts[7], channels=(values(np.full(500, 9e4)),))
    (doubt,) = find_doubts(facts)
    assert (doubt.case, doubt.finding[:28]) == ("c7", "median value within labels 9")


def test_images_of_several_scales_are_not_odd():
    facts = make_facts()
    for number in (3, 5, 8):
        facts[number] = replace(facts[number], channels=(values(np.full(500, 9e4)),))
    assert find_doubts(facts) == []


@pytest.mark.parametrize("scale", [1000, 0.001, -10])
def test_an_image_that_is_far_off_is_odd_among_images_of_several_scales_too(scale):
    facts = make_facts()
    for number, factor in {3: 2, 5: 2.5, 8: 0.4, 11: 3, 7: scale}.items():
        facts[number] = replace(facts[number], channels=(values(np.full(500, 100 * factor)),))
    (doubt,) = find_doubts(facts)
    assert doubt.case == "c7"
    assert doubt.finding.startswith(f"median value within labels {100 * scale:.4g}, of the others")


def test_a_trivial_difference_of_values_is_not_odd_however_alike_the_others_are():
    facts = [replace(one, channels=(values(np.full(500, 163.3)),)) for one in make_facts()]
    facts[7] = replace(facts[7], channels=(values(np.full(500, 162.7)),))
    assert find_doubts(facts) == []


def test_a_label_that_many_lack_is_not_missed():
    facts = [replace(one, counts={1: 900}) if n % 2 else one for n, one in enumerate(make_facts())]
    assert not [one for one in find_doubts(facts) if "has no label" in one.finding]


def test_of_few_cases_none_is_told_from_the_others_and_a_line_says_so(caplog):
    facts = make_facts(6)
    facts[0] = replace(facts[0], spacing_mm=(9.0, 9.0, 9.0))
    assert find_doubts(facts) == []
    warn_of_few(facts)
    assert "6 cases: sizes, values and places of labels are compared from 8 on" in caplog.text
    caplog.clear()
    warn_of_few(make_facts(8))
    assert not caplog.text


@pytest.mark.parametrize("number", [3, 6, 20])
def test_a_label_larger_than_the_background_may_be_inverted(number):
    facts = make_facts(number)
    facts[2] = replace(facts[2], counts={0: 900, 1: 50_000}, sides_touched=6)
    (said,) = [one for one in find_doubts(facts) if "inverted" in one.finding]
    assert said.case == "c2"
    assert said.finding.startswith("its labels are larger than the background (98% of the image, ")
    assert not [one for one in find_doubts(facts[2:3] * number) if "inverted" in one.finding]


def test_labels_at_all_borders_are_told_where_those_of_others_touch_none():
    facts = make_facts(6)
    facts[2] = replace(facts[2], sides_touched=6)
    (said,) = find_doubts(facts)
    assert (said.case, said.finding[:39]) == ("c2", "its labels touch all borders of the ima")
    facts[:2] = [replace(one, sides_touched=5) for one in facts[:2]]
    facts[3:] = [replace(one, sides_touched=1) for one in facts[3:]]
    assert find_doubts(facts) == []


def test_odd_values_of_a_channel_name_it():
    facts = make_facts()
    facts = [replace(one, channels=(None, replace(one.channels[0], name="t1"))) for one in facts]
    odd = ChannelFacts(np.full(500, 900, np.float32), name="t1")
    facts[7] = replace(facts[7], channels=(None, odd))
    (doubt,) = find_doubts(facts)
    assert doubt.finding.startswith("t1: median value within labels 900, of the others ")


def make_channels(facts, *middles):
    """The same cases with channels of these values, in each case a little others."""
    random = np.random.default_rng(1)
    return [
        replace(
            one,
            channels=tuple(
                ChannelFacts(random.normal(m, 5, 50).astype(np.float32), name=f"c{n}")
                for n, m in enumerate(middles)
            ),
        )
        for one in facts
    ]


def test_channels_in_another_order_than_those_of_the_others_are_told():
    facts = make_channels(make_facts(), 100, 300, 900)
    first, second, third = facts[7].channels
    swapped = (replace(first, name="c1"), replace(second, name="c0"))[::-1]
    facts[7] = replace(facts[7], channels=(*swapped, third))
    (said,) = [one for one in find_doubts(facts) if "exchanged" in one.finding]
    assert said.case == "c7"
    assert said.finding.startswith("channels c0 and c1 may be exchanged: median values within")


def test_channels_of_like_values_and_missing_ones_are_not_told_as_exchanged():
    facts = make_channels(make_facts(), 100, 100)
    facts[3] = replace(facts[3], channels=(None, facts[3].channels[1]))
    assert not [one for one in find_doubts(facts) if "exchanged" in one.finding]
    assert find_doubts(make_channels(make_facts(), 100)) == []
