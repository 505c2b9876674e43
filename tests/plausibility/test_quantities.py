"""Tests of medseg.plausibility.quantities: each is measured, and no margin contradicts another."""

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.plausibility.measure import measure_class, measure_image
from medseg.plausibility.quantities import (
    LOG2_OF_1_5,
    LOG2_OF_2,
    LOG2_OF_3,
    OF_CLASS,
    OF_IMAGE,
    REFUSE_WIDTHS,
    WARN_WIDTHS,
)

EACH = pytest.mark.parametrize("name", [*OF_IMAGE, *OF_CLASS])
QUANTITIES = OF_IMAGE | OF_CLASS


def test_every_quantity_of_an_image_is_measured_of_some_image_and_no_other_is():
    noise = np.random.default_rng(0).normal(100, 10, (3, 8, 8, 8))
    grid = Geometry((8, 8, 8), np.eye(4))
    measured = [
        measure_image(noise[:1], modality="CT", grid=grid),
        measure_image(noise[:1], modality="MR", grid=grid),
        measure_image(noise[..., 0], modality="picture"),
    ]
    assert set().union(*measured) == set(OF_IMAGE)


def test_every_quantity_of_a_class_is_measured_and_no_other_is():
    assert set(measure_class(np.ones((2, 2, 2), bool), voxel_ml=1)) == set(OF_CLASS)


@EACH
def test_what_is_refused_is_warned_of_first(name):
    quantity = QUANTITIES[name]
    assert quantity.warn > 0
    assert quantity.refuse is None or quantity.refuse > quantity.warn
    assert 0 < WARN_WIDTHS < REFUSE_WIDTHS


@EACH
def test_sizes_and_counts_are_compared_as_ratios_and_shares_are_not(name):
    is_size = name.endswith(("_mm", "_px", "_ml")) or name == "pieces"
    assert QUANTITIES[name].is_ratio == is_size


@EACH
def test_a_share_has_no_unit(name):
    quantity = QUANTITIES[name]
    has_unit = name.endswith(("_mm", "_px", "_ml", "_hu")) or name == "brightness"
    assert bool(quantity.unit) == has_unit


@pytest.mark.parametrize(("log2", "ratio"), [(LOG2_OF_1_5, 1.5), (LOG2_OF_2, 2), (LOG2_OF_3, 3)])
def test_margins_of_ratios_are_powers_of_two(log2, ratio):
    assert 2**log2 == pytest.approx(ratio, rel=1e-3)
