"""Tests of medseg.base.choices.rule."""

import math

import pytest

from medseg.base.arguments import is_count, is_text
from medseg.base.choices.rule import (
    LARGEST,
    allow_list,
    allow_null,
    allow_words,
    make_axes_rule,
    make_list_rule,
    make_range_rule,
    make_whole_rule,
    make_word_rule,
)

WHOLE = make_whole_rule(1)


@pytest.mark.parametrize("value", [1, 7, LARGEST])
def test_a_whole_number_from_the_least_to_the_largest_holds(value):
    assert WHOLE.holds(value)


@pytest.mark.parametrize("value", [0, LARGEST + 1, 1.0, True, "1", None, [1], math.inf, math.nan])
def test_nothing_else_is_a_whole_number(value):
    assert not WHOLE.holds(value)


def test_the_largest_number_is_said_only_where_it_was_exceeded():
    assert WHOLE.describe(0) == "a whole number of at least 1"
    assert WHOLE.describe(2**31) == "a whole number of at least 1, at most 2147483647"


def test_the_largest_number_is_said_of_a_list_too():
    sizes = make_axes_rule("sizes", lambda value: is_count(value, 1), LARGEST)
    either = allow_list("a size", lambda value: is_count(value, 1), most=LARGEST)
    for rule in (sizes, either):
        assert rule.describe([0, 8]) == rule.words
        assert rule.describe([8, 2**31]) == f"{rule.words}, at most 2147483647"
    assert either.describe(2**31) == "a size, or a list of such numbers, at most 2147483647"


def test_digits_that_are_no_plain_number_are_said_to_be_such():
    assert WHOLE.describe("0x10") == "a whole number of at least 1, in plain decimal digits"
    assert WHOLE.describe("ten") == "a whole number of at least 1"


def test_words_are_listed_with_or_before_the_last():
    rule = make_word_rule("mm", "cm", "m")
    assert rule.words == "mm, cm or m"
    assert make_word_rule("largest").words == "largest"
    assert rule.holds("cm")
    for value in ("CM", "", None, 1, ["cm"]):
        assert not rule.holds(value)


def test_null_is_allowed_beside_the_rule():
    rule = allow_null(WHOLE)
    assert rule.words == "a whole number of at least 1, or null"
    assert (rule.holds(None), rule.holds(1), rule.holds(0)) == (True, True, False)


def test_a_list_may_lie_in_a_list_where_that_is_meant():
    flat = allow_list("a whole number", lambda value: is_count(value, 1))
    nested = allow_list("a whole number", lambda value: is_count(value, 1), nested=True)
    for value in (3, [3, 3], (3, 3)):
        assert flat.holds(value)
    assert not flat.holds([[3, 3, 1], 3])
    assert nested.holds([[3, 3, 1], 3])
    assert not nested.holds([[[3]]])


def test_words_are_allowed_beside_a_list():
    rule = allow_words(("auto",), make_list_rule("texts", is_text))
    assert rule.words == "auto or a list of texts"
    assert rule.holds("auto")
    assert rule.holds(["a"])
    for value in ("a", [], [1], None):
        assert not rule.holds(value)


def test_a_range_is_two_finite_numbers():
    rule = make_range_rule("the lower first", lambda low, high: low < high)
    assert rule.holds([0, 1.5])
    for value in ([1, 0], [0], [0, 1, 2], [0, math.inf], "01", 1):
        assert not rule.holds(value)


def test_a_list_with_a_number_for_each_axis_says_so():
    rule = make_axes_rule("numbers", lambda value: value > 0)
    assert rule.per_axis
    assert rule.words == "a list of numbers, one for each axis"
    assert not WHOLE.per_axis
