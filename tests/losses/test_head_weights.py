"""Tests of medseg.losses.head_weights: as many weights as heads, or a refusal."""

import json
import math

import pytest

from medseg.losses import check_head_weights, make_head_weights
from medseg.networks import NestedUNet


def network(*, deep_supervision=True, topology="unet_plusplus", channels=(2, 3, 4)):
    options = {"deep_supervision": deep_supervision, "topology": topology}
    return NestedUNet(2, 1, 1, channels=channels, **options)


def test_one_weight_per_head_is_kept_in_order():
    assert make_head_weights([1, 0.5], network()) == [1.0, 0.5]
    assert make_head_weights([0, 1], network()) == [0.0, 1.0]


def test_equal_weights_are_one_for_each_head():
    assert make_head_weights("equal", network()) == [1.0, 1.0]
    assert make_head_weights("equal", network(channels=(2, 3, 4, 5, 6))) == [1.0] * 4


def test_decaying_weights_halve_from_head_to_head_and_sum_to_their_number():
    # 1 + 1/2 = 3/2, scaled by 2 / (3/2); 1 + 1/2 + 1/4 + 1/8 = 15/8, scaled by 4 / (15/8)
    assert make_head_weights("decaying", network()) == pytest.approx([4 / 3, 2 / 3])
    deep = make_head_weights("decaying", network(channels=(2, 3, 4, 5, 6)))
    assert deep == pytest.approx([32 / 15, 16 / 15, 8 / 15, 4 / 15])


@pytest.mark.parametrize("weights", ["equal", "decaying"])
def test_without_deep_supervision_a_name_is_one_weight(weights):
    assert make_head_weights(weights, network(deep_supervision=False)) == [1.0]


@pytest.mark.parametrize("deep_supervision", [True, False])
@pytest.mark.parametrize("name", ["euqal", "", "[1, 1]"])
def test_an_unknown_name_is_refused_heads_or_not(name, deep_supervision):
    message = r"equal, decaying, learned or a list of numbers, got '.*': choose one"
    with pytest.raises(ValueError, match=message):
        make_head_weights(name, network(deep_supervision=deep_supervision))


def test_learned_weights_are_no_list():
    with pytest.raises(ValueError, match=r"got 'learned': .* medseg.losses.deep_supervision"):
        make_head_weights("learned", network())


@pytest.mark.parametrize("topology", ["unet", "unet_plusplus"])
def test_without_deep_supervision_no_weight_counts(topology):
    assert make_head_weights([1.0] * 4, network(deep_supervision=False, topology=topology)) == [1.0]


@pytest.mark.parametrize("weights", [[], [1.0], [1.0] * 3])
def test_another_number_of_weights_than_heads_is_refused(weights):
    message = rf"one weight per head, got {len(weights)} for 2 heads: pass 2.* \[1.0, 1.0\]"
    with pytest.raises(ValueError, match=message) as caught:
        make_head_weights(weights, network())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", [[1, -1], [0, 0], [1, math.inf], [math.nan, 1]])
def test_weights_out_of_range_are_refused(weights):
    with pytest.raises(ValueError, match="finite, not negative and not all 0"):
        make_head_weights(weights, network())


@pytest.mark.parametrize("weights", [1.0, ["1", "1"], [True, True], None])
def test_what_is_no_list_of_numbers_is_refused(weights):
    with pytest.raises(TypeError, match="head_weights must be a name or a list of numbers, got"):
        make_head_weights(weights, network())


@pytest.mark.parametrize("weights", ["equal", "decaying", "learned", [1, 0]])
def test_weights_that_suit_the_network_pass(weights):
    check_head_weights(weights, network())


def test_weights_that_do_not_suit_it_are_refused():
    with pytest.raises(ValueError, match="one weight per head, got 1 for 2 heads"):
        check_head_weights([1], network())


def test_a_training_checks_its_weights_before_it_reads_data(repository):
    for config in sorted(repository.glob("bundles/*/configs/train.json")):
        lines = json.loads(config.read_text())["training"]
        places = [
            next(place for place, line in enumerate(lines) if name in line)
            for name in ("check_head_weights(", "record=@record", "@train#dataset")
        ]
        assert places[0] < min(places[1:]), config
