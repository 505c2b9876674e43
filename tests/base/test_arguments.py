"""Argument checks."""

import math

import numpy as np
import pytest

from medseg.base.arguments import (
    LARGEST,
    check_choice,
    check_component_options,
    check_integers,
    check_probability,
    check_window,
    is_count,
    is_finite_number,
    is_integer,
    is_list_of,
    is_number,
    is_text,
    is_whole,
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
    with pytest.raises(
        ValueError, match="mode must be one of crop, blend, got 'blent': pass 'blend'"
    ):
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
    with pytest.raises(error, match=r"dropout must be .*in \[0, 1\), got"):
        check_probability("dropout", value)


def test_one_number_stands_for_every_axis():
    assert repeat_per_axis(3, 2, "halo") == (3, 3)
    assert repeat_per_axis([3, 4], 2, "halo") == (3, 4)
    with pytest.raises(ValueError, match=r"halo must have one entry for each axis \(3\), got"):
        repeat_per_axis([3, 4], 3, "halo")


def test_a_whole_number_has_bounds_and_a_count_is_at_most_the_largest():
    assert is_whole(3, 3, 3)
    assert is_whole(2**40, 0)
    assert not is_whole(2, 3)
    assert not is_whole(4, 3, 3)
    assert not is_whole(3.0, 0)
    assert is_count(LARGEST, 1)
    assert not is_count(LARGEST + 1, 1)


def test_a_list_has_enough_entries_of_one_kind_and_a_text_is_no_list():
    assert is_list_of((1, 2), is_integer)
    assert is_list_of([], is_integer, least=0)
    assert not is_list_of([], is_integer)
    assert not is_list_of([1, "2"], is_integer)
    assert not is_list_of("ab", is_text)


def test_a_text_is_not_empty():
    assert is_text("a")
    assert not is_text("")
    assert not is_text(1)


@pytest.mark.parametrize("given", [(0, None), (1, 0)])
def test_components_have_a_voxel_and_a_neighbour(given):
    check_component_options(1, None)
    with pytest.raises(
        ValueError, match=r"min_size must be 1 voxel or more .*: 1 and None keep every"
    ):
        check_component_options(*given)


def test_a_window_is_two_finite_numbers_in_order():
    assert check_window((-160, 240.0)) == (-160.0, 240.0)
    with pytest.raises(TypeError, match="window_hu must be two numbers"):
        check_window("ab")
    with pytest.raises(ValueError, match="low end below its high end"):
        check_window([0, math.inf])
