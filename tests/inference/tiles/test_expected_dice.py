"""Tests of medseg.inference.tiles.expected_dice."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate

from medseg.inference import OverlapTileInferer
from medseg.inference.tiles import expected_dice
from medseg.inference.tiles.canvas import LogitsCanvas
from medseg.inference.tiles.expected_dice import (
    ExpectedDice,
    keep_expected_dice,
    read_expected_dice,
)
from medseg.transforms.classes import make_label_map

ALL = (slice(None), slice(None))


def measure(logits, *, regions=False):
    """The values for logits (C, I, J) that come in one box."""
    canvas = LogitsCanvas(logits.shape[1:], regions=regions, device=torch.device("cpu"))
    expected = ExpectedDice(canvas, regions=regions)
    expected.put(ALL, logits[None])
    torch.testing.assert_close(expected.get_result()[0], logits)
    return expected.list_values()


def to_logits(probabilities):
    return torch.logit(torch.tensor(probabilities, dtype=torch.float64)).float()


def test_the_value_is_the_ratio_of_expectations():
    (value,) = measure(to_logits([[[0.9, 0.6], [0.2, 0.3]]]))
    assert value == pytest.approx(2 * (0.9 + 0.6) / (2 + 0.9 + 0.6 + 0.2 + 0.3))


def test_a_sure_network_expects_a_dice_of_1_and_an_absent_class_none():
    assert measure(torch.full((1, 3, 3), 100.0)) == [1.0]
    assert measure(torch.full((1, 3, 3), -1.0)) == [None]


def test_classes_apart_have_a_value_each():
    probabilities = torch.tensor([[[0.5, 0.1, 0.2]], [[0.3, 0.7, 0.2]], [[0.2, 0.2, 0.6]]])
    first, second = measure(probabilities.log())
    assert first == pytest.approx(2 * 0.7 / (1 + 0.3 + 0.7 + 0.2))
    assert second == pytest.approx(2 * 0.6 / (1 + 0.2 + 0.2 + 0.6))


def test_regions_are_measured_with_what_lies_within_them():
    outer, inner = measure(to_logits([[[0.9, 0.8]], [[0.7, 0.1]]]), regions=True)
    assert outer == pytest.approx(2 * 1.7 / (2 + 1.7))
    assert inner == pytest.approx(2 * 0.7 / (1 + 0.8))


@pytest.mark.parametrize("values", [1, 7, 10**6])
def test_it_is_the_same_whatever_is_summed_at_a_time(monkeypatch, values):
    logits = torch.randn(3, 9, 8, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(expected_dice, "CHUNK_VALUES", values)
    label = make_label_map(logits)[0]
    p = logits.softmax(0)
    expected = [
        float(2 * p[c][label == c].sum() / (p[c].sum() + (label == c).sum())) for c in (1, 2)
    ]
    assert measure(logits) == pytest.approx(expected, rel=1e-5)


def test_truths_drawn_by_the_probabilities_have_that_dice_on_average():
    random = np.random.default_rng(0)
    probabilities = random.uniform(0.02, 0.98, (40, 40))
    (value,) = measure(to_logits([probabilities.tolist()]))
    mask = probabilities > 0.5
    dices = []
    for _ in range(300):
        truth = random.random(mask.shape) < probabilities
        dices.append(2 * (truth & mask).sum() / (truth.sum() + mask.sum()))
    assert np.mean(dices) == pytest.approx(value, abs=0.002)  # its standard error is 0.0005


@pytest.mark.parametrize("mode", ["crop", "blend"])
def test_the_inferer_leaves_the_value_of_the_whole_image_with_it(mode):
    network = torch.nn.Conv2d(1, 3, 1)
    image = MetaTensor(torch.rand(1, 1, 50, 40, generator=torch.Generator().manual_seed(1)))
    inferer = OverlapTileInferer(
        (16, 16), mode=mode, halo=0, output="labels", classes={"a": [1], "b": [2]}
    )
    inferer(image, network.eval())
    found = measure(network(image.as_tensor()).detach()[0])
    kept = read_expected_dice(image)
    assert kept.keys() == {i for i, value in enumerate(found, 1) if value is not None}
    assert all(kept[i] == pytest.approx(found[i - 1], rel=1e-3) for i in kept)


def test_the_values_of_an_image_go_with_it_through_a_batch():
    image = MetaTensor(torch.zeros(1, 2, 2))
    keep_expected_dice(image, [0.5, None, 0.75])
    (case,) = decollate_batch(list_data_collate([{"image": image}]))
    assert read_expected_dice(case["image"]) == {1: 0.5, 3: 0.75}


def test_an_image_without_meta_data_keeps_nothing():
    keep_expected_dice(torch.zeros(1), [0.5])
    assert read_expected_dice(torch.zeros(1)) == {}
