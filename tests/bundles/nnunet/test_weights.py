"""Weights: one class keeps the difference of its two channels; others stay as they are."""

import pytest
import torch
from bundles.nnunet.models import make_configuration, make_network

from medseg.bundles.nnunet.checkpoint import Checkpoint
from medseg.bundles.nnunet.weights import check_weights, fit_head, join_folds, use_batch_norm

pytest.importorskip("dynamic_network_architectures")


def make(heads, seed=0):
    return make_network(make_configuration(), 1, heads, seed).eval()


def test_one_class_has_the_probability_of_its_softmax():
    two, one = make(2), make(1, seed=1)
    one.load_state_dict(fit_head(two.state_dict(), one_class=True))
    image = torch.rand(1, 1, 8, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(one(image).sigmoid()[:, 0], two(image).softmax(1)[:, 1])


def test_several_classes_stay_as_they_are():
    state = make(3).state_dict()
    assert fit_head(state, one_class=False) == state


def test_a_head_of_another_number_of_channels_is_refused():
    with pytest.raises(ValueError, match=r"has 3 channels.*another training"):
        fit_head(make(3).state_dict(), one_class=True)


def check(network, weights):
    checkpoint = Checkpoint(dict(weights), "MyTrainer", "3d_fullres", (), None)
    check_weights(network, weights, checkpoint=checkpoint, file="x.pth")


def test_weights_that_do_not_fit_are_refused_with_their_trainer():
    check(make(2), make(2, seed=1).state_dict())
    with pytest.raises(ValueError, match=r"seg_layers.0.* 2 of \d+ differ.*trained by MyTrainer"):
        check(make(2), make(3).state_dict())


def test_folds_are_joined_as_members_and_keep_every_digit():
    states = [make(2, seed).state_dict() for seed in range(2)]
    joined = join_folds(states)
    assert len(joined) == 2 * len(states[0])
    key = next(iter(states[1]))
    assert torch.equal(joined[f"members.1.{key}"], states[1][key])
    assert join_folds(states[:1]).keys() == states[0].keys()


def test_a_trainer_with_batch_norm_gets_batch_norm():
    options = {"norm": "InstanceNorm3d", "conv": "Conv3d"}
    with_statistics = {"a.norm.running_mean": torch.zeros(1)}
    assert use_batch_norm(options, with_statistics) == {"norm": "BatchNorm3d", "conv": "Conv3d"}
    assert use_batch_norm(options, {}) == options
