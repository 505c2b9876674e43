"""Nuclei: cell nuclei in microscopy, the Data Science Bowl 2018 as Kaggle gives it.

As published, each picture is `<id>/images/<id>.png` (RGBA) with one mask of 0 and 255 per nucleus,
`<id>/masks/*.png`, in a folder or in `stage1_train.zip`. `prepare` makes three files of it
and `datalist.json`:

- `images/<id>.png`: RGB;
- `masks/<id>.png`: 8-bit, 255 where there is a nucleus;
- `instances/<id>.png`: 16-bit, nuclei numbered from 1 in the order of their files, 0 elsewhere.

Where masks overlap, as in 6 of the 598 pictures, a pixel stays with the mask whose file comes
first, and a warning names the picture. A nucleus that lies under others as a whole has no number.

It is not published which pictures come from the same slide, so each counts as a patient.

Source: Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl,
Nature Methods, 2019 (CC0).
"""

import logging
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medseg.base.text import count_noun
from medseg.datasets.picture_dataset import PictureDataset
from medseg.datasets.sources import pairs
from medseg.datasets.sources import stamp as _stamp
from medseg.datasets.sources.dataset_json import Item
from medseg.datasets.sources.layouts import make_not_found_error
from medseg.datasets.sources.picture_files import LOSSLESS, find_format
from medseg.datasets.sources.published_files import File, PublishedFiles, open_published

logger = logging.getLogger(__name__)

_MOST_NUCLEI = np.iinfo(np.uint16).max  # that a 16-bit PNG can number
ARCHIVE = "stage1_train.zip"
_NAME = "nuclei"
_PARTS = ("images", "instances", "masks")
_MOST_BYTES = 2**26  # of one published file; the largest has less than 2 MB
_WANTED = f"the folder or the archive of the Data Science Bowl 2018, {ARCHIVE}"
_DAMAGED = "{file} cannot be read ({reason}): unpack the archive again"


def _convert(source: Path, out: Path) -> tuple[list[Item], list[Item]]:
    archive = source / ARCHIVE  # in a folder of downloads
    with open_published(
        archive if archive.is_file() else source,
        remedy=f"give {_WANTED}",
        most_bytes=_MOST_BYTES,
        damaged=_DAMAGED,
    ) as published:
        pictures = _group_files(published)
        for name, (image, masks) in pictures.items():
            paths = [out / part / f"{name}.png" for part in _PARTS]
            stamp = _stamp.hash_files(*(File(published, file) for file in (image, *masks)))
            if not pairs.is_made(*paths, stamp=stamp):
                arrays = _read_arrays(published, image, masks, name=name)
                pairs.save_case(dict(zip(paths, arrays, strict=True)), stamp=stamp)
    names = sorted(pictures)
    return [pairs.make_item(name, name, instances=f"instances/{name}.png") for name in names], []


def _group_files(published: PublishedFiles) -> dict[str, tuple[str, list[str]]]:
    """Map each picture's name -> its image and its masks, in alphabetical order."""
    images: dict[str, str] = {}
    masks: dict[str, dict[str, list[str]]] = {}
    for file in sorted(published.files):
        match PurePosixPath(file).parts:
            case (name, "images", found) if find_format(found) and _get_stem(found) == name:
                if images.setdefault(name, file) != file and find_format(found) == "PNG":
                    images[name] = file
            case (name, "masks", found) if find_format(found):
                masks.setdefault(name, {}).setdefault(_get_stem(found), []).append(file)
    if not images or not masks:
        raise make_not_found_error(
            _NAME,
            published.name,
            looked_for="<id>/images/<id>.png and <id>/masks/*.png",
            remedy=f"give {_WANTED}, with --source",
        )
    for name in sorted(images.keys() ^ masks.keys()):
        lacking = "masks" if name in images else "image"
        raise ValueError(
            f"picture {name} in {published.name} has no {lacking}: unpack the archive again, or "
            "give a folder with only this dataset"
        )
    chosen = {name: [_choose_lossless(found) for found in masks[name].values()] for name in images}
    for file in (file for found in chosen.values() for file in found):
        published.check_format(file, *LOSSLESS)
    return {name: (image, chosen[name]) for name, image in images.items()}


def _get_stem(name: str) -> str:
    return PurePosixPath(name).stem


def _choose_lossless(files: list[str]) -> str:
    """Of files of one stem the first that keeps its values; the first where none does."""
    return next((file for file in files if find_format(file) in LOSSLESS), files[0])


def _read_arrays(
    published: PublishedFiles, image: str, masks: list[str], *, name: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint8]]:
    """The pictures of `_PARTS`."""
    picture = published.read_picture(image).convert("RGB")
    instances = _number_nuclei(published, masks, size=picture.size, name=name)
    return np.asarray(picture), instances, (instances > 0).astype(np.uint8) * 255


def _number_nuclei(
    published: PublishedFiles, masks: list[str], *, size: tuple[int, int], name: str
) -> NDArray[np.uint16]:
    """Number the nuclei from 1, (rows, columns) of uint16; `size` is (columns, rows)."""
    if len(masks) > _MOST_NUCLEI:
        raise ValueError(
            f"picture {name} has {len(masks)} masks, a 16-bit PNG numbers {_MOST_NUCLEI} at most: "
            "cut the picture into smaller ones"
        )
    instances = np.zeros(size[::-1], np.uint16)
    overlap = 0
    for number, file in enumerate(masks, start=1):
        mask, box = _read_mask(published, file, size=size)
        left, top, right, bottom = box
        nucleus, place = np.asarray(mask.crop(box)) > 0, instances[top:bottom, left:right]
        overlap += np.count_nonzero(place[nucleus])
        place[nucleus & (place == 0)] = number
    if overlap:
        kept = "the first in order keeps them"
        shared = count_noun(overlap, "pixel")
        logger.warning("masks of picture %s overlap in %s: %s", name, shared, kept)
    return instances


def _read_mask(
    published: PublishedFiles, file: str, *, size: tuple[int, int]
) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """The mask of one nucleus in grey, and the box around the nucleus."""
    mask = published.read_picture(file).convert("L")
    if mask.size != size:
        has, needed = (f"{columns} x {rows} pixels" for columns, rows in (mask.size, size))
        raise ValueError(
            f"mask {file} has {has} and its picture {needed}: unpack the archive again"
        )
    if (box := mask.getbbox()) is None:
        raise ValueError(f"mask {file} is empty: unpack the archive again, or remove it")
    return mask, box


DATASET = PictureDataset(
    _NAME,
    _convert,
    label_values=pairs.LABEL_VALUES,
    test_share=0.2,
    unit="different picture",
)
prepare = DATASET.prepare
