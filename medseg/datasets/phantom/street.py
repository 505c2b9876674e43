"""Street phantom: synthetic views along a street, in the layouts of KITTI road and Cityscapes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medseg.datasets.phantom.canvas import Grid, Mask
from medseg.datasets.phantom.street_view import PARKING, View, draw, draw_photograph

_CITIES = {
    "train": ("aachen", "bochum", "bremen", "cologne", "darmstadt", "dusseldorf", "erfurt"),
    "val": ("frankfurt", "lindau", "munster"),
}
_CATEGORIES = {"um": 2, "umm": 4, "uu": 0}  # KITTI's, and the lanes that are marked
_FRAMES_APART = 16  # each a sequence of its own in medseg.datasets.kitti_road
_RED, _BLUE = 0, 2


def write_road(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write `training` and `testing` as in `data_road.zip`, categories in turn.

    Pictures have `grid.size` rows and 3.3 times as many columns, two less in the second category
    and four in the third. Those for testing come without truth, as published. The mouth of a side
    street is not to be scored, black in the truth.
    """
    for part, split, count in (("training", 0, cases), ("testing", 1, test_cases)):
        for number in range(count):
            category = tuple(_CATEGORIES)[number % len(_CATEGORIES)]
            frame = number // len(_CATEGORIES) * _FRAMES_APART
            columns = round(3.3 * grid.size) - 2 * (number % len(_CATEGORIES))
            rng = np.random.default_rng((seed, split, number))
            view = draw(rng, grid.size, columns, turn=number, lanes=_CATEGORIES[category])
            _save(
                draw_photograph(rng, view), root / part / "image_2" / f"{category}_{frame:06d}.png"
            )
            if part == "training":
                folder = root / part / "gt_image_2"
                _save(_colour_truth(view, view.road), folder / f"{category}_road_{frame:06d}.png")
                if category == "um":
                    _save(_colour_truth(view, view.own_lane), folder / f"um_lane_{frame:06d}.png")


def write_city(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write `leftImg8bit` and `gtFine` as Cityscapes has them: `cases` in train, the rest in val.

    Pictures have `grid.size` rows and twice as many columns. Cities come in turn, seven in train
    and three in val. Three cases of train show every class; the bonnet of the car with the camera,
    the border and a parking area are void.
    """
    for split, (part, count) in enumerate((("train", cases), ("val", test_cases))):
        for number in range(count):
            cities = _CITIES[part]
            city = cities[number % len(cities)]
            rng = np.random.default_rng((seed, split, number))
            view = draw(rng, grid.size, 2 * grid.size, turn=number, lanes=2)
            view.cover()
            name = f"{city}_{number // len(cities):06d}_000019"
            _save(
                draw_photograph(rng, view),
                root / "leftImg8bit" / part / city / f"{name}_leftImg8bit.png",
            )
            _save(view.ids, root / "gtFine" / part / city / f"{name}_gtFine_labelIds.png")


def _colour_truth(view: View, road: Mask) -> NDArray[np.uint8]:
    """KITTI's colours: red where a pixel counts, blue too where it is road."""
    truth = np.zeros((*view.ids.shape, 3), np.uint8)
    truth[view.ids != PARKING, _RED] = 255
    truth[road, _BLUE] = 255
    return truth


def _save(array: NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, compress_level=1)
