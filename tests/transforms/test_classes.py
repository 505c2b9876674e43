"""Tests of medseg.transforms.classes: label values to classes, and logits back to classes."""

from functools import partial

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import AsDiscrete

from medseg.transforms import (
    LabelFromLogits,
    LabelFromLogitsd,
    MergeLabels,
    MergeLabelsd,
    choose_activation,
    count_logit_channels,
)
from medseg.transforms.classes import make_label_map

LIVER = {"liver": [1, 2]}
LIVER_AND_TUMOUR = {"liver": [1], "tumour": [2]}
VALUES = torch.tensor([[[0, 1], [2, 3]]])  # 3 belongs to no class


def test_one_class_needs_one_channel_and_several_need_a_background_channel_too():
    assert count_logit_channels(LIVER) == 1
    assert count_logit_channels(LIVER_AND_TUMOUR) == 3


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (LIVER, [[[0, 1], [1, 0]]]),
        (LIVER_AND_TUMOUR, [[[0, 1], [2, 0]]]),
        ({"tumour": [2], "liver": [1]}, [[[0, 2], [1, 0]]]),  # indices follow the order of names
        ({"other": [3]}, [[[0, 0], [0, 1]]]),
    ],
)
def test_values_become_the_index_of_their_class_and_others_background(classes, expected):
    merged = MergeLabels(classes)(VALUES)
    assert merged.dtype == torch.uint8
    assert merged.tolist() == expected


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64, torch.float32])
def test_labels_of_every_type_merge_alike(dtype):
    assert torch.equal(MergeLabels(LIVER)(VALUES.to(dtype)), MergeLabels(LIVER)(VALUES))


def test_merging_keeps_the_affine_and_leaves_its_input_alone():
    label = MetaTensor(VALUES.clone(), affine=torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0])))
    data = {"image": 7, "label": label}
    merged = MergeLabelsd("label", LIVER)(data)
    assert torch.equal(merged["label"].affine, label.affine)
    assert torch.equal(data["label"].as_tensor(), VALUES)
    assert merged["image"] == 7


def test_merging_takes_numpy_arrays():
    assert MergeLabels(LIVER)(VALUES.numpy()).tolist() == [[[0, 1], [1, 0]]]


def test_a_missing_key_is_refused_unless_allowed():
    assert MergeLabelsd("label", LIVER, allow_missing_keys=True)({"image": 1}) == {"image": 1}
    with pytest.raises(KeyError, match="label"):
        MergeLabelsd("label", LIVER)({"image": 1})


@pytest.mark.parametrize(
    ("classes", "error", "match"),
    [
        ({}, ValueError, "1 to 254 names"),
        ([1, 2], ValueError, "1 to 254 names"),
        ({str(i): [i] for i in range(1, 257)}, ValueError, "256 classes are more than 254"),
        ({"liver": []}, ValueError, "'liver' has no label value"),
        ({"liver": 1}, TypeError, "'liver' has the label values 1: write a list"),
        ({"liver": "12"}, TypeError, "write a list"),
        ({"tumour": [2], "liver": [1, 2]}, ValueError, "2 is in two classes, 'tumour' and 'liver'"),
        ({"liver": [1, 2], "other": [2, 3]}, ValueError, "name the outer one first"),
        ({"liver": [1], "organ": [1]}, ValueError, "the second does not lie within the first"),
    ],
)
def test_classes_that_make_no_sense_are_refused(classes, error, match):
    with pytest.raises(error, match=match):
        count_logit_channels(classes)
    with pytest.raises(error, match=match):
        MergeLabels(classes)


@pytest.mark.parametrize("make", [MergeLabels, partial(MergeLabelsd, "label")])
def test_a_label_value_that_the_dataset_does_not_have_is_refused(make):
    make(LIVER_AND_TUMOUR, label_values=[0, 1, 2])
    message = (
        r"'tumour' includes label value 9, but the dataset has \[0, 1, 2\]: choose among these"
    )
    with pytest.raises(ValueError, match=message):
        make({"liver": [1], "tumour": [9]}, label_values=[0, 1, 2])


def numbered(count):
    return {str(i): [i] for i in range(1, count + 1)}


def test_254_classes_fit_and_keep_their_index():
    label = torch.arange(300)[None].short()
    merged = MergeLabels(numbered(254))(label)
    assert merged.tolist() == [[*range(255), *[0] * 45]]
    assert merged.dtype == torch.uint8


