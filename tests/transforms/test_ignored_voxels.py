"""Tests of medseg.transforms.ignored_voxels: ignored voxels are background for MONAI's metrics."""

import math

import pytest
import torch
from monai.data import MetaTensor
from monai.metrics import DiceMetric, MeanIoU
from monai.transforms import AsDiscreted, Compose, ConcatItemsd, CopyItemsd

from medseg.base.class_values import list_ignored_values
from medseg.transforms import IGNORE, BorderWeightd, DropIgnoredd, MergeLabelsd, get_ignored_index
from medseg.transforms.ignored_voxels import drop_ignored

LABEL = torch.tensor([[[0, 1, IGNORE], [2, IGNORE, 1]]], dtype=torch.uint8)
PRED = torch.tensor([[[1, 1, 2], [2, 0, 2]]], dtype=torch.uint8)


def test_prediction_and_label_are_background_where_the_label_is_ignored():
    dropped = DropIgnoredd(["pred", "label"])({"pred": PRED, "label": LABEL})
    assert dropped["label"].tolist() == [[[0, 1, 0], [2, 0, 1]]]
    assert dropped["pred"].tolist() == [[[1, 1, 0], [2, 0, 2]]]


@pytest.mark.parametrize("keys", [["pred", "label"], ["label", "pred"]])
def test_the_order_of_keys_does_not_matter(keys):
    data = {"pred": PRED, "label": LABEL}
    assert DropIgnoredd(keys)(data)["pred"].tolist() == [[[1, 1, 0], [2, 0, 2]]]


def test_without_an_ignored_value_nothing_is_touched():
    data = {"pred": PRED, "label": LABEL}
    dropped = DropIgnoredd(["pred", "label"], ignore_label=None)(data)
    assert all(dropped[key] is data[key] for key in data)


def test_the_input_and_the_affine_stay_as_they_are():
    affine = torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0]))
    label = MetaTensor(LABEL.clone(), affine=affine)
    dropped = DropIgnoredd("label")({"label": label, "image": 7})
    assert torch.equal(dropped["label"].affine, label.affine)
    assert torch.equal(label.as_tensor(), LABEL)
    assert dropped["image"] == 7


def test_every_channel_of_a_prediction_is_dropped():
    pred = torch.ones(3, 2, 3)
    dropped = drop_ignored(pred, LABEL)
    assert dropped.sum(0).tolist() == [[3, 3, 0], [3, 0, 3]]


@pytest.mark.parametrize("metric", [DiceMetric, MeanIoU])
def test_foreground_scores_are_those_of_the_other_voxels_alone(metric):
    generator = torch.Generator().manual_seed(0)
    pred, label = torch.randint(0, 3, (2, 1, 8, 9), generator=generator)
    ignored = torch.rand(1, 8, 9, generator=generator) < 0.3
    one_hot = AsDiscreted(["pred", "label"], to_onehot=3)
    dropped = Compose([DropIgnoredd(["pred", "label"]), one_hot])(
        {"pred": pred, "label": label.masked_fill(ignored, IGNORE)}
    )
    cut = one_hot({"pred": pred[~ignored][None, None], "label": label[~ignored][None, None]})
    scores = [
        metric(include_background=False, reduction="none")(x["pred"][None], x["label"][None])
        for x in (dropped, cut)
    ]
    torch.testing.assert_close(scores[0], scores[1])


def test_the_way_from_the_dataset_to_one_hot_channels():
    # 7 is ignored: its voxel has no channel but the background's
    steps = Compose(
        [
            MergeLabelsd("label", {"a": [1], "b": [2]}, ignore=7),
            DropIgnoredd(["pred", "label"], ignore_label=get_ignored_index(7)),
            AsDiscreted(["pred", "label"], to_onehot=3),
        ]
    )
    out = steps({"pred": torch.tensor([[2, 2]]), "label": torch.tensor([[7, 2]])})
    assert out["label"].argmax(0).tolist() == out["pred"].argmax(0).tolist() == [0, 2]


def test_ignored_voxels_are_no_objects_for_border_weights_once_dropped_from_a_copy():
    # two objects, one voxel between them that is ignored: it has the weight of a gap, and the label
    # keeps its mark
    steps = Compose(
        [
            CopyItemsd("label", names="objects"),
            DropIgnoredd("objects"),
            BorderWeightd("objects", components=True),
            ConcatItemsd(["label", "border_weight"], name="label"),
        ]
    )
    target = steps({"label": torch.tensor([[[1, 1, IGNORE, 1]]])})["label"]
    assert target[0].tolist() == [[1, 1, IGNORE, 1]]
    assert target[1, 0].tolist() == pytest.approx([1, 1, 1 + 10 * math.exp(-4 / 50), 1])


@pytest.mark.parametrize(
    ("ignore", "values"), [(None, ()), (255, (255,)), (0, (0,)), ([0, -1], (0, -1)), ([], ())]
)
def test_one_value_several_or_none(ignore, values):
    assert list_ignored_values(ignore) == values
    assert get_ignored_index(ignore) == (IGNORE if values else None)


@pytest.mark.parametrize("ignore", ["255", [1.0], ["255"], True, [None]])
def test_a_value_that_is_no_whole_number_is_refused(ignore):
    with pytest.raises(TypeError, match="the values to ignore must be whole numbers, got"):
        list_ignored_values(ignore)


def test_a_missing_key_is_refused_unless_allowed():
    drop = DropIgnoredd(["pred", "label"], allow_missing_keys=True)
    assert list(drop({"label": LABEL})) == ["label"]
    with pytest.raises(KeyError, match="pred"):
        DropIgnoredd(["pred", "label"])({"label": LABEL})
    with pytest.raises(KeyError, match="label"):
        drop({"pred": PRED})


def test_a_prediction_of_another_size_is_refused():
    message = r"of shape \(1, 1, 2\) has a label of shape \(1, 2, 3\): bring both"
    with pytest.raises(ValueError, match=message):
        drop_ignored(torch.zeros(1, 1, 2), LABEL)
