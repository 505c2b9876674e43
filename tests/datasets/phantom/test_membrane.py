"""Tests of medseg.datasets.phantom.membrane: the layout of ISBI 2012, exact labels, neighbours
alike."""

import numpy as np
import pytest
from PIL import Image, ImageSequence
from scipy.ndimage import distance_transform_edt

from medseg.datasets.phantom import membrane
from medseg.datasets.phantom.canvas import Grid

GRID = Grid(64, 1, 1.0)


def pages(path):
    with Image.open(path) as image:
        return np.stack([np.asarray(page) for page in ImageSequence.Iterator(image)])


def publish(root, *, cases=3, test_cases=2, seed=0):
    membrane.write(root, GRID, cases=cases, test_cases=test_cases, seed=seed)
    return root


def stack(size=128, slices=4):
    made = list(membrane.draw_stack(size, slices, seed=(0, 0)))
    return np.stack([image for image, _ in made]), np.stack([label for _, label in made])


def iou(one, two):
    return (one & two).sum() / (one | two).sum()


def test_the_layout_is_that_of_isbi_2012(tmp_path):
    root = publish(tmp_path / "set")
    assert sorted(p.name for p in root.iterdir()) == [
        "test-volume.tif",
        "train-labels.tif",
        "train-volume.tif",
    ]
    image, label, test = (
        pages(root / f"{name}.tif") for name in ("train-volume", "train-labels", "test-volume")
    )
    assert (image.shape, label.shape, test.shape) == ((3, 64, 64), (3, 64, 64), (2, 64, 64))
    assert image.dtype == label.dtype == np.uint8
    assert np.unique(label).tolist() == [0, 255]


def test_without_test_slices_there_is_no_test_stack(tmp_path):
    assert not (publish(tmp_path / "set", test_cases=0) / "test-volume.tif").exists()


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path):
    first, again, other = (
        pages(publish(tmp_path / name, seed=seed) / "train-volume.tif")
        for name, seed in zip("abc", (0, 0, 1), strict=True)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_a_slice_does_not_depend_on_how_many_others_there_are(tmp_path):
    few, many = publish(tmp_path / "few", cases=2), publish(tmp_path / "many", cases=4)
    for name in ("train-volume.tif", "train-labels.tif"):
        np.testing.assert_array_equal(pages(few / name), pages(many / name)[:2])


def test_the_test_stack_is_of_other_tissue(tmp_path):
    root = publish(tmp_path / "set", cases=1, test_cases=1)
    train, test = (pages(root / f"{name}-volume.tif") for name in ("train", "test"))
    assert abs(np.corrcoef(train.ravel(), test.ravel())[0, 1]) < 0.2


def test_neighbouring_slices_are_more_alike_than_distant_ones():
    _, labels = stack(slices=12)
    membranes = labels == 0
    near = np.mean([iou(membranes[k], membranes[k + 1]) for k in range(11)])
    assert near > iou(membranes[0], membranes[11]) + 0.1


@pytest.mark.parametrize("size", [48, 128, 512])
def test_membranes_are_thin_and_cover_a_fifth_of_the_slice_at_every_size(size):
    """The mean half thickness of 1.5 pixels, on a grid: membranes of 3 by cells of 24 pixels."""
    _, (label,) = stack(size, slices=1)
    assert 0.12 < (label == 0).mean() < 0.32
    assert np.median(distance_transform_edt(label == 0)[label == 0]) <= membrane.MEMBRANE_PIXELS


def test_no_threshold_finds_the_membranes():
    images, labels = stack()
    for image, label in zip(images, labels, strict=True):
        reached = [iou(image <= threshold, label == 0) for threshold in range(256)]
        assert 0.3 < max(reached) < 0.7
