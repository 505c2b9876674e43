"""Tests of medseg.transforms.channels.drop_channels: channels are dropped, but never all."""

import pytest
import torch
from monai.data import MetaTensor

from medseg.base.channels.missing import MISSING
from medseg.transforms import DropChannelsd

NAMES = ["a", "b", "c"]


def drop(prob, times=1, missing=""):
    """Which channels stay, of each time."""
    transform = DropChannelsd("image", NAMES, prob=prob)
    transform.set_random_state(0)
    cases = [{"image": MetaTensor(torch.ones(3, 2, 2)), MISSING: missing} for _ in range(times)]
    return [transform(one)["image"].flatten(1).any(dim=1).tolist() for one in cases]


@pytest.mark.parametrize("missing", ["", "b", "a, c"])
def test_one_channel_that_is_there_always_stays(missing):
    for stays in drop(1.0, 50, missing):
        assert sum(stays) == 1
        assert not any(s for name, s in zip(NAMES, stays, strict=True) if name in missing)


def test_each_channel_is_dropped_as_often_as_it_is_said():
    kept = torch.tensor(drop(0.2, 2000)).float().mean(dim=0)
    torch.testing.assert_close(kept, torch.full((3,), 0.8), atol=0.03, rtol=0)


def test_with_no_chance_only_those_that_are_missing_are_0():
    assert drop(0.0, 20) == [[True] * 3] * 20
    assert drop(0.0, 5, "b") == [[True, False, True]] * 5


def test_a_dropped_channel_is_0_and_the_others_keep_their_values():
    image = torch.arange(12.0).reshape(3, 4) + 1
    transform = DropChannelsd("image", NAMES, prob=0.5).set_random_state(3)
    dropped = transform({"image": image})["image"]
    for before, after in zip(image, dropped, strict=True):
        assert not after.any() or torch.equal(before, after)
