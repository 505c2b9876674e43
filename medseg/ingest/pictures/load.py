"""Load: grey or colour PNG, JPEG, TIFF, ... files for MONAI's `LoadImaged`, checked or refused.

In colour, DICOM photographs are pictures too (`medseg.ingest.dicom.photograph`).

In a bundle:

    {"_target_": "LoadImaged", "keys": "image", "reader":
    "medseg.ingest.pictures.load.PictureReader"}, {"_target_": "LoadImaged", "keys": "label",
     "reader": {"_target_": "medseg.ingest.pictures.load.PictureReader", "labels": [0, 255]}},
    {"_target_": "EnsureChannelFirstd", "keys": ["image", "label"]},
    {"_target_": "medseg.ingest.reader.SameGridd", "keys": ["image", "label"]}
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data.image_reader import ImageReader
from PIL import Image

from medseg.base.text import warn_once
from medseg.ingest.dicom.photograph import read_colour
from medseg.ingest.formats import DICOM_SUFFIXES, is_named_dicom
from medseg.ingest.metadata import EXIF_ORIENTATION, list_paths, make_metadata
from medseg.ingest.pictures.file import Picture, read_label_picture, read_picture
from medseg.ingest.pictures.orientation import UPRIGHT, check_same_orientation, describe_orientation
from medseg.ingest.reasons import IngestError, Reason

logger = logging.getLogger(__name__)

COPIES = 6
"""What an image takes at most until its network runs, in copies in single precision: as read, its
tensor, what is measured of it, and as scaled. Measured: 5.9 for 4000x4000 pixels in colour."""


class PictureReader(ImageReader):
    """Read pictures of one frame, grey as stored or in colour, for `LoadImaged`.

    The array is (I, J) = (row, column) of the file: nothing is transposed, flipped or scaled, and
    an EXIF orientation is not applied but logged, and kept as `exif_orientation` in the metadata,
    for `SameGridd` to compare. A picture knows no place in the patient: its affine is the
    identity. `EnsureChannelFirstd` adds the channel axis. Several grey paths of one case become
    channels, (C, I, J), when they share a shape; a colour picture has its three, (3, I, J).

    Args:
        colour: read red, green and blue of 8 bits. A grey picture gives three equal channels; an
            opacity is left out if the whole picture is opaque, and refused otherwise. DICOM
            photographs are read as well, known by their suffix, see `read_colour`.
        labels: for a label map, the declared values, background included. Other values are refused
            and the map is returned in the smallest integer type that holds the declared ones; see
            `read_label_picture`, also for palettes, one bit and colour.
    """

    def __init__(self, labels: Collection[int] | None = None, *, colour: bool = False) -> None:
        super().__init__()
        self.labels = None if labels is None else tuple(labels)
        self.colour = colour

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Tell whether every path is named like a format that Pillow knows, or in colour DICOM."""
        known = {*Image.registered_extensions(), *(DICOM_SUFFIXES if self.colour else ())}
        return all(path.suffix.lower() in known for path in list_paths(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **_: Any) -> list[Path]:
        """Take the paths; `get_data` reads them, see `VolumeReader.read`."""
        return list_paths(data)

    def get_data(self, img: Sequence[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the pictures.

        Returns:
            (I, J), or (C, I, J) for several paths or in colour, of integers, and MONAI's metadata.

        Raises:
            IngestError: "not-found", "unreadable", "truncated", "multi-frame", "colour",
                "pixel-format", "no-memory", "undeclared-labels", naming the file, or
                "different-grids"; for DICOM, those of `read_colour`.
            ValueError: several colour pictures for one case.
        """
        if self.colour:
            if len(img) != 1:
                raise ValueError(
                    f"a case must have one colour picture, got {len(img)}: give one path"
                )
            array, orientation = self._load(img[0])
            about = make_metadata(array.shape[1:], affine=np.eye(4), channel_dim=0)
            return array, about | {EXIF_ORIENTATION: orientation}
        arrays, orientations = zip(*(self._load(path) for path in img), strict=True)
        shape, stated = arrays[0].shape, {EXIF_ORIENTATION: orientations[0]}
        for path, array, orientation in zip(img, arrays, orientations, strict=True):
            if array.shape != shape:
                finding = f"{img[0]} has shape {shape} and {path} {array.shape}"
                raise IngestError(Reason.DIFFERENT_GRIDS, finding)
            check_same_orientation(
                (orientations[0], orientation),
                shapes=(shape, array.shape),
                names=(str(img[0]), str(path)),
            )
        if len(arrays) == 1:
            return arrays[0], make_metadata(shape, affine=np.eye(4)) | stated
        return np.stack(arrays), make_metadata(shape, affine=np.eye(4), channel_dim=0) | stated

    def _load(self, path: Path) -> Picture:
        if self.colour and is_named_dicom(path):
            return Picture(read_colour(path), UPRIGHT)
        if self.labels is None or self.colour:
            found = read_picture(path, colour=self.colour, copies=COPIES)
        else:
            found = read_label_picture(path, self.labels)
        if found.orientation != UPRIGHT:
            warn_once(logger, describe_orientation(str(path), found.orientation))
        return found
