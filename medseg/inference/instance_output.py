"""Instance output: the numbered objects of a picture, whole or not at all."""

import logging
import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_numpy
from PIL import Image

from medseg.files import remove, whole

logger = logging.getLogger(__name__)

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

    Raises:
        ValueError: an array that is no picture.
    """

    def __init__(self, keys: KeysCollection, output_dir: str | os.PathLike) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            objects = convert_to_numpy(data[key])
            if objects.ndim != 3 or objects.shape[0] != 1:
                raise ValueError(
                    f"objects of case {data['case']} are one picture (1, rows, columns), got "
                    f"shape {objects.shape}: write volumes as NIfTI"
                )
            count = int(objects.max(initial=0))
            kind = np.uint16 if count <= MOST_OBJECTS else np.int32  # Pillow knows no uint32
            few, many = (self.output_dir / f"{data['case']}{s}" for s in (SUFFIX, SUFFIX_OF_MANY))
            path, other = (few, many) if kind is np.uint16 else (many, few)
            with whole(path) as partial:
                Image.fromarray(objects[0].astype(kind)).save(partial)
            remove(other)
            logger.info("%d objects: %s", count, path)
        return dict(data)
