"""Tests of medseg.inference.outputs.value_unit: a forced image has no unit that it cannot have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.inference.outputs.notes import add_notes
from medseg.inference.outputs.value_unit import find_unit

MR = np.random.default_rng(0).integers(0, 400, (20, 20, 20))
CT = np.pad(np.random.default_rng(0).integers(-20, 80, (14, 14, 20)), ((3, 3), (3, 3), (0, 0)),
            constant_values=-1000)  # fmt: skip
MASK = np.arange(8000).reshape(20, 20, 20) % 2


def make_image(*, forced, stated=""):
    image = MetaTensor(torch.zeros(1, 2, 2, 2), meta={"modality": stated})
    add_notes(image, ["forced: this is something else"] if forced else ["thick slices"])
    return image


@pytest.mark.parametrize("values", [MR, CT, MASK, None])
def test_an_image_that_was_let_pass_has_the_unit_of_the_bundle(values):
    assert find_unit(make_image(forced=False), values, modality="CT") == "HU"
    assert find_unit(make_image(forced=False), values, modality="MR") == ""


def test_values_that_the_header_states_in_another_unit_have_none():
    image = make_image(forced=False)
    image.meta["value_unit"] = "US"
    assert find_unit(image, CT, modality="CT") == ""


@pytest.mark.parametrize(
    ("values", "stated", "unit"),
    [
        (MR, "", ""),
        (MASK, "", ""),
        (None, "", ""),
        (CT, "", "HU"),
        (CT, "CT", "HU"),
        (MR, "MR", ""),
        (None, "CT", "HU"),
    ],
)
def test_of_a_forced_image_the_header_or_the_values_decide(values, stated, unit):
    image = make_image(forced=True, stated=stated)
    assert find_unit(image, values, modality="CT") == unit
