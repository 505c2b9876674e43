"""Tests of medseg.report.lesions: the largest piece is the first."""

import numpy as np

from medseg.report.lesions import number_lesions


def test_pieces_are_numbered_from_the_largest_and_the_first_of_one_size_is_first():
    row = np.array([1, 0, 1, 1, 1, 0, 1, 0, 1, 1], bool)[:, None, None]
    pieces, count = number_lesions(row)
    assert count == 4
    assert pieces.ravel().tolist() == [3, 0, 1, 1, 1, 0, 4, 0, 2, 2]


def test_pieces_that_touch_at_a_corner_are_one():
    mask = np.zeros((2, 2, 2), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert number_lesions(mask)[1] == 1


def test_an_empty_mask_has_no_piece():
    pieces, count = number_lesions(np.zeros((3, 3, 3), bool))
    assert count == 0
    assert not pieces.any()
