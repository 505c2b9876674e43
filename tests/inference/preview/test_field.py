"""Tests of medseg.inference.preview.field: all of a plane, or what lies around a structure."""

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.inference.preview.field import LEAST_FIELD_MM, choose_field, measure_field, widen
from medseg.inference.preview.planes import Plane, Upright


def plane(where=None, *, shape=(200, 100, 10), spacing=(1.0, 2.0, 1.0)):
    label = np.zeros(shape, np.uint8)
    if where is not None:
        label[where] = 1
    grid = Geometry(shape, np.diag([*spacing, 1.0]))
    return Plane(Upright.turn(np.zeros(shape), label, grid), 2, 5)


def test_a_plane_without_a_structure_is_shown_whole():
    whole = plane()
    assert measure_field(whole, choose_field(whole)) == (200.0, 200.0)


def test_around_a_small_structure_at_least_40_mm_are_shown():
    small = plane(np.s_[100:104, 50:52, 5])  # 4 x 4 mm
    assert measure_field(small, choose_field(small)) == pytest.approx((LEAST_FIELD_MM,) * 2, abs=4)


def test_around_a_larger_one_half_as_much_again():
    large = plane(np.s_[40:140, 40:60, 5])  # 100 x 40 mm
    assert measure_field(large, choose_field(large)) == pytest.approx((150, 150), abs=4)


def test_a_part_is_widened_around_its_middle_and_ends_with_the_plane():
    assert widen(slice(4, 6), 20, 6.0) == slice(2, 8)
    assert widen(slice(18, 20), 20, 6.0) == slice(16, 20)
    assert widen(slice(2, 18), 20, 6.0) == slice(2, 18)
