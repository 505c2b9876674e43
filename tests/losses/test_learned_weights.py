"""Tests of medseg.losses.learned_weights: sum of exp(-s) (L - L_min + floor) + s over the heads."""

import copy
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from monai.losses import DiceLoss
from torch import nn

from medseg.losses import HybridLoss, LearnedWeightsLoss, WeightedTargetLoss
from medseg.losses.learned_weights import FLOOR

TARGET = torch.zeros(1)


class Mean(nn.Module):
    """A loss whose value is the mean of the logits, -1 at the least."""

    minimum = -1.0

    def forward(self, logits, target):
        return logits.mean()


def heads_of(*losses):
    return [torch.tensor([value], requires_grad=True) for value in losses]


def settle(loss, heads, steps=400):
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(heads, TARGET).backward()
        optimizer.step()


def test_the_value_at_the_start_is_the_sum_of_what_is_above_the_minimum():
    value = LearnedWeightsLoss(Mean(), 2)(heads_of(0.5, -0.25), TARGET)
    assert value.item() == pytest.approx((0.5 + 1 + FLOOR) + (-0.25 + 1 + FLOOR))


def test_the_value_on_paper():
    # s = log 2 and log 1/4: half of the first excess and four times the second, plus log 2 - log 4
    loss = LearnedWeightsLoss(Mean(), 2)
    with torch.no_grad():
        loss.log_scales.copy_(torch.tensor([2.0, 0.25]).log())
    expected = (1.5 + FLOOR) / 2 + 4 * (0.75 + FLOOR) + math.log(2 / 4)
    assert loss(heads_of(0.5, -0.25), TARGET).item() == pytest.approx(expected)
    assert loss.weights == pytest.approx([0.5, 4])


def test_the_gradients_on_paper():
    # s = 0: 1 - excess for the parameters; exp(-s) for the heads
    loss, heads = LearnedWeightsLoss(Mean(), 2), heads_of(0.5, -0.25)
    loss(heads, TARGET).backward()
    assert loss.log_scales.grad.tolist() == pytest.approx([-0.5 - FLOOR, 0.25 - FLOOR])
    assert [head.grad.item() for head in heads] == [1, 1]


def test_the_weights_settle_where_every_head_counts_the_same():
    loss = LearnedWeightsLoss(Mean(), 3)
    settle(loss, heads_of(0.0, -0.5, -0.9))
    excesses = [1 + FLOOR, 0.5 + FLOOR, 0.1 + FLOOR]
    assert loss.weights == pytest.approx([1 / excess for excess in excesses], rel=1e-3)


def test_a_head_at_its_minimum_has_a_bounded_weight_and_can_lose_it_again():
    loss = LearnedWeightsLoss(Mean(), 1)
    settle(loss, heads_of(-1.0))
    assert loss.weights == pytest.approx([1 / FLOOR], rel=1e-3)
    settle(loss, heads_of(0.0))
    assert loss.weights == pytest.approx([1 / (1 + FLOOR)], rel=1e-3)


def test_perfect_heads_of_the_hybrid_loss_are_finite():
    target = torch.tensor([[[0, 1, 2]]])
    perfect = 1e4 * torch.eye(3)[None].requires_grad_()
    loss = LearnedWeightsLoss(HybridLoss(), 2)
    value = loss([perfect, perfect], target)
    assert value.item() == pytest.approx(2 * FLOOR)
    value.backward()
    assert loss.log_scales.grad.tolist() == pytest.approx([1 - FLOOR] * 2)


def test_one_tensor_is_not_weighed():
    loss = LearnedWeightsLoss(Mean(), 2)
    assert loss(torch.tensor([0.5]), TARGET) == 0.5


def test_the_minimum_is_read_from_the_loss_unless_given():
    assert LearnedWeightsLoss(HybridLoss(dice_weight=2), 1).minimum == -2
    assert LearnedWeightsLoss(WeightedTargetLoss(HybridLoss()), 1).minimum == -1
    assert LearnedWeightsLoss(DiceLoss(), 1, minimum=0.0).minimum == 0
    with pytest.raises(ValueError, match="DiceLoss does not state it: pass minimum"):
        LearnedWeightsLoss(DiceLoss(), 1)


def test_the_parameters_are_saved_and_restored():
    trained, fresh = (LearnedWeightsLoss(Mean(), 2) for _ in range(2))
    settle(trained, heads_of(0.5, -0.5), steps=5)
    fresh.load_state_dict(trained.state_dict())
    assert fresh.weights == trained.weights != [1, 1]


def test_the_work_of_a_step_does_not_grow_with_the_steps():
    loss = LearnedWeightsLoss(Mean(), 1)
    settle(loss, heads_of(0.0), steps=3)
    assert not loss.log_scales._backward_hooks


def test_without_gradients_the_value_is_the_same():
    loss, heads = LearnedWeightsLoss(Mean(), 2), heads_of(0.5, -0.5)
    with torch.no_grad():
        value = loss(heads, TARGET)
    assert value == loss(heads, TARGET)


@pytest.mark.parametrize("heads", [(0.5,), (0.5, 0.5, 0.5)])
def test_another_number_of_heads_is_refused(heads):
    with pytest.raises(ValueError, match=f"got {len(heads)} heads for 2 weights: build the loss"):
        LearnedWeightsLoss(Mean(), 2)(heads_of(*heads), TARGET)


def test_no_head_is_refused():
    with pytest.raises(ValueError, match="need one or more heads, got 0: pass"):
        LearnedWeightsLoss(Mean(), 0)


@pytest.mark.long
def test_two_processes_average_the_gradient_of_the_weights_alone(tmp_path):
    # rank 0 has losses 0 and 1, rank 1 has 2 and 5: excesses 1 and 2, 3 and 6, plus the floor;
    # the mean of 1 - excess is 1 - (1 + 3) / 2 and 1 - (2 + 6) / 2
    worker = Path(__file__).with_name("two_processes.py")
    command = [sys.executable, str(worker), str(tmp_path / "store")]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen([*command, str(rank)], env=environment, stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    try:
        results = [json.loads(process.communicate(timeout=600)[0]) for process in ranks]
    finally:
        for process in ranks:  # one that waits for the other, which failed
            process.kill()
    for result in results:
        assert result["log_scales"] == pytest.approx([-1 - FLOOR, -3 - FLOOR])
        assert result["log_scales_of_a_copy"] == result["log_scales"]
        assert result["heads"] == [1, 1]


def test_alone_a_copy_of_the_loss_gives_the_same_gradient():
    loss = LearnedWeightsLoss(Mean(), 1)
    gradients = []
    for one in (loss, copy.deepcopy(loss)):
        one(heads_of(0.5), TARGET).backward()
        gradients.append(one.log_scales.grad)
    assert torch.equal(*gradients)
