"""Pairs: a picture and its mask, paired by name, checked and written as two PNG files.

`write_pair` takes a picture and a boolean mask; `copy_pair` takes a picture that stays as it was
published, and labels that are translated. A case that is there and was made of the same content is
left as it is, see `medseg.datasets.sources.stamp`; any other case is made again.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medseg.base.files import remove, set_aside, whole
from medseg.base.text import shorten_list
from medseg.datasets.sources import stamp as _stamp
from medseg.datasets.sources.picture_files import find_format
from medseg.datasets.sources.published_files import File

logger = logging.getLogger(__name__)

LABEL_VALUES = (0, 255)

_COMPRESSION = 1  # of zlib: the fastest; the files are a fifth larger than at the default

_T = TypeVar("_T")

Pair = tuple[NDArray[Any], NDArray[np.bool_]]

Bytes = NDArray[np.uint8]


def pair_by_name(
    images: Mapping[str, _T],
    masks: Mapping[str, _T],
    *,
    name: str,
    kinds: tuple[str, str] = ("image", "mask"),
    files: Iterable[str] = (),
) -> dict[str, tuple[_T, _T]]:
    """Map each case -> its image and its mask, in the order of the images.

    Args:
        images: case -> file.
        masks: likewise.
        name: the folder or archive, for the message.
        kinds: what an image and a mask are called there.
        files: all that is there, of which the message names those with the name of a case.

    Raises:
        ValueError: an image without a mask, or the other way round.
    """
    for case in sorted(images.keys() ^ masks.keys()):
        lacking = kinds[1] if case in images else kinds[0]
        unread = [f for f in files if PurePosixPath(f).stem == case and not find_format(f)]
        said = f", and {shorten_list(unread)} is in an unsupported format" if unread else ""
        raise ValueError(
            f"case {case} in {name} has no {lacking}{said}: download or unpack it again"
        )
    return {case: (file, masks[case]) for case, file in images.items()}


def make_item(case: str, patient: str, **more: Any) -> dict[str, Any]:
    """An entry of a datalist for the files that `write_pair` makes."""
    files = {"image": f"images/{case}.png", "label": f"masks/{case}.png"}
    return {"case": case, "patient": patient, **files, **more}


def write_pair(out: Path, case: str, *, stamp: str, load: Callable[[], Pair]) -> None:
    """Write `images/<case>.png` and `masks/<case>.png`, unless both are there, of the same stamp.

    Args:
        out: the prepared folder.
        case: name of the case.
        stamp: that of the published files of the case.
        load: gives the picture, (rows, columns) or (rows, columns, 3) of uint8 or uint16, and its
            mask, (rows, columns) of bool, written as 0 and 255; it is called only if needed.

    Raises:
        ValueError: the mask is empty or of another size than the picture; then nothing is written.
    """
    paths = _get_paths(out, case)
    if is_made(*paths, stamp=stamp):
        return
    image, mask = load()
    if image.shape[:2] != mask.shape:
        raise ValueError(
            f"the mask of case {case} has {_format_size(mask)} and its image "
            f"{_format_size(image)}: download the dataset again"
        )
    if not mask.any():
        raise ValueError(
            f"the mask of case {case} is empty: download the dataset again, or remove the case"
        )
    save_case(dict(zip(paths, (image, mask.astype(np.uint8) * 255), strict=True)), stamp=stamp)


def copy_pair(
    image: File,
    truth: File,
    *,
    out: Path,
    case: str,
    truth_mode: str,
    label: Callable[[Bytes], Bytes],
) -> None:
    """Write `images/<case>.png`, byte for byte as published, and `masks/<case>.png`.

    Nothing is done where both are there, of the stamp of these files.

    Args:
        image: an RGB picture of 8 bits, as PNG.
        truth: what its labels are made of.
        out: the prepared folder.
        case: name of the case.
        truth_mode: Pillow's name of the mode in which the truth is published.
        label: turns the truth into a mask, (rows, columns); raises ValueError where it cannot.

    Raises:
        ValueError: a file is unreadable or not as published, or the two differ in size; it is
            named, and no mask is written.
    """
    image_path, mask_path = _get_paths(out, case)
    stamp = _stamp.hash_files(image, truth)
    if is_made(image_path, mask_path, stamp=stamp):
        return
    picture, content = image.read_array(mode="RGB"), truth.read_array(mode=truth_mode)
    if picture.shape[:2] != content.shape[:2]:
        raise ValueError(
            f"{truth.path} has {_format_size(content)} and its picture {_format_size(picture)}: "
            "download or unpack it again"
        )
    try:
        mask = label(content)
    except ValueError as error:
        raise ValueError(f"{truth.path}: {error}: download or unpack it again") from error
    clear(mask_path)
    with whole(image_path) as partial:
        partial.write_bytes(image.read())
    save(mask, mask_path, stamp=stamp)


def is_made(*paths: Path, stamp: str) -> bool:
    """Whether the pictures of a case are there, the last of them with this stamp."""
    return all(path.is_file() for path in paths) and _stamp.read(paths[-1]) == stamp


def save_case(pictures: Mapping[Path, NDArray[Any]], *, stamp: str) -> None:
    """Write the pictures of a case one after the other, the last of them with the stamp.

    The last picture of an earlier run is removed first. So a run that is interrupted leaves an
    incomplete case, and never a new picture with an old mask.
    """
    *others, last = pictures
    clear(last)
    for path in others:
        save(pictures[path], path)
    save(pictures[last], last, stamp=stamp)


def clear(path: Path) -> None:
    """Remove the last picture of a case; one without a stamp was changed by a user, and is kept."""
    if path.is_file() and _stamp.read(path) is None:
        logger.warning("%s was changed here: kept as %s", path, set_aside(path))
    remove(path)


def save(array: NDArray[Any], path: Path, *, stamp: str | None = None) -> None:
    """Write a picture as PNG of 8 or 16 bits, whole or not at all, with its stamp if it has one."""
    info = None if stamp is None else _stamp.make_chunk(stamp)
    with whole(path) as partial:
        picture = Image.fromarray(array)
        picture.save(partial, format="PNG", compress_level=_COMPRESSION, pnginfo=info)


def _get_paths(out: Path, case: str) -> tuple[Path, Path]:
    """The files of the picture and of the mask."""
    return out / "images" / f"{case}.png", out / "masks" / f"{case}.png"


def _format_size(array: NDArray[Any]) -> str:
    return f"{array.shape[1]} x {array.shape[0]} pixels"
