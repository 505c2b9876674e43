"""Pairs: a picture and its mask, paired by name, checked and written as two PNG files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medseg.files import whole

LABEL_VALUES = (0, 255)

_COMPRESSION = 1  # of zlib: the fastest; the files are a fifth larger than at the default

Pair = tuple[NDArray[Any], NDArray[np.bool_]]


def paired(
    images: Mapping[str, str], masks: Mapping[str, str], *, name: str
) -> dict[str, tuple[str, str]]:
    """Map each case -> its image and its mask, in the order of the images.

    Args:
        images: case -> file.
        masks: likewise.
        name: the folder or archive, for the message.

    Raises:
        ValueError: an image without a mask, or the other way round.
    """
    for case in sorted(images.keys() ^ masks.keys()):
        lacking = "mask" if case in images else "image"
        raise ValueError(f"case {case} in {name} has no {lacking}: download or unpack it again")
    return {case: (file, masks[case]) for case, file in images.items()}


def item(case: str, patient: str, **more: Any) -> dict[str, Any]:
    """An entry of a datalist for the files that `write` makes."""
    files = {"image": f"images/{case}.png", "label": f"masks/{case}.png"}
    return {"case": case, "patient": patient, **files, **more}


def write(out: Path, case: str, load: Callable[[], Pair]) -> None:
    """Write `images/<case>.png` and `masks/<case>.png`, unless both are there.

    Args:
        out: the prepared folder.
        case: name of the case.
        load: gives the picture, (rows, columns) or (rows, columns, 3) of uint8 or uint16, and its
            mask, (rows, columns) of bool, written as 0 and 255; it is called only if needed.

    Raises:
        ValueError: the mask is empty or of another size than the picture; then nothing is written.
    """
    image_path, mask_path = out / "images" / f"{case}.png", out / "masks" / f"{case}.png"
    if image_path.is_file() and mask_path.is_file():
        return
    image, mask = load()
    if image.shape[:2] != mask.shape:
        has, needed = (f"{shape[1]} x {shape[0]} pixels" for shape in (mask.shape, image.shape))
        raise ValueError(
            f"the mask of case {case} has {has} and its image {needed}: download the dataset again"
        )
    if not mask.any():
        raise ValueError(
            f"the mask of case {case} is empty: download the dataset again, or remove the case"
        )
    save(image, image_path)
    save(mask.astype(np.uint8) * 255, mask_path)


def save(array: NDArray[Any], path: Path) -> None:
    """Write a picture as PNG of 8 or 16 bits, whole or not at all."""
    with whole(path) as partial:
        Image.fromarray(array).save(partial, format="PNG", compress_level=_COMPRESSION)
