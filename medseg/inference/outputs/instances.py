"""Instances: write the numbered objects of a picture, all or nothing."""

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_numpy
from PIL import Image

from medseg.base.files import remove, whole
from medseg.base.text import count_noun
from medseg.inference.outputs.notes import add_found, make_png_text, read_notes

MOST_OBJECTS = np.iinfo(np.uint16).max
SUFFIX = "_instances.png"
SUFFIX_OF_MANY = "_instances.tif"
"""What follows the name of the case in the name of the file; the second beyond `MOST_OBJECTS`."""


class WriteInstancesd(MapTransform):
    """Writes `<output_dir>/<case>_instances.png`: 16 bits, objects numbered from 1, 0 elsewhere.

    More than 65535 objects, which a PNG cannot number, go to `<case>_instances.tif` of 32 bits. Of
    the two files the one that is not written is removed, since it is of another run.

    Place it before the label map is written, which tells that a case is done.

    Args:
        keys: key of the numbered objects, (1, I, J), as `LabelInstancesd` makes them.
        output_dir: folder, made if absent.
        image_key: the picture, if it is there; its notes are a text of the file, named "Comment".

    Raises:
        ValueError: an array that is no picture.
    """

    def __init__(
        self, keys: KeysCollection, output_dir: str | os.PathLike, *, image_key: str = "image"
    ) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        notes = read_notes(data[self.image_key]) if self.image_key in data else []
        for key in self.key_iterator(data):
            objects = convert_to_numpy(data[key])
            if objects.ndim != 3 or objects.shape[0] != 1:
                raise ValueError(
                    f"objects of case {data['case']} must be one picture (1, rows, columns), got "
                    f"shape {objects.shape}: write volumes as NIfTI"
                )
            count = int(objects.max(initial=0))
            kind = np.uint16 if count <= MOST_OBJECTS else np.int32  # Pillow knows no uint32
            few, many = (self.output_dir / f"{data['case']}{s}" for s in (SUFFIX, SUFFIX_OF_MANY))
            path, other = (few, many) if kind is np.uint16 else (many, few)
            with whole(path) as partial:
                picture = Image.fromarray(objects[0].astype(kind))
                stated = {"description": "\n".join(notes)} if notes else {}  # of TIFF
                picture.save(partial, pnginfo=make_png_text(notes), **stated)
            remove(other)
            data = add_found(data, [count_noun(count, "object")], objects=count)
        return dict(data)
