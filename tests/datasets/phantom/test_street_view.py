"""Tests of medseg.datasets.phantom.street_view: every class is there, in perspective."""

import numpy as np
import pytest
from datasets.phantom.written_files import read_picture

from medseg.datasets import cityscapes
from medseg.datasets.phantom import street
from medseg.datasets.phantom.canvas import Grid

ROAD, SKY = 7, 23  # label ids of Cityscapes


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [32, 96])
def test_three_cases_show_every_class_and_void(tmp_path, seed, size):
    street.write_city(tmp_path, Grid(size, 1, 1.0), cases=3, test_cases=0, seed=seed)
    masks = [
        cityscapes.map_ids(read_picture(path)) for path in tmp_path.glob("gtFine/train/*/*.png")
    ]
    assert set(np.unique(masks)) == set(cityscapes.LABEL_VALUES)


def test_the_road_widens_towards_the_camera(city):
    """The mean width over all views, in the rows halfway down the ground and near the bottom."""
    labels, _ = city
    widths = np.mean([(array == ROAD).sum(axis=1) for array in labels], axis=0)
    assert 0 < widths[26] < widths[32] < widths[40]
    assert widths[:16].sum() == 0  # nothing above any horizon


def test_the_sky_is_above_the_road(city):
    labels, _ = city
    for array in labels:
        assert np.nonzero(array == SKY)[0].max() < np.nonzero(array == ROAD)[0].max()


def test_no_threshold_of_grey_tells_the_road(city):
    """The best one is right for less than 0.6 of the union, where a mask would reach 1."""
    labels, images = city
    grey = np.concatenate([image.mean(axis=2).ravel() for image in images])
    road = np.concatenate([array.ravel() == ROAD for array in labels])
    scores = []
    for low in range(0, 250, 10):
        for high in range(low + 10, 260, 10):
            chosen = (grey >= low) & (grey < high)
            scores.append((chosen & road).sum() / max((chosen | road).sum(), 1))
    assert max(scores) < 0.6
