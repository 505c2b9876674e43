"""Tests of medseg.transforms.flip_axes."""

import pytest
import torch

from medseg.transforms import flip_axes

IMAGE = torch.arange(24).reshape(1, 2, 3, 4)


def flip(*, prob, axes, seed=0):
    transform = flip_axes(["image", "label"], prob=prob, axes=axes)
    transform.set_random_state(seed)
    return transform({"image": IMAGE, "label": IMAGE.clone()})


def test_only_the_named_axes_are_mirrored_and_all_images_together():
    done = flip(prob=1.0, axes=[0, 2])
    assert torch.equal(torch.as_tensor(done["image"]), IMAGE.flip(1, 3))
    assert torch.equal(torch.as_tensor(done["image"]), torch.as_tensor(done["label"]))


def test_each_axis_is_mirrored_by_itself():
    found = {
        tuple(flip(prob=0.5, axes=[0, 1], seed=n)["image"].flatten().tolist()) for n in range(40)
    }
    expected = [IMAGE, IMAGE.flip(1), IMAGE.flip(2), IMAGE.flip(1, 2)]
    assert found == {tuple(one.flatten().tolist()) for one in expected}


def test_no_axis_leaves_images_as_they_are():
    assert torch.equal(torch.as_tensor(flip(prob=1.0, axes=[])["image"]), IMAGE)


def test_an_axis_named_twice_is_refused():
    with pytest.raises(ValueError, match="names an axis twice"):
        flip(prob=1.0, axes=[1, 1])
