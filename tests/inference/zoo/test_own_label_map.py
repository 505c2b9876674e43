"""Tests of medseg.inference.zoo.own_label_map: label maps get the numbers of the classes."""

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import AsDiscreted

from medseg.inference import MakeLabelMapd, OwnChannels

CHANNELS = OwnChannels(["background", "liver"], AsDiscreted("pred", argmax=True))


def make(values, classes):
    data = {"pred": MetaTensor(torch.tensor([[[values]]]), affine=2 * torch.eye(4))}
    return MakeLabelMapd("pred", CHANNELS, classes)(data)["pred"]


def test_values_become_indices_and_the_grid_stays():
    label = make([0.0, 1.0, 4.0], {"a": [1], "b": [4]})
    assert label.dtype == torch.uint8
    assert label.flatten().tolist() == [0, 1, 2]
    assert torch.equal(label.affine, 2 * torch.eye(4))


def test_regions_gather_values_of_those_within():
    label = make([1, 2, 4], {"whole": [1, 2, 4], "core": [1, 4], "enhancing": [4]})
    assert label.flatten().tolist() == [2, 1, 3]


def test_a_value_of_no_class_is_refused():
    with pytest.raises(ValueError, match="holds 3, which no class has: name it with --classes"):
        make([0, 3], {"a": [1]})


def test_values_between_classes_are_refused():
    assert make([0, 1.0001], {"a": [1]}).flatten().tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"gives 0\.5, which is no class: .*nearest_interp"):
        make([0, 0.5], {"a": [1]})


def test_a_result_of_another_name_is_refused():
    with pytest.raises(ValueError, match="gives no pred"):
        MakeLabelMapd("pred", CHANNELS, {"a": [1]})({"label": torch.zeros(1, 2)})
