"""Nuclei: cell nuclei in microscopy, the Data Science Bowl 2018 as Kaggle gives it.

As published, each picture is `<id>/images/<id>.png` (RGBA) with one mask of 0 and 255 per nucleus,
`<id>/masks/*.png`, in a folder or in `stage1_train.zip`. `prepare` makes three files of it:

- `images/<id>.png`: RGB;
- `masks/<id>.png`: 8-bit, 255 where there is a nucleus;
- `instances/<id>.png`: 16-bit, nuclei numbered from 1, 0 elsewhere.

Nothing published tells which pictures come from the same slide, so each counts as a patient.

Source: Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl,
Nature Methods, 2019 (CC0).
"""

import logging
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from medseg.datasets.datalist import Item, build, hold_out, select
from medseg.files import whole

logger = logging.getLogger(__name__)

TEST_SHARE = 0.2
"""Share of the pictures held out for testing, whatever the fold."""

ARCHIVE = "stage1_train.zip"
_PARTS = ("images", "masks", "instances")


def cases(
    dataset_dir: str | os.PathLike[str],
    section: str = "training",
    *,
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
) -> list[Item]:
    """List the pictures of one section of a prepared set, for a bundle's dataset.

    Args:
        dataset_dir: folder that `prepare` wrote.
        section: "training" (every fold but `fold`), "validation" (`fold`) or "test" (held out by
            `seed` alone).
        fold: the fold kept for validation, 0 to folds - 1.
        folds: number of folds.
        seed: seed of the test pictures and of the folds.

    Returns:
        Dictionaries with the absolute paths "image", "label" (0 and 255) and "instances", "case"
        and "patient".

    Raises:
        FileNotFoundError: no prepared pictures there.
        ValueError: a picture lacks its masks, a section or fold has no cases, too few pictures.

    Example:
        >>> cases("data/nuclei", "validation", fold=2)  # doctest: +SKIP
        [{"image": "/data/nuclei/images/00ae65c1.png", "label": ..., "instances": ...}, ...]
    """
    return select(datalist(dataset_dir, folds=folds, seed=seed), section, fold=fold)


def datalist(
    dataset_dir: str | os.PathLike[str], *, folds: int = 5, seed: int = 0
) -> dict[str, Any]:
    """Make the datalist of a prepared set, with absolute paths. Raises as `cases` does."""
    root = Path(dataset_dir).absolute()
    found = {part: {path.stem for path in (root / part).glob("[!.]*.png")} for part in _PARTS}
    names = set().union(*found.values())
    if not names:
        raise FileNotFoundError(
            f"no prepared nuclei in {root} (looked for images, masks and instances): run "
            f"`medseg prepare nuclei --source {ARCHIVE} --out {root}`"
        )
    if odd := sorted(name for name in names if any(name not in found[part] for part in _PARTS)):
        raise ValueError(
            f"{len(odd)} of {len(names)} pictures in {root} lack their image, mask or instances, "
            f"first {odd[0]}: prepare the set again"
        )
    items = [_item(root, name) for name in sorted(names)]
    training, testing = hold_out(items, TEST_SHARE, seed=seed)
    return build("nuclei", training, testing=testing, folds=folds, seed=seed)


def prepare(source: str | os.PathLike[str], out: str | os.PathLike[str]) -> int:
    """Convert the published set, see the top of this file; return the number of pictures.

    Pictures that are done are left as they are, so that an interrupted run can be repeated.

    Args:
        source: the folder of the `<id>` folders, or their zip archive.
        out: folder to write.

    Raises:
        FileNotFoundError: no pictures in `source`.
        ValueError: a picture without masks, masks of another size, an empty mask, or two masks that
            overlap, naming the file.
    """
    archive, target = _open(Path(source)), Path(out)
    for part in _PARTS:
        (target / part).mkdir(parents=True, exist_ok=True)
    names = 0
    for name, image, masks in _published(archive, Path(source)):
        names += 1
        files = {part: target / part / f"{name}.png" for part in _PARTS}
        if all(path.is_file() for path in files.values()):
            continue
        picture = _read(image).convert("RGB")
        instances = _number([(mask.name, _read(mask)) for mask in masks], picture.size, name=name)
        _write(picture, files["images"])
        _write(Image.fromarray((instances > 0).astype(np.uint8) * 255), files["masks"])
        _write(Image.fromarray(instances), files["instances"])
    return names


_Entry = Path | zipfile.Path


def _open(source: Path) -> _Entry:
    if source.is_dir():
        return source
    if not source.is_file():
        raise FileNotFoundError(f"no such file or folder: {source.absolute()}: give {ARCHIVE}")
    if not zipfile.is_zipfile(source):
        raise ValueError(f"{source.absolute()} is no zip archive: download {ARCHIVE} again")
    return zipfile.Path(zipfile.ZipFile(source))


def _published(archive: _Entry, source: Path) -> Iterator[tuple[str, _Entry, list[_Entry]]]:
    """Each picture's name, its image and its masks, in the order of the names."""
    folders = [entry for entry in archive.iterdir() if (entry / "images").is_dir()]
    if not folders:
        raise FileNotFoundError(
            f"no <id>/images/<id>.png in {source.absolute()}: give the folder or the archive of "
            "the Data Science Bowl 2018, stage1_train"
        )
    for folder in sorted(folders, key=lambda entry: entry.name):
        image = folder / "images" / f"{folder.name}.png"
        masks = folder / "masks"
        found = sorted(masks.iterdir(), key=lambda e: e.name) if masks.is_dir() else []
        found = [mask for mask in found if PurePosixPath(mask.name).suffix == ".png"]
        if not image.is_file() or not found:
            lacking = "picture" if not image.is_file() else "masks"
            raise ValueError(f"{folder} in {source} has no {lacking}: unpack the archive again")
        yield folder.name, image, found


def _read(path: _Entry) -> Image.Image:
    with path.open("rb") as file, Image.open(file) as image:
        image.load()
        return image.copy()


def _number(
    masks: list[tuple[str, Image.Image]], size: tuple[int, int], *, name: str
) -> np.ndarray:
    """Number the nuclei from 1, (rows, columns) of uint16."""
    instances = np.zeros(size[::-1], np.uint16)
    for number, (file, mask) in enumerate(masks, start=1):
        nucleus = np.asarray(mask.convert("L")) > 0
        if nucleus.shape != instances.shape or not nucleus.any():
            raise ValueError(
                f"mask {file} of picture {name} has {nucleus.sum()} pixels in shape "
                f"{nucleus.shape}, the picture {instances.shape}: unpack the archive again"
            )
        if instances[nucleus].any():
            logger.warning("mask %s of picture %s overlaps another one", file, name)
        instances[nucleus & (instances == 0)] = number
    return instances


def _write(image: Image.Image, path: Path) -> None:
    with whole(path) as partial:
        image.save(partial, format="PNG")


def _item(root: Path, name: str) -> Item:
    return {
        "case": name,
        "patient": name,
        "image": str(root / "images" / f"{name}.png"),
        "label": str(root / "masks" / f"{name}.png"),
        "instances": str(root / "instances" / f"{name}.png"),
    }
