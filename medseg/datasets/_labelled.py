"""Labelled: a published picture and its labels, checked against each other and written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.datasets import _pairs
from medseg.datasets._published import Published
from medseg.files import whole

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class File:
    """A file of a folder or archive."""

    published: Published
    path: str

    def array(self, *, mode: str) -> Bytes:
        """Its pixels; ValueError where it is unreadable or of another mode than published."""
        picture = self.published.picture(self.path)
        if picture.mode != mode:
            raise ValueError(
                f"{self.path} of {self.published.name} is a picture of mode {picture.mode}, {mode} "
                "is published: download or unpack it again"
            )
        return np.asarray(picture)


def convert(
    case: str,
    image: File,
    truth: File,
    *,
    truth_mode: str,
    label: Callable[[Bytes], Bytes],
    out: Path,
) -> None:
    """Write `images/<case>.png`, byte for byte as published, and `masks/<case>.png`.

    Nothing is done where both are there.

    Args:
        case: name of the case.
        image: an RGB picture of 8 bits, as PNG.
        truth: what its labels are made of.
        truth_mode: Pillow's name of the mode in which the truth is published.
        label: turns the truth into a mask, (rows, columns); ValueError where it is none.
        out: the prepared folder.

    Raises:
        ValueError: a file is unreadable or not as published, or the two differ in size; it is
            named, and no mask is written.
    """
    image_path, mask_path = out / "images" / f"{case}.png", out / "masks" / f"{case}.png"
    if image_path.is_file() and mask_path.is_file():
        return
    picture, content = image.array(mode="RGB"), truth.array(mode=truth_mode)
    if picture.shape[:2] != content.shape[:2]:
        has, needed = (f"{a.shape[1]} x {a.shape[0]} pixels" for a in (content, picture))
        raise ValueError(
            f"{truth.path} has {has} and its picture {needed}: download or unpack it again"
        )
    try:
        mask = label(content)
    except ValueError as error:
        raise ValueError(f"{truth.path}: {error}: download or unpack it again") from error
    with whole(image_path) as partial:
        partial.write_bytes(image.published.read(image.path))
    _pairs.save(mask, mask_path)
