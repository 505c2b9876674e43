"""Tests of medseg.planning.checks.channel_doubts: channels exchanged or alike, masks as images."""

import numpy as np

from medseg.planning.case_facts import CaseFacts, ChannelFacts
from medseg.planning.checks.channel_doubts import (
    find_exchanged_channels,
    find_masks_as_images,
    find_same_channels,
)


def make(*middles, levels=500):
    """Cases with channels of these median values, one row for each case."""
    return [
        CaseFacts(
            case=f"c{number}",
            shape=(8, 8, 8),
            spacing_mm=(1.0, 1.0, 1.0),
            colours=1,
            counts={0: 500, 1: 12},
            channels=tuple(
                None
                if m is None
                else ChannelFacts(np.float32([m - 1, m, m + 1]), name=f"t{n + 1}", levels=levels)
                for n, m in enumerate(row)
            ),
        )
        for number, row in enumerate(middles)
    ]


def test_channels_of_another_order_are_told_among_six_cases_of_any_scale():
    scales = [1, 40, 3, 0.5, 700]
    facts = make((20, 300), *[(400 * scale, 20 * scale) for scale in scales])
    ((case, said),) = find_exchanged_channels(facts)
    assert case == "c0"
    assert said.startswith(
        "channels t1 and t2 may be exchanged: median values within labels 20 and"
    )
    assert not list(find_exchanged_channels(make(*[(400 * s, 20 * s) for s in scales])))


def test_values_that_the_other_channel_has_are_told_among_three_cases():
    facts = make((100, 900), (103, 905), (902, 101))
    assert [case for case, _ in find_exchanged_channels(facts)] == ["c2"]


def test_channels_without_a_usual_order_are_not_told():
    assert not list(find_exchanged_channels(make(*[(9, 5), (5, 9)] * 4)))
    assert not list(find_exchanged_channels(make((5, 9), (9, 5))))
    assert not list(find_exchanged_channels(make(*[(100, 110)] * 6, (112, 100))))
    assert not list(find_exchanged_channels(make(*[(None, 9)] * 6)))


def test_the_same_channel_twice_is_said_once_for_all_or_of_its_case(caplog):
    assert not list(find_same_channels(make((5, 9), (6, 6.5))))
    ((case, said),) = find_same_channels(make((5, 9), (6, 6), (None, 7)))
    assert (case, said) == ("c1", "channels t1 and t2 have the same values")
    assert not caplog.text
    assert not list(find_same_channels(make((5, 5), (6, 6), (None, 7))))
    assert "channels t1 and t2 have the same values in all of 2 cases: leave one" in caplog.text


def test_an_image_of_as_few_values_as_a_mask_is_told():
    facts = [*make((5,), (6,)), *make((7,), levels=3)]
    ((case, said),) = find_masks_as_images(facts)
    assert (case, said) == (
        "c0",
        "t1: the image has 3 different values, others 500: it may be a mask",
    )
    assert not list(find_masks_as_images(make((5,), (6,), levels=3)))
