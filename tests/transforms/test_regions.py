"""Tests of medseg.transforms.regions, and of the classes that overlap."""

import pytest
import torch
from monai.data import MetaTensor

from medseg.base.class_values import IGNORE
from medseg.losses import HybridLoss
from medseg.transforms import (
    LabelFromLogits,
    MergeLabels,
    RegionMasksd,
    choose_activation,
    count_logit_channels,
)
from medseg.transforms.regions import (
    are_regions,
    find_outer_index,
    list_members,
    make_class_masks,
)

NESTED = {"whole": [1, 2, 4], "core": [1, 4], "enhancing": [4]}
APART = {"liver": [1], "tumour": [2]}
LABEL = torch.tensor([[0, 1, 2, 4]])


def test_regions_have_a_sigmoid_channel_each_and_classes_apart_share_a_softmax():
    assert (choose_activation(NESTED), count_logit_channels(NESTED)) == ("sigmoid", 3)
    assert (choose_activation(APART), count_logit_channels(APART)) == ("softmax", 3)
    assert (choose_activation({"liver": [1, 2]}), count_logit_channels({"liver": [1, 2]})) == (
        "sigmoid",
        1,
    )


def test_a_voxel_has_the_index_of_its_innermost_region():
    assert MergeLabels(NESTED)(LABEL).tolist() == [[0, 2, 1, 3]]


def test_the_masks_of_regions_hold_what_the_dataset_says():
    masks = make_class_masks(MergeLabels(NESTED)(LABEL), NESTED)
    for mask, values in zip(masks, NESTED.values(), strict=True):
        assert mask.bool().tolist() == [value in values for value in LABEL[0].tolist()]


def test_members_are_the_inner_regions_and_the_class_itself():
    assert list_members(NESTED) == [[1, 2, 3], [2, 3], [3]]
    assert list_members(APART) == [[1], [2]]
    assert list_members({"a": [1, 2, 3], "b": [1], "c": [3]}) == [[1, 2, 3], [2], [3]]


def test_around_a_class_is_the_innermost_region_or_the_background():
    members = list_members(NESTED)
    assert [find_outer_index(each, members) for each in members] == [0, 1, 2]
    assert [find_outer_index(each, list_members(APART)) for each in list_members(APART)] == [0, 0]


def test_logits_of_the_truth_give_its_class_indices_back():
    merged = MergeLabels(NESTED)(LABEL)
    logits = 8.0 * make_class_masks(merged, NESTED) - 4
    assert LabelFromLogits(NESTED)(logits).tolist() == merged.tolist()


def test_the_innermost_region_above_0_wins_even_where_the_outer_one_is_below():
    logits = torch.tensor([[1.0, -1.0, 1.0, 0.0], [-1.0, 1.0, 1.0, 0.0]])
    label = LabelFromLogits({"liver": [1, 2], "tumour": [2]})(logits)
    assert (label.tolist(), label.dtype) == ([[1, 2, 2, 0]], torch.uint8)


def test_the_same_two_channels_are_softmax_where_the_classes_are_none_of_that_kind():
    assert LabelFromLogits()(torch.tensor([[1.0, -1.0], [-1.0, 1.0]])).tolist() == [[0, 1]]


def test_only_regions_are_turned_into_masks_unless_background_is_asked_for():
    item = {"label": torch.tensor([[0, 1, 2]])}
    assert RegionMasksd("label", APART)(item)["label"] is item["label"]
    made = RegionMasksd("label", APART, background=True)(item)["label"]
    assert made.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    regions = {"liver": [1, 2], "tumour": [2]}
    made = RegionMasksd("label", regions, background=True)(item)["label"]
    assert made.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]


def test_ignored_voxels_stay_marked_for_the_loss_and_are_in_no_mask_for_scores():
    item = {"label": torch.tensor([[1, IGNORE]])}
    regions = {"liver": [1, 2], "tumour": [2]}
    assert RegionMasksd("label", regions)(item)["label"].tolist() == [[1, 255], [0, 255]]
    made = RegionMasksd("label", regions, background=True)(item)["label"]
    assert made.tolist() == [[0, 0], [1, 0], [0, 0]]


def test_the_loss_takes_the_masks_and_is_least_at_the_truth():
    masks = make_class_masks(MergeLabels(NESTED)(LABEL), NESTED)[None].float()
    loss = HybridLoss(activation="sigmoid")
    right, wrong = (loss(sign * (40 * masks - 20), masks) for sign in (1, -1))
    assert right.item() == pytest.approx(loss.minimum, abs=1e-4)
    assert wrong > right


def test_masks_keep_the_place_of_the_label_in_the_patient():
    label = MetaTensor(torch.zeros(1, 2, 2), affine=torch.diag(torch.tensor([2.0, 2, 2, 1])))
    made = RegionMasksd("label", NESTED)({"label": label})["label"]
    assert made.shape == (3, 2, 2)
    assert torch.equal(made.affine, label.affine)


def test_a_label_of_several_channels_is_refused():
    with pytest.raises(ValueError, match=r"one channel of class indices, got shape \(2, 3\)"):
        make_class_masks(torch.zeros(2, 3), NESTED)


@pytest.mark.parametrize(
    ("classes", "expected"), [(NESTED, True), (APART, False), ({"a": [1, 2]}, False)]
)
def test_classes_that_share_a_value_are_regions(classes, expected):
    assert are_regions(classes) == expected
