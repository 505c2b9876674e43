"""Picture: write a picture's label map as PNG and its preview, all or nothing."""

import logging
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey
from PIL import Image
from torch import Tensor

from medseg.base.class_values import Classes
from medseg.base.files import whole
from medseg.inference.outputs.label_map import class_indices
from medseg.inference.outputs.notes import notes_of, png_text
from medseg.inference.outputs.preview import draw_picture
from medseg.ingest.pictures.load import PictureReader

logger = logging.getLogger(__name__)

_WHITE = 255
_BRIGHTEST = 99.9
_DRAWN_PERCENTILES = (1, 99)


class WritePictureLabeld(MapTransform):
    """Writes `<output_dir>/<case>_label.png`: 8-bit class indices, of the size of the picture.

    The values are 0, 1, 2, ...: nearly black on a screen, the preview is there to be looked at.
    Place it after `Invertd`. An existing file is replaced; `find_pictures` guards against that.

    Args:
        keys: key of the label map, (1, I, J), already brought back to the size of its picture.
        output_dir: folder, made if absent.
        image_key: the picture as it went into the network; its meta data know the source size.

    Raises:
        ValueError: the label map has another size than its picture, or values that are not the
            integers 0 to 255.
    """

    def __init__(
        self, keys: KeysCollection, output_dir: str | os.PathLike, *, image_key: str = "image"
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            path = self.output_dir / f"{data['case']}_label.png"
            image = data[self.image_key]
            shape = [int(n) for n in image.meta["spatial_shape"]]
            write_picture_label(data[key], path, shape=shape, notes=notes_of(image))
            logger.info("label map: %s", path)
        return dict(data)


class WritePicturePreviewd(MapTransform):
    """Writes `<output_dir>/<case>.png`: the picture with the classes on top, see `draw_picture`.

    Place it behind `Invertd`: the picture is read again from its file and drawn at its own size,
    whatever went into the network. Its brightest pixels are drawn white, so that fluorescence is
    seen; grey of more than 8 bits is drawn from its 1st to its 99th percentile.

    Args:
        keys: key of the label map, (1, I, J), already brought back to the size of its picture.
        output_dir: folder, made if absent.
        classes: the foreground classes in order: their names, or each with the label values that
            it gathers, so that a region is counted with those within it.
        image_key: the picture as it went into the network; its meta data know the file.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        classes: Sequence[str] | Classes,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.classes = classes
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data[self.image_key]
        shades = _shades(Path(image.meta[ImageMetaKey.FILENAME_OR_OBJ]), colour=len(image) == 3)
        for key in self.key_iterator(data):
            path = self.output_dir / f"{data['case']}.png"
            label = class_indices(data[key], name=path.name)
            drawn = draw_picture(shades, label, classes=self.classes, notes=notes_of(image))
            with whole(path) as partial:
                drawn.save(partial)
            logger.info("preview: %s", path)
        return dict(data)


def _shades(path: Path, *, colour: bool) -> np.ndarray:
    """The pixels of a picture file, (1, I, J) or (3, I, J), from 0 to 1."""
    reader = PictureReader(colour=colour)
    pixels = reader.get_data(reader.read(path))[0].astype(np.float32)
    if pixels.max(initial=0) <= _WHITE:
        low, high = 0, np.percentile(pixels, _BRIGHTEST)
    else:
        low, high = np.percentile(pixels, _DRAWN_PERCENTILES)
    drawn = np.clip((pixels - low) / max(high - low, 1), 0, 1)
    return drawn if colour else drawn[None]


def write_picture_label(
    label: MetaTensor | Tensor, path: Path, *, shape: Sequence[int], notes: Sequence[str] = ()
) -> None:
    """Write a (1, I, J) label map as an 8-bit grey PNG; rows are I and columns J.

    The notes are a text of the file, named "Comment".

    Raises:
        ValueError: its shape is not that of the picture, or a value is not an integer of 0 to 255.
    """
    array = class_indices(label, name=path.name)
    if array.shape != tuple(shape):
        raise ValueError(
            f"label map {path.name} has shape {array.shape} and its picture {tuple(shape)}: "
            "invert the spatial transforms of the preprocessing"
        )
    with whole(path) as partial:
        Image.fromarray(array).save(partial, pnginfo=png_text(notes))
