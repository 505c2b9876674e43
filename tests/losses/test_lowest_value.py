"""Tests of medseg.losses.lowest_value: against losses that are computed."""

import pytest
import torch
from monai.losses import DeepSupervisionLoss, DiceLoss

from medseg.losses import GuidedLoss, HybridLoss, LearnedWeightsLoss, WeightedTargetLoss
from medseg.losses.lowest_value import find_lowest_value

LABEL = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])
PERFECT = (LABEL * 2 - 1) * 100
HYBRID = HybridLoss(activation="sigmoid")


def test_a_perfect_prediction_of_one_head_has_it():
    assert find_lowest_value(HYBRID) == pytest.approx(HYBRID(PERFECT, LABEL).item())


def test_fixed_weights_of_heads_multiply_it():
    loss = DeepSupervisionLoss(HYBRID, weights=[1.0, 0.5, 0.5, 0.0])
    assert find_lowest_value(loss) == -2
    assert loss([PERFECT] * 4, LABEL).item() == pytest.approx(-2)


def test_learned_weights_end_at_it_for_perfect_heads():
    loss = LearnedWeightsLoss(HYBRID, 2)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.5)
    for _ in range(200):
        value = loss([PERFECT] * 2, LABEL)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert find_lowest_value(loss) == pytest.approx(value.item(), abs=1e-3)


def test_the_guide_leaves_it():
    assert find_lowest_value(GuidedLoss(DeepSupervisionLoss(HYBRID, weights=[1.0] * 4))) == -4


def test_weights_of_voxels_leave_it():
    assert find_lowest_value(WeightedTargetLoss(HYBRID)) == -1


def test_it_is_unknown_where_a_loss_does_not_state_it_or_its_weights_depend_on_the_heads():
    assert find_lowest_value(DiceLoss()) is None
    assert find_lowest_value(DeepSupervisionLoss(DiceLoss(), weights=[1.0])) is None
    assert find_lowest_value(DeepSupervisionLoss(HYBRID)) is None
