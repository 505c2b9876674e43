"""Tests of medseg.datasets.lidc.consensus."""

import numpy as np
import pytest

from medseg.datasets.lidc.consensus import (
    compute_dice,
    compute_pairwise_dice,
    find_consensus,
    run_staple,
)

_SHAPE = (6, 6, 6)


def _set(*voxels):
    return np.array(sorted(voxels), np.int64)


def _box(*slices):
    mask = np.zeros(_SHAPE, bool)
    mask[slices] = True
    return np.flatnonzero(mask)


@pytest.mark.parametrize(
    ("readers", "needed"),
    [(1, 1), (2, 1), (3, 2), (4, 2)],
)
def test_half_of_the_readers_of_a_nodule_suffice(readers, needed):
    drawn = [_set(*range(n, 10)) for n in range(readers)]  # voxel n is drawn by n + 1 readers
    assert find_consensus(drawn).tolist() == list(range(needed - 1, 10))


@pytest.mark.parametrize("agreement", [0.25, 0.5, 0.75, 1.0])
def test_the_share_of_four_readers_is_exact(agreement):
    drawn = [_set(*range(n, 4)) for n in range(4)]
    assert find_consensus(drawn, agreement=agreement).tolist() == list(
        range(int(4 * agreement) - 1, 4)
    )


def test_a_third_of_three_readers_is_one_in_spite_of_rounding():
    assert find_consensus([_set(1), _set(2), _set(3)], agreement=1 / 3).tolist() == [1, 2, 3]


def test_readers_who_never_meet_agree_on_nothing():
    assert find_consensus([_set(1), _set(2), _set(3)]).size == 0


@pytest.mark.parametrize("agreement", [0, -0.5, 1.01, float("nan")])
def test_an_agreement_out_of_range_is_refused(agreement):
    with pytest.raises(ValueError, match=r"agreement is .*: choose a share above 0"):
        find_consensus([_set(1)], agreement=agreement)


def test_staple_keeps_what_all_readers_drew_and_a_single_reader():
    box = _box(slice(1, 4), slice(1, 4), slice(1, 4))
    assert np.array_equal(run_staple([box] * 4, _SHAPE), box)
    assert np.array_equal(run_staple([box], _SHAPE), box)


def test_staple_trusts_three_who_agree_more_than_one_who_does_not():
    box = _box(slice(1, 4), slice(1, 4), slice(1, 4))
    odd = _box(slice(3, 6), slice(3, 6), slice(3, 6))  # reaches the border of the grid
    assert np.array_equal(run_staple([odd, box, box, box], _SHAPE), box)


def test_dice_is_twice_the_shared_over_the_sum():
    assert compute_dice(_set(1, 2, 3), _set(3, 4)) == pytest.approx(2 / 5)
    assert compute_dice(_set(1), _set(2)) == 0
    assert compute_dice(_set(1, 2), _set(1, 2)) == 1


def test_the_agreement_is_the_mean_over_pairs_and_none_for_one_reader():
    sets = [_set(1, 2), _set(1, 2), _set(2, 3)]
    assert compute_pairwise_dice(sets) == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert compute_pairwise_dice(sets[:1]) is None
