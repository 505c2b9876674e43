"""Picture: write a picture's label map as PNG, all or nothing."""

import logging
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from PIL import Image
from torch import Tensor

from medseg.base.files import whole
from medseg.inference.outputs.case_files import CaseFiles
from medseg.inference.outputs.label_map import read_class_indices
from medseg.inference.outputs.notes import add_found, make_png_text, read_notes

logger = logging.getLogger(__name__)


class WritePictureLabeld(MapTransform):
    """Writes `<output_dir>/<case>_label.png`: 8-bit class indices, of the size of the picture.

    The values are 0, 1, 2, ...: nearly black on a screen, the preview is there to be looked at.
    There is no palette, since SimpleITK, Matplotlib and others read its colours and not the values.
    Place it after `Invertd`. An existing file is replaced; `find_pictures` guards against that.

    Args:
        keys: key of the label map, (1, I, J), already brought back to the size of its picture.
        output_dir: folder, made if absent.
        replaces: what follows the name of the case in the names of files that show an earlier label
            map, such as ".png"; they are removed first.
        image_key: the picture as it went into the network; its meta data know the source size.
        existing: as of `WriteLabelMapd`.

    Raises:
        ValueError: the label map has another size than its picture, or values that are not the
            integers 0 to 255.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        *,
        replaces: Sequence[str] = (),
        image_key: str = "image",
        existing: str = "overwrite",
    ) -> None:
        super().__init__(keys)
        self.files = CaseFiles(output_dir, "_label.png", replaces=replaces, existing=existing)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data[self.image_key]
        shape = [int(n) for n in image.meta["spatial_shape"]]
        for key in self.key_iterator(data):
            path, replace = self.files.make_way(str(data["case"])), self.files.replace
            write_picture_label(
                data[key], path, shape=shape, notes=read_notes(image), replace=replace
            )
            logger.debug("label map: %s", path)
            data = add_found(data, mask=path.name)
        return dict(data)


def write_picture_label(
    label: MetaTensor | Tensor,
    path: Path,
    *,
    shape: Sequence[int],
    notes: Sequence[str] = (),
    replace: bool = True,
) -> None:
    """Write a (1, I, J) label map as an 8-bit grey PNG; rows are I and columns J.

    The notes are a text of the file, named "Comment".

    Raises:
        ValueError: its shape is not that of the picture, or a value is not an integer of 0 to 255.
    """
    array = read_class_indices(label, name=path.name)
    if array.shape != tuple(shape):
        raise ValueError(
            f"label map {path.name} has shape {array.shape} and its picture {tuple(shape)}: "
            "invert the spatial transforms of the preprocessing"
        )
    with whole(path, replace=replace) as partial:
        Image.fromarray(array).save(partial, pnginfo=make_png_text(notes))
