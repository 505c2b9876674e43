"""Argument checks."""

import math

import numpy as np
import pytest

from medseg.base.arguments import (
    check_choice,
    check_integers,
    check_probability,
    is_finite_number,
    is_integer,
    is_number,
    repeat_per_axis,
    require_bool,
)


@pytest.mark.parametrize("value", [True, False])
def test_a_bool_passes_as_it_is(value):
    assert require_bool(value, "resume") is value


@pytest.mark.parametrize("value", ["false", "true", 0, 1, None])
def test_what_only_looks_like_a_bool_is_refused_with_the_way_to_write_it(value):
    with pytest.raises(
        TypeError, match=r"resume must be True or False, got .*: pass --resume True"
    ):
        require_bool(value, "resume")


@pytest.mark.parametrize("value", [True, np.True_, "1", None, 1j])
def test_a_bool_and_a_text_are_no_numbers(value):
    assert not is_integer(value)
    assert not is_number(value)
    assert not is_finite_number(value)


@pytest.mark.parametrize("value", [0, -3, np.int64(2), np.uint8(2)])
def test_an_integer_is_a_finite_number(value):
    assert is_integer(value)
    assert is_number(value)
    assert is_finite_number(value)


@pytest.mark.parametrize("value", [math.inf, math.nan, np.float32("inf")])
def test_infinity_and_nan_are_numbers_that_are_not_finite(value):
    assert is_number(value)
    assert not is_finite_number(value)
    assert not is_integer(value)


def test_the_nearest_choice_is_the_remedy():
    check_choice("mode", "crop", ("crop", "blend"))
    with pytest.raises(ValueError, match="mode is one of crop, blend, got 'blent': pass 'blend'"):
        check_choice("mode", "blent", ("crop", "blend"))
    with pytest.raises(ValueError, match=r"got 0: choose one of them$"):
        check_choice("mode", 0, ("crop", "blend"))


@pytest.mark.parametrize("value", [0, [4, 0], 1.5, [True], "4", []])
def test_integers_below_the_least_and_other_values_are_refused(value):
    check_integers("size", [1, np.int64(4)], least=1, rule="sizes are positive")
    with pytest.raises(ValueError, match=r"sizes are positive, got size .*: pass whole numbers"):
        check_integers("size", value, least=1, rule="sizes are positive")


@pytest.mark.parametrize(
    ("value", "error"), [(1, ValueError), (math.nan, ValueError), ("0", TypeError)]
)
def test_a_probability_is_a_number_from_0_to_below_1(value, error):
    check_probability("dropout", 0.5)
    with pytest.raises(error, match=r"dropout is a .* in \[0, 1\), got"):
        check_probability("dropout", value)


def test_one_number_stands_for_every_axis():
    assert repeat_per_axis(3, 2, "halo") == (3, 3)
    assert repeat_per_axis([3, 4], 2, "halo") == (3, 4)
    with pytest.raises(ValueError, match="halo has one entry per axis, 3, got"):
        repeat_per_axis([3, 4], 3, "halo")
