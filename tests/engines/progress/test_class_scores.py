"""Tests of medseg.engines.progress.class_scores: the key score for each class."""

import math

import pytest
import torch
from engines.tiny_run import tiny_evaluator, tiny_network
from ignite.engine import Engine
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.handlers import MeanDice, from_engine

from medseg.engines.progress.class_scores import find_class_scores


def evaluated(cases):
    """An evaluator that has scored predictions (background, a, b) of one row each."""
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(cases), batch_size=1),
        network=torch.nn.Identity(),
        key_val_metric={
            "dice": MeanDice(
                include_background=False, output_transform=from_engine(["pred", "label"])
            )
        },
    )
    evaluator.run()
    return evaluator


def masks(*rows):
    return torch.tensor(rows, dtype=torch.float32)


def test_each_class_has_the_mean_over_the_images_that_have_it():
    """Class a: Dice 1 and 2 * 1 / (1 + 2) = 2/3. Class b: 0, and absent from the second image."""
    first = {
        "image": masks([0, 0, 0], [1, 1, 0], [0, 0, 0]),
        "label": masks([0, 0, 0], [1, 1, 0], [0, 0, 1]),
    }
    second = {
        "image": masks([0, 0, 0], [1, 0, 0], [0, 0, 0]),
        "label": masks([0, 0, 0], [1, 1, 0], [0, 0, 0]),
    }
    found = find_class_scores(evaluated([first, second]), ["a", "b"])
    assert found == pytest.approx({"a": 5 / 6, "b": 0})


def test_a_class_that_no_image_has_is_not_a_number():
    empty = masks([0, 0], [1, 1], [0, 0])
    found = find_class_scores(evaluated([{"image": empty, "label": empty}]), ["a", "b"])
    assert found["a"] == 1
    assert math.isnan(found["b"])


def test_where_the_metric_scores_other_channels_there_are_none():
    evaluator = tiny_evaluator(tiny_network())
    evaluator.run()
    assert list(find_class_scores(evaluator, ["upper"])) == ["upper"]
    assert find_class_scores(evaluator, ["upper", "lower"]) == {}


def test_without_details_there_are_none():
    assert find_class_scores(Engine(lambda *_: None), ["upper"]) == {}
