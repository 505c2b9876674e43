"""Cityscapes: street scenes of 21 cities, the fine annotations of 19 classes.

Reads the folder that holds `leftImg8bit` and `gtFine`, or `leftImg8bit_trainvaltest.zip` and
`gtFine_trainvaltest.zip` as downloaded:

- `leftImg8bit/{train,val}/<city>/<city>_<6 digits>_<6 digits>_leftImg8bit.png`: RGB, 2048 x 1024;
- `gtFine/{train,val}/<city>/<city>_<6 digits>_<6 digits>_gtFine_labelIds.png`: 8-bit, the ids of
  `CLASSES` or one of the void ids, all below 34.

Writes `datalist.json` and for each picture, named `<city>_<6 digits>_<6 digits>`:

- `images/<case>.png`: the published file, byte for byte;
- `masks/<case>.png`: 8-bit, the published train id plus one, 1 (road) to 19 (bicycle), and 255
  where nothing is scored. The train ids start at 0, which is background everywhere else in medseg;
  here the value 0 does not occur.

A city counts as one sequence (the datalist's patient): the 2975 pictures of `train`, 18 cities, are
assigned to folds by city, and the 500 of `val`, 3 other cities, are the test cases. The labels of
`test` were never published, so it is left aside.

Source: Cordts et al., The Cityscapes dataset for semantic urban scene understanding, CVPR 2016;
ids, train ids and colours as in its scripts, https://github.com/mcordts/cityscapesScripts,
`helpers/labels.py` (non-commercial licence, https://www.cityscapes-dataset.com/license/).
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from medseg.datasets.picture_dataset import PictureDataset
from medseg.datasets.sources import pairs as _pairs
from medseg.datasets.sources.dataset_json import Item
from medseg.datasets.sources.layouts import make_not_found_error
from medseg.datasets.sources.picture_files import find_format
from medseg.datasets.sources.published_files import File, PublishedFiles, open_published

ARCHIVES = {
    "leftImg8bit": "leftImg8bit_trainvaltest.zip",
    "gtFine": "gtFine_trainvaltest.zip",
}
"""Folder of the pictures and of their labels -> the archive that unpacks to it."""

IGNORED = 255


@dataclass(frozen=True)
class Label:
    """A class that is scored: its name, its id in the published files, and its published colour."""

    name: str
    label_id: int
    rgb: tuple[int, int, int]


CLASSES = (
    Label("road", 7, (128, 64, 128)),
    Label("sidewalk", 8, (244, 35, 232)),
    Label("building", 11, (70, 70, 70)),
    Label("wall", 12, (102, 102, 156)),
    Label("fence", 13, (190, 153, 153)),
    Label("pole", 17, (153, 153, 153)),
    Label("traffic light", 19, (250, 170, 30)),
    Label("traffic sign", 20, (220, 220, 0)),
    Label("vegetation", 21, (107, 142, 35)),
    Label("terrain", 22, (152, 251, 152)),
    Label("sky", 23, (70, 130, 180)),
    Label("person", 24, (220, 20, 60)),
    Label("rider", 25, (255, 0, 0)),
    Label("car", 26, (0, 0, 142)),
    Label("truck", 27, (0, 0, 70)),
    Label("bus", 28, (0, 60, 100)),
    Label("train", 31, (0, 80, 100)),
    Label("motorcycle", 32, (0, 0, 230)),
    Label("bicycle", 33, (119, 11, 32)),
)
"""The scored classes in the order of their train ids, 0 to 18; in a mask each is one more."""

LABEL_VALUES = (*range(1, len(CLASSES) + 1), IGNORED)

_NAME = "cityscapes"
_MOST_ID = 33  # of the published ids, scored or void
_WANTED = f"the folder of {' and '.join(ARCHIVES.values())}"
_FILE = re.compile(
    r"(?P<part>leftImg8bit|gtFine)/(?P<split>train|val)/(?P<city>[^/]+)/"
    r"(?P<case>(?P=city)_[0-9]{6}_[0-9]{6})_(?:leftImg8bit|gtFine_labelIds)\.[A-Za-z]+"
)


def _convert(source: Path, out: Path) -> tuple[list[Item], list[Item]]:
    with _open_sources(source) as sources:
        splits = {split: _find_cases(sources, split, source=source) for split in ("train", "val")}
        for cases in splits.values():
            for case, files in cases.items():
                _pairs.copy_pair(*files, out=out, case=case, truth_mode="L", label=map_ids)
    training, testing = ([_make_item(case) for case in splits[split]] for split in ("train", "val"))
    return training, testing


def map_ids(label_ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn published ids of any shape into train ids plus one, 1 to 19, and 255 for the void ids.

    Raises:
        ValueError: an id above 33, which is not published.

    Example:
        >>> map_ids(np.array([7, 8, 33, 0, 29], np.uint8)).tolist()  # the last is a caravan
        [1, 2, 19, 255, 255]
    """
    if label_ids.size and (highest := int(label_ids.max())) > _MOST_ID:
        raise ValueError(f"id {highest} is unknown: the published ids are 0 to {_MOST_ID}")
    table = np.full(256, IGNORED, np.uint8)
    for value, scored in enumerate(CLASSES, start=1):
        table[scored.label_id] = value
    return table[label_ids]


@contextmanager
def _open_sources(source: Path) -> Iterator[list[PublishedFiles]]:
    """Open the folder, and each archive in it that is not unpacked there."""
    archives = (source / name for part, name in ARCHIVES.items() if not (source / part).is_dir())
    with ExitStack() as stack:
        yield [
            stack.enter_context(open_published(path, remedy=f"give {_WANTED}"))
            for path in (source, *(path for path in archives if path.is_file()))
        ]


def _find_cases(
    sources: Iterable[PublishedFiles], split: str, *, source: Path
) -> dict[str, tuple[File, File]]:
    """Map each case of a split, by name -> its picture and its labels."""
    found: dict[str, dict[str, File]] = {part: {} for part in ARCHIVES}
    others: dict[tuple[str, str], File] = {}
    for file in (File(published, path) for published in sources for path in published.files):
        match = _FILE.fullmatch("/".join(PurePosixPath(file.path).parts[-4:]))
        if match is None or match["split"] != split or not find_format(file.path):
            continue
        if find_format(file.path) != "PNG":
            others.setdefault((match["part"], match["case"]), file)
            continue
        if (other := found[match["part"]].setdefault(match["case"], file)) is not file:
            raise ValueError(
                f"{other.path} of {other.published.name} and {file.path} of {file.published.name} "
                "are the same file of the dataset: keep one copy"
            )
    for (part, case), file in others.items():
        if case not in found[part]:
            file.published.check_format(file.path, "PNG")
    images, labels = found.values()
    if not images and not labels:
        raise make_not_found_error(
            _NAME,
            source,
            looked_for=f"leftImg8bit/{split}/<city>/<city>_..._leftImg8bit.png and gtFine/{split}",
            remedy=f"give {_WANTED}, with --source",
        )
    kinds = "leftImg8bit.png", "gtFine_labelIds.png"
    pairs = _pairs.pair_by_name(images, labels, name=str(source.absolute()), kinds=kinds)
    return dict(sorted(pairs.items(), key=itemgetter(0)))


def _make_item(case: str) -> Item:
    return _pairs.make_item(case, case.rsplit("_", 2)[0])


DATASET = PictureDataset(
    _NAME,
    _convert,
    label_values=LABEL_VALUES,
    unit="city",
)
prepare = DATASET.prepare
