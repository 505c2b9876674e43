"""Tests of medseg.plausibility.measure_cases: ranges over cases, derivable on paper."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.base.channels.missing import MISSING
from medseg.plausibility import (
    TrainedOn,
    choose_cases,
    find_path_beside,
    measure_cases,
    merge_trained_on,
    read_trained_on,
    write_trained_on,
)


def cases(volumes_ml):
    """Cases of 1 mm voxels whose class has these volumes."""
    for ml in volumes_ml:
        label = torch.zeros(1, 20, 20, 20)
        label.view(-1)[: ml * 1000] = 3
        image = MetaTensor(torch.rand(1, 20, 20, 20), affine=torch.eye(4))
        image.meta |= {"original_affine": np.eye(4), "spatial_shape": np.array([20, 20, 20])}
        yield {"image": image, "label": MetaTensor(label, affine=torch.eye(4)), "case": "secret"}


def test_ranges_of_cases_are_written_and_read_without_a_name(tmp_path):
    made = measure_cases(
        list(cases([1, 4, 2])), dict, modality="MR", classes={"a": [3]}, about={"name": "set"}
    )
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"weights")
    path = write_trained_on(made, weights)
    assert path == find_path_beside(weights) == tmp_path / "best.trained_on.json"
    digest = hashlib.sha256(b"weights").hexdigest()
    assert read_trained_on(weights) == replace(made, weights=[digest])
    assert (made.cases, made.dimensions) == (3, 3)
    assert made.classes["a"]["volume_ml"] == [1.0, 4.0]
    assert made.image["longest_mm"] == [20.0, 20.0]
    assert "secret" not in path.read_text()


def test_of_crops_sizes_and_classes_say_nothing():
    crops = list(cases([1, 2]))
    made = measure_cases(crops, dict, modality="MR", classes={"a": [3]}, whole_images=False)
    assert (made.classes, list(made.image)) == ({}, ["darkness", "negative"])


def test_the_parts_of_a_group_are_as_the_whole():
    parts = [
        TrainedOn({}, 2, "CT", 3, {"a": [1.0, 5.0]}, {"liver": {"share": [0.1, 0.2]}}),
        TrainedOn({}, 1, "CT", 3, {"a": [3.0, 6.0], "b": [2.0, 2.0]}, {"liver": {}}),
    ]
    assert merge_trained_on(parts) == TrainedOn(
        {}, 3, "CT", 3, {"a": [1.0, 6.0], "b": [2.0, 2.0]}, {"liver": {"share": [0.1, 0.2]}}
    )


@pytest.mark.parametrize(("count", "chosen"), [(0, 0), (1, 1), (200, 200), (201, 101), (401, 134)])
def test_of_many_cases_at_most_two_hundred_are_measured(count, chosen):
    assert len(choose_cases([{}] * count)) == chosen


def test_of_several_channels_the_first_is_measured_where_it_is_there():
    full, lacking = cases([1, 2])
    for one, first in ((full, 1.0), (lacking, 0.0)):
        meta = one["image"].meta
        one["image"] = MetaTensor(one["image"].repeat(2, 1, 1, 1), meta=meta)
        one["image"][0] *= first
        one["image"][1] = 7
    lacking["image"].meta[MISSING] = "flair"
    made = measure_cases([full, lacking], dict, modality="MR", classes={"a": [3]})
    alone = measure_cases([next(cases([1]))], dict, modality="MR", classes={"a": [3]})
    assert made.image.keys() == alone.image.keys()
    assert (made.cases, len(made.appearance)) == (2, 1)
    assert made.classes["a"]["volume_ml"] == [1.0, 2.0]
