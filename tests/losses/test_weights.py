"""Tests of medseg.losses.weights: as many weights as heads, or a refusal."""

import math

import pytest

from medseg.losses import head_weights
from medseg.networks import NestedUNet


def network(*, deep_supervision=True, topology="unet_plusplus"):
    options = {"deep_supervision": deep_supervision, "topology": topology}
    return NestedUNet(2, 1, 1, channels=(2, 3, 4), **options)


def test_one_weight_per_head_is_kept_in_order():
    assert head_weights([1, 0.5], network()) == [1.0, 0.5]
    assert head_weights([0, 1], network()) == [0.0, 1.0]


@pytest.mark.parametrize("topology", ["unet", "unet_plusplus"])
def test_without_deep_supervision_no_weight_counts(topology):
    assert head_weights([1.0] * 4, network(deep_supervision=False, topology=topology)) == [1.0]


@pytest.mark.parametrize("weights", [[], [1.0], [1.0] * 3])
def test_another_number_of_weights_than_heads_is_refused(weights):
    message = rf"one weight per head, got {len(weights)} for 2 heads: pass 2.* \[1.0, 1.0\]"
    with pytest.raises(ValueError, match=message) as caught:
        head_weights(weights, network())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", [[1, -1], [0, 0], [1, math.inf], [math.nan, 1]])
def test_weights_out_of_range_are_refused(weights):
    with pytest.raises(ValueError, match="not negative, finite and not all 0"):
        head_weights(weights, network())


@pytest.mark.parametrize("weights", [1.0, "[1, 1]", ["1", "1"], [True, True], None])
def test_what_is_no_list_of_numbers_is_refused(weights):
    with pytest.raises(TypeError, match="head_weights must be a list of numbers, got"):
        head_weights(weights, network())
