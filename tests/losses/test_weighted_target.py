"""Tests of medseg.losses.weighted_target: the weights travel in the target's last channel."""

import math

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedTrainer
from monai.losses import DeepSupervisionLoss, DiceLoss
from monai.transforms import Compose, ConcatItemsd, EnsureTyped
from torch import nn

from medseg.losses import HybridLoss, WeightedTargetLoss
from medseg.transforms import BorderWeightd


def case(activation, classes=3):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, classes, 4, 5, generator=generator)
    channels = 1 if activation == "softmax" else classes
    highest = classes if activation == "softmax" else 2
    target = torch.randint(0, highest, (2, channels, 4, 5), generator=generator)
    return logits, target.float(), 5 * torch.rand(2, 1, 4, 5, generator=generator)


@pytest.mark.parametrize("kind", [torch.as_tensor, MetaTensor])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_last_channel_is_the_weight_of_the_others(activation, kind):
    logits, target, weight = case(activation)
    loss = HybridLoss(activation=activation)
    weighted = WeightedTargetLoss(loss)(kind(logits), kind(torch.cat([target, weight], 1)))
    torch.testing.assert_close(weighted, loss(logits, target, weight))
    assert type(weighted) is torch.Tensor


def test_deep_supervision_weighs_the_voxels_of_each_head():
    (logits, target, weight), loss = case("softmax"), HybridLoss()
    heads = [logits, logits.flip(0), -logits]
    wrapped = DeepSupervisionLoss(WeightedTargetLoss(loss), weights=[1.0, 0.5, 0.25])
    expected = sum(
        w * loss(head, target, weight) for w, head in zip((1, 0.5, 0.25), heads, strict=True)
    )
    torch.testing.assert_close(wrapped(heads, torch.cat([target, weight], 1)), expected)


def test_the_minimum_is_that_of_the_loss_within():
    assert WeightedTargetLoss(HybridLoss(dice_weight=2)).minimum == -2
    assert not hasattr(WeightedTargetLoss(DiceLoss()), "minimum")


def test_a_target_without_weights_is_refused():
    logits, target, _ = case("softmax")
    loss = WeightedTargetLoss(HybridLoss())
    with pytest.raises(ValueError, match=r"last channel, got a target of shape \(2, 1, 4, 5\)"):
        loss(logits, target)
    with pytest.raises(ValueError, match=r"with 1 or 3 channels, got \(2, 2, 4, 5\)"):
        loss(logits, torch.cat([target] * 3, 1))


@pytest.mark.parametrize("wrong", [-1.0, math.nan])
def test_weights_out_of_range_are_refused(wrong):
    logits, target, weight = case("softmax")
    weight[0, 0, 0, 0] = wrong
    with pytest.raises(ValueError, match=f"finite and not negative, got {wrong}"):
        WeightedTargetLoss(HybridLoss())(logits, torch.cat([target, weight], 1))


def test_monai_s_trainer_hands_the_border_weights_to_the_loss():
    # all logits 0: log P is log 1/2 everywhere; objects at both ends of three voxels, w between
    # them 1 + 10 exp(-4/50): loss = 1/2 (1 + w + 1) log 2 / 3
    prepare = Compose(
        [
            EnsureTyped(["image", "label"]),
            BorderWeightd("label", components=True),
            ConcatItemsd(["label", "border_weight"], name="label"),
        ]
    )
    item = {"image": np.zeros((1, 1, 3), np.float32), "label": np.array([[[1, 0, 1]]])}
    network = nn.Conv2d(1, 1, 1)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    loss = WeightedTargetLoss(HybridLoss(activation="sigmoid", dice_weight=0))
    trainer = SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=DataLoader(Dataset([item, item], prepare), batch_size=2),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        loss_function=loss,
        decollate=False,
    )
    trainer.run()
    between = 1 + 10 * math.exp(-4 / 50)
    expected = 0.5 * (2 + between) * math.log(2) / 3
    assert trainer.state.output["loss"].item() == pytest.approx(expected, rel=1e-6)
