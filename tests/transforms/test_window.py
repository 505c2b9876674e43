"""Tests of medseg.transforms.window: a window has a low end below a high end."""

import math

import pytest

from medseg.transforms import window


@pytest.mark.parametrize("given", [[-160, 240], (-160, 240.0)])
def test_the_ends_of_a_window_are_its_numbers(given):
    assert window(given) == (-160.0, 240.0)


@pytest.mark.parametrize(
    "given", [[240, -160], [0, 0], [0, math.inf], [-math.inf, 0], [math.nan, 1], [0, math.nan]]
)
def test_a_low_end_that_is_not_below_the_high_end_is_refused(given):
    with pytest.raises(ValueError, match=r"low end below its high end, got .*: pass for") as caught:
        window(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [240, "[0, 1]", [0], [0, 1, 2], ["0", "1"], [False, True], None])
def test_what_is_not_two_numbers_is_refused(given):
    with pytest.raises(TypeError, match="window_hu must be two numbers, low and high"):
        window(given)