@pytest.mark.parametrize("count", [255, 256, 300])
@pytest.mark.parametrize("use", [MergeLabels, count_logit_channels, choose_activation])
def test_more_classes_than_254_are_refused_for_255_marks_what_is_ignored(count, use):
    with pytest.raises(
        ValueError, match=f"{count} classes are more than 254, .*ignored voxels, 255"
    ):
        use(numbered(count))


@pytest.mark.parametrize(("channels", "regions"), [(255, False), (254, True)])
def test_the_last_of_254_classes_is_found_in_logits(channels, regions):
    logits = -torch.ones(channels, 1)
    logits[-1] = 1
    assert make_label_map(logits, regions=regions).tolist() == [[254]]


@pytest.mark.parametrize(("channels", "regions"), [(256, False), (255, True), (257, False)])
def test_logits_of_more_classes_are_refused_and_not_wrapped_round(channels, regions):
    with pytest.raises(ValueError, match="classes are more than 254"):
        make_label_map(torch.zeros(channels, 1), regions=regions)


@pytest.mark.parametrize(
    ("ignore", "expected"), [(3, [0, 1, 2, 255]), ([0, 3], [255, 1, 2, 255]), (None, [0, 1, 2, 0])]
)
def test_ignored_values_become_255(ignore, expected):
    merged = MergeLabels(LIVER_AND_TUMOUR, ignore=ignore)(VALUES)
    assert merged.flatten().tolist() == expected
    as_item = MergeLabelsd("label", LIVER_AND_TUMOUR, ignore=ignore)({"label": VALUES})
    assert torch.equal(as_item["label"], merged)


def test_a_value_that_the_type_cannot_hold_is_nowhere():
    # torch takes 300 for 44 and -1 for 255 when it compares them with uint8
    label = torch.tensor([[44, 255]], dtype=torch.uint8)
    assert MergeLabels({"a": [300], "b": [-1]})(label).tolist() == [[0, 0]]
    assert MergeLabels({"a": [44]}, ignore=[-1])(label).tolist() == [[1, 0]]
    assert MergeLabels({"a": [44]}, ignore=[-1])(label.short() - 256).tolist() == [[0, 255]]


def test_254_classes_fit_beside_ignored_voxels():
    label = torch.arange(256)[None].short()
    assert MergeLabels(numbered(254), ignore=[0, 255])(label).tolist() == [[255, *range(1, 256)]]


@pytest.mark.parametrize("make", [MergeLabels, partial(MergeLabelsd, "label")])
def test_ignored_values_that_make_no_sense_are_refused(make):
    with pytest.raises(ValueError, match="value 2 is in class 'tumour' and ignored: choose one"):
        make(LIVER_AND_TUMOUR, ignore=[3, 2])
    with pytest.raises(ValueError, match=r"9 is ignored, but the dataset has \[0, 1, 2\]: choose"):
        make(LIVER_AND_TUMOUR, label_values=[0, 1, 2], ignore=9)
    with pytest.raises(TypeError, match="the values to ignore must be whole numbers, got '3'"):
        make(LIVER_AND_TUMOUR, ignore="3")


def test_a_single_logit_is_foreground_above_zero_only():
    logits = torch.tensor([[-1.0, 0.0, 1e-6, 5.0]])
    assert LabelFromLogits()(logits).tolist() == [[0, 0, 1, 1]]


def test_several_logits_give_the_largest_and_the_first_of_equals():
    logits = torch.tensor([[3.0, 0.0, 1.0], [1.0, 2.0, 1.0], [0.0, 5.0, 1.0]])
    label = LabelFromLogits()(logits)
    assert label.tolist() == [[0, 2, 0]]
    assert label.dtype == torch.uint8


def test_infinite_logits_are_sure_answers():
    assert LabelFromLogits()(torch.tensor([[-torch.inf, torch.inf]])).tolist() == [[0, 1]]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_logit_that_is_not_a_number_is_refused_and_never_background(channels):
    logits = torch.zeros(channels, 2, 2)
    logits[0, 1, 1] = torch.nan
    with pytest.raises(ValueError, match=f"1 of {logits.numel()} logits are not a number"):
        LabelFromLogits()(logits)


@pytest.mark.parametrize("classes", [LIVER, LIVER_AND_TUMOUR])
def test_logits_of_a_merged_label_give_the_label_back(classes):
    label = MergeLabels(classes)(torch.from_numpy(np.arange(4).reshape(1, 2, 2)))
    channels = count_logit_channels(classes)
    logits = label.float() - 0.5 if channels == 1 else AsDiscrete(to_onehot=channels)(label)
    data = LabelFromLogitsd("pred")({"pred": logits})
    assert torch.equal(data["pred"], label)
