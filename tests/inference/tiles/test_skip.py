"""Tests of medseg.inference.tiles.skip: what is worth computing."""

import numpy as np
import pytest
import torch

from medseg.inference.tiles.skip import find_bounding_box, is_skipped


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_box_is_that_of_the_places_above_the_number(dims):
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        image = torch.rand(2, 2, *(9, 7, 8)[:dims], generator=generator)
        places = np.argwhere((image > 0.97).flatten(0, 1).any(0).numpy())
        expected = [(0, 0)] * dims
        if len(places):
            expected = [(a, b + 1) for a, b in zip(places.min(0), places.max(0), strict=True)]
        assert find_bounding_box(image, 0.97) == expected


def test_the_number_itself_is_not_above_it():
    image = torch.tensor([[[1.0, 2, 1]]])
    assert find_bounding_box(image, 1) == [(1, 2)]
    assert find_bounding_box(image, 2) == [(0, 0)]


def test_the_box_holds_what_is_no_number_so_that_it_is_seen_and_refused():
    image = torch.zeros(1, 1, 6, 6)
    image[..., 4, 1] = torch.nan
    assert find_bounding_box(image, 0.5) == [(4, 5), (1, 2)]


def test_nothing_is_passed_over_unless_it_is_asked_for():
    assert not is_skipped(torch.full((1, 1, 4), -1000.0), None)


def test_windows_of_several_images_are_passed_over_together():
    windows = torch.zeros(2, 1, 4)
    assert is_skipped(windows, 0.5)
    windows[1, 0, 3] = 1
    assert not is_skipped(windows, 0.5)


@pytest.mark.parametrize("above", [0.0, 1.0])
def test_a_function_is_asked_with_the_windows(above):
    asked = []

    def skip(windows):
        asked.append(windows)
        return windows.mean() <= above

    windows = torch.full((1, 1, 4), 0.5)
    assert is_skipped(windows, skip) is (above == 1.0)
    assert asked == [windows]
