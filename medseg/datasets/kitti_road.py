"""KITTI road: streets around Karlsruhe, the drivable road apart from everything else.

Reads `data_road.zip`, or the folder that it unpacks to:

- `training/image_2/{um,umm,uu}_<6 digits>.png`: RGB, about 1242 x 375 pixels, sizes vary;
- `training/gt_image_2/{um,umm,uu}_road_<6 digits>.png`: red where a pixel counts, with blue added
  where it is road, so magenta is road, red is not and black is not to be scored. `um_lane_*.png`,
  the ego lane, is not read.

Writes `datalist.json` and for each labelled picture, named as published:

- `images/<case>.png`: the published file, byte for byte;
- `masks/<case>.png`: 8-bit, 1 road, 0 not road, 255 not to be scored.

The categories are marked two-way streets (um, 95 pictures), marked streets of several lanes (umm,
96) and unmarked ones (uu, 98). The pictures of a category come from a few drives in order of time,
and it is not published where a drive ends. Each run of `BLOCK` numbers of a category therefore
counts as one sequence (the datalist's patient): 19 in the whole set. Two neighbouring runs can
still share a drive, so a score on folds is a little kinder than one on the benchmark's server.

The labels of the 290 pictures in `testing/image_2` were never published: a fifth of the sequences
is set apart for testing instead, and those pictures are left where they are.

Source: Fritsch, Kühnl, Geiger, A new performance measure and evaluation benchmark for road
detection algorithms, ITSC 2013; colours as its development kit reads them (CC BY-NC-SA 3.0).
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.datasets.picture_dataset import PictureDataset
from medseg.datasets.sources import pairs
from medseg.datasets.sources.dataset_json import Item
from medseg.datasets.sources.layouts import make_not_found_error
from medseg.datasets.sources.published_files import File, PublishedFiles, open_published

ARCHIVE = "data_road.zip"

ROAD, NOT_ROAD, IGNORED = 1, 0, 255

BLOCK = 16
"""Numbers of a category that count as one sequence."""

_NAME = "kitti_road"
_IMAGE = re.compile(r"(um|umm|uu)_([0-9]{6})")
_TRUTH = re.compile(r"(um|umm|uu)_road_([0-9]{6})")


def _convert(source: Path, out: Path) -> tuple[list[Item], list[Item]]:
    with open_published(source, remedy=f"give {ARCHIVE} or the folder data_road") as published:
        cases = _find_cases(published)
        for case, (image, truth) in cases.items():
            files = File(published, image), File(published, truth)
            pairs.copy_pair(*files, out=out, case=case, truth_mode="RGB", label=map_colours)
    return [_make_item(case) for case in cases], []


def map_colours(truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn a published truth, RGB (rows, columns, 3), into 1 road, 0 not road, 255 not scored.

    As in the development kit, a pixel counts where it has red, and is road where it has blue.

    Raises:
        ValueError: it has green, or no pixel counts: it is another picture.

    Example:
        >>> colours = [[[255, 0, 255], [255, 0, 0], [0, 0, 0]]]
        >>> map_colours(np.array(colours, np.uint8)).tolist()
        [[1, 0, 255]]
    """
    counts = truth[..., 0] > 0
    if truth[..., 1].any() or not counts.any():
        raise ValueError("it is not in red, magenta and black")
    return np.where(counts, np.where(truth[..., 2] > 0, ROAD, NOT_ROAD), IGNORED).astype(np.uint8)


def _find_cases(published: PublishedFiles) -> dict[str, tuple[str, str]]:
    """Map each case, "um_000000", -> its picture and its truth."""
    images = _find_numbered(published, "training/image_2", _IMAGE)
    truths = _find_numbered(published, "training/gt_image_2", _TRUTH)
    if not images and not truths:
        raise make_not_found_error(
            _NAME,
            published.name,
            looked_for="training/image_2/um_000000.png, training/gt_image_2/um_road_000000.png and "
            "the like",
            remedy=f"give {ARCHIVE} or the folder data_road, with --source",
        )
    return pairs.pair_by_name(images, truths, name=published.name, files=published.files)


def _find_numbered(
    published: PublishedFiles, folder: str, pattern: re.Pattern[str]
) -> dict[str, str]:
    """Map category and number -> the file of a folder whose name has the pattern."""
    found = published.find_stems(folder, first="PNG")
    matches = ((pattern.fullmatch(stem), file) for stem, file in found.items())
    numbered = {f"{match[1]}_{match[2]}": file for match, file in matches if match}
    for file in numbered.values():
        published.check_format(file, "PNG")
    return numbered


def _make_item(case: str) -> Item:
    category, _, number = case.partition("_")
    return pairs.make_item(case, f"{category}_{int(number) // BLOCK:02d}")


DATASET = PictureDataset(
    _NAME,
    _convert,
    label_values=(NOT_ROAD, ROAD, IGNORED),
    test_share=0.2,
    unit="run",
)
prepare = DATASET.prepare
