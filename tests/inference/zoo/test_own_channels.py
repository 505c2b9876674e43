"""Tests of medseg.inference.zoo.own_channels: channels become values, and are named."""

import pytest
import torch
from monai.transforms import (
    Activationsd,
    AsDiscreted,
    Compose,
    Invertd,
    KeepLargestConnectedComponentd,
    Lambdad,
    Orientationd,
    SaveImaged,
)

from medseg.inference import OwnChannels

SIGMOID = Activationsd("pred", sigmoid=True)
MASKS = Compose([SIGMOID, AsDiscreted("pred", threshold=0.5)])
ARGMAX = AsDiscreted("pred", argmax=True)
ONE_HOT = AsDiscreted("pred", argmax=True, to_onehot=3)
ORGANS = ["background", "liver", "spleen"]
TUMOUR = ["core", "whole", "enhancing"]


def paint(masks):
    """Values as of a challenge: 4, 1 and 2 from the inside to the outside."""
    core, whole, inner = (masks[[i]] > 0 for i in range(3))
    return torch.where(inner, 4, torch.where(core, 1, torch.where(whole, 2, 0)))


def test_the_surest_class_has_the_number_of_its_channel(tmp_path):
    steps = Compose(
        [
            Invertd("pred", Orientationd("image", "RAS"), "image"),
            ARGMAX,
            SaveImaged("pred", output_dir=tmp_path),
        ]
    )
    assert OwnChannels(ORGANS, steps).classes == {"liver": [1], "spleen": [2]}
    assert not list(tmp_path.iterdir())


def test_cleaning_does_not_hide_a_class():
    steps = Compose([ARGMAX, KeepLargestConnectedComponentd("pred", applied_labels=[1, 2])])
    assert OwnChannels(ORGANS, steps).classes == {"liver": [1], "spleen": [2]}


def test_one_channel_is_one_class():
    assert OwnChannels(["liver"], MASKS).classes == {"liver": [1]}


def test_values_that_cover_others_say_what_they_are_outside_of():
    found = OwnChannels(TUMOUR, Compose([MASKS, Lambdad("pred", func=paint)]))
    assert found.classes == {
        "core outside enhancing": [1],
        "whole outside core, enhancing": [2],
        "enhancing": [4],
    }
    assert not found.are_overlapping


def test_masks_that_overlap_have_a_value_for_each_combination():
    found = OwnChannels(["whole", "core"], MASKS)
    assert found.are_overlapping
    assert found.classes == {
        "whole outside core": [1],
        "core outside whole": [2],
        "whole and core": [3],
    }
    masks = torch.tensor([[0, 1, 0, 1], [0, 0, 1, 1]])
    assert found.number_voxels(masks).tolist() == [[0, 1, 2, 3]]


def test_masks_apart_are_numbered_without_the_background():
    found = OwnChannels(ORGANS, ONE_HOT)
    assert found.classes == {"liver": [1], "spleen": [2]}
    masks = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert found.number_voxels(masks).tolist() == [[0, 1, 2]]
    with pytest.raises(ValueError, match="masks of several classes overlap"):
        found.number_voxels(torch.ones(3, 2))


def test_a_post_processing_that_cannot_be_tried_out_keeps_the_order():
    def ask_for_more(data):
        return {"pred": data["what only a case has"]}

    assert OwnChannels(ORGANS, ask_for_more).classes == {"liver": [1], "spleen": [2]}


def test_probabilities_are_no_masks():
    with pytest.raises(ValueError, match=r"values from 0\.2 to 0\.8, which are no masks"):
        OwnChannels(ORGANS, None).number_voxels(torch.tensor([[0.2], [0.8], [0.5]]))


def test_too_many_regions_are_refused():
    with pytest.raises(ValueError, match="8 channels of the network may overlap"):
        OwnChannels([str(i) for i in range(8)], MASKS)
