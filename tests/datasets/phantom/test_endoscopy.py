"""Tests of medseg.datasets.phantom.endoscopy: the layout of Kvasir-SEG, exact masks, no easy
threshold."""

import json

import numpy as np
import pytest
from PIL import Image

from medseg.datasets.phantom import endoscopy
from medseg.datasets.phantom.canvas import Grid

GRID = Grid(64, 1, 1.0)


def publish(root, *, cases=3, test_cases=0, seed=0, grid=GRID):
    endoscopy.write(root, grid, cases=cases, test_cases=test_cases, seed=seed)
    return root / "Kvasir-SEG"


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.jpg")}


def draw(number, size=128):
    return endoscopy.draw(np.random.default_rng((0, number)), size)


def best_overlap(values, mask):
    """The highest IoU with the mask that a threshold reaches, from above or below."""
    found = 0.0
    for threshold in np.quantile(values, np.linspace(0, 1, 65)):
        for side in (values > threshold, values <= threshold):
            found = max(found, (side & mask).sum() / (side | mask).sum())
    return found


def test_the_layout_is_that_of_kvasir_seg(tmp_path):
    root = publish(tmp_path, cases=3, test_cases=2)
    names = [f"phantom{number:04d}" for number in range(5)]
    assert sorted(p.stem for p in (root / "images").iterdir()) == names
    assert sorted(p.stem for p in (root / "masks").iterdir()) == names
    for name in names:
        image, mask = (Image.open(root / part / f"{name}.jpg") for part in ("images", "masks"))
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 64))
        assert (mask.format, mask.mode, mask.size) == ("JPEG", "L", (64, 64))
    assert sorted(json.loads((root / "kavsir_bboxes.json").read_text())) == names


@pytest.mark.parametrize("size", [48, 64, 224])
def test_a_jpeg_mask_above_127_is_the_exact_mask(tmp_path, size):
    root = publish(tmp_path, grid=Grid(size, 1, 1.0))
    for number in range(3):
        _, mask = draw(number, size)
        stored = np.asarray(Image.open(root / "masks" / f"phantom{number:04d}.jpg"))
        np.testing.assert_array_equal(stored > 127, mask)


def test_the_box_touches_the_mask_on_all_sides(tmp_path):
    root = publish(tmp_path, cases=1)
    entry = json.loads((root / "kavsir_bboxes.json").read_text())["phantom0000"]
    (box,) = entry["bbox"]
    rows, columns = np.nonzero(draw(0, 64)[1])
    assert (box["ymin"], box["ymax"]) == (rows.min(), rows.max())
    assert (box["xmin"], box["xmax"]) == (columns.min(), columns.max())
    assert (entry["height"], entry["width"]) == (64, 64)


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path):
    first, again, other = (
        contents(publish(tmp_path / name, seed=seed))
        for name, seed in zip("abc", (0, 0, 1), strict=True)
    )
    assert first == again
    assert not set(first.values()) & set(other.values())


def test_a_picture_does_not_depend_on_how_many_others_there_are(tmp_path):
    few = contents(publish(tmp_path / "few", cases=2))
    many = contents(publish(tmp_path / "many", cases=3, test_cases=1))
    assert few.items() < many.items()


def test_every_picture_has_a_polyp_of_a_few_percent_and_no_two_are_alike():
    masks = [draw(number)[1] for number in range(20)]
    assert all(0.02 < mask.mean() < 0.2 for mask in masks)
    assert len({mask.tobytes() for mask in masks}) == 20


def test_no_threshold_of_a_colour_finds_the_polyps():
    reached = []
    for number in range(12):
        picture, mask = draw(number)
        red, green, blue = np.moveaxis(picture.astype(float), -1, 0)
        shares = (red / (red + green + blue + 1), green / (red + green + blue + 1))
        reached.append(max(best_overlap(v, mask) for v in (red, green, blue, *shares)))
    assert np.mean(reached) < 0.6
