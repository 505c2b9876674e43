"""Tests of medseg.datasets.own.structures.overlaps: counts equal those of whole arrays."""

import numpy as np
import pytest

from medseg.datasets.own.structures.overlaps import Mask, Overlaps, sort_by_size


def draw(*spans, shape=(12, 10)):
    mask = np.zeros(shape, np.bool_)
    mask[tuple(slice(*span) for span in spans)] = True
    return mask


def test_cropped_masks_share_and_join_as_whole_ones_do():
    random = np.random.default_rng(0)
    for _ in range(20):
        whole = [np.zeros((9, 8, 7), np.bool_) for _ in range(2)]
        for mask in whole:
            start = random.integers(0, 5, 3)
            box = tuple(slice(s, s + 3) for s in start)
            mask[box] = random.random(mask[box].shape) > 0.4
        a, b = map(Mask.crop, whole)
        assert a.count_shared(b) == np.count_nonzero(whole[0] & whole[1])
        both = a.join(b)
        joined = np.zeros((9, 8, 7), np.bool_)
        joined[both.box] = both.inside
        np.testing.assert_array_equal(joined, whole[0] | whole[1])


def test_an_empty_mask_shares_nothing_and_adds_nothing():
    empty, other = Mask.crop(draw((0, 0), (0, 0))), Mask.crop(draw((1, 3), (2, 4)))
    assert (empty.voxels, empty.count_shared(other)) == (0, 0)
    assert empty.join(other) is other
    assert other.join(empty) is other


def test_what_lies_within_another_is_told_over_all_cases():
    overlaps = Overlaps()
    large, small = Mask.crop(draw((0, 6), (0, 6))), Mask.crop(draw((1, 3), (1, 3)))
    overlaps.add({"liver": large, "tumour": small})
    overlaps.add({"liver": large})
    assert overlaps.list_within("liver", least=0.99) == ["tumour"]
    assert overlaps.list_within("tumour", least=0.99) == []
    assert overlaps.find_mean_dice() == {("liver", "tumour"): pytest.approx(2 * 4 / 40)}
    assert sort_by_size(overlaps.voxels) == ["liver", "tumour"]
    overlaps.add({"tumour": small})  # a case whose liver is missing
    assert overlaps.list_within("liver", least=0.99) == []


def test_of_two_equal_ones_one_lies_within_the_other():
    overlaps = Overlaps()
    overlaps.add({"a": Mask.crop(draw((0, 2), (0, 2))), "b": Mask.crop(draw((0, 2), (0, 2)))})
    assert (overlaps.list_within("a", least=1), overlaps.list_within("b", least=1)) == (["b"], [])
