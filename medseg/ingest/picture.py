"""Picture: grey or colour PNG, JPEG, TIFF, ... files for MONAI's `LoadImaged`, checked or refused.

In colour, DICOM photographs are pictures too (`medseg.ingest.colour`).

In a bundle:

    {"_target_": "LoadImaged", "keys": "image", "reader": "medseg.ingest.picture.PictureReader"},
    {"_target_": "LoadImaged", "keys": "label",
     "reader": {"_target_": "medseg.ingest.picture.PictureReader", "labels": [0, 255]}},
    {"_target_": "EnsureChannelFirstd", "keys": ["image", "label"]},
    {"_target_": "medseg.ingest.reader.SameGridd", "keys": ["image", "label"]}
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data.image_reader import ImageReader
from monai.utils import ensure_tuple
from PIL import Image, UnidentifiedImageError

from medseg.ingest.colour import read_colour
from medseg.ingest.formats import PICTURES
from medseg.ingest.reader import as_labels, metadata
from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.room import check_room

SUFFIXES = PICTURES

_GREY_MODES = ("L", "I", "I;16", "I;16L", "I;16B")  # 8 and 16 bit; "I" is 16 bit in older Pillow
_RGB_MODES = ("RGB", "RGBA", "L", "LA", "P")  # 8 bit; "P" is a palette of colours
_UNSUPPORTED_SAMPLES = ("1", "F")
_OPAQUE = 255

MOST_SAMPLES_PER_BYTE = 4096
"""A picture that claims more samples than this for each byte of its file is refused undecoded.

Four times what deflate can do (1032), and sixteen times what JPEG does with an empty picture.
"""
_DICOM_SUFFIXES = (".dcm", ".dicom")

# What a damaged file makes Pillow raise; anything else is a bug and is not hidden.
_DECODE_ERRORS = (
    EOFError,
    IndexError,
    OSError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


class PictureReader(ImageReader):
    """Read pictures of one frame, grey as stored or in colour, for `LoadImaged`.

    The array is (I, J) = (row, column) of the file: nothing is transposed, flipped or scaled, and
    an EXIF orientation is not applied. A picture knows no place in the patient: its affine is the
    identity. `EnsureChannelFirstd` adds the channel axis. Several grey paths of one case become
    channels, (C, I, J), when they share a shape; a colour picture has its three, (3, I, J).

    Args:
        colour: read red, green and blue of 8 bits. A grey picture gives three equal channels; an
            opacity is left out if the whole picture is opaque, and refused otherwise. DICOM
            photographs are read as well, known by `.dcm` or `.dicom`, see `read_colour`.
        labels: for a label map, the declared values, background included. Other values are refused
            and the map is returned in the smallest integer type that holds the declared ones.
    """

    def __init__(self, labels: Collection[int] | None = None, *, colour: bool = False) -> None:
        super().__init__()
        self.labels = None if labels is None else tuple(labels)
        self.colour = colour

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Tell whether every path is named like a format that Pillow knows, or in colour DICOM."""
        known = {*Image.registered_extensions(), *(_DICOM_SUFFIXES if self.colour else ())}
        return all(Path(name).suffix.lower() in known for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **_: Any) -> list[Path]:
        """Take the paths; `get_data` reads them, see `VolumeReader.read`."""
        return [Path(name) for name in ensure_tuple(data)]

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
                raise ValueError(f"a case has one colour picture, got {len(img)}: give one path")
            is_dicom = img[0].suffix.lower() in _DICOM_SUFFIXES
            picture = read_colour(img[0]) if is_dicom else _decode(img[0], colour=True)
            return picture, metadata(picture.shape[1:], affine=np.eye(4), channel_dim=0)
        pictures = [self._load(path) for path in img]
        shape = pictures[0].shape
        for path, picture in zip(img[1:], pictures[1:], strict=True):
            if picture.shape != shape:
                finding = f"{img[0]} has shape {shape} and {path} {picture.shape}"
                raise IngestError(Reason.DIFFERENT_GRIDS, finding)
        if len(pictures) == 1:
            return pictures[0], metadata(shape, affine=np.eye(4))
        return np.stack(pictures), metadata(shape, affine=np.eye(4), channel_dim=0)

    def _load(self, path: Path) -> np.ndarray:
        array = _decode(path, colour=False)
        return array if self.labels is None else as_labels(array, self.labels, name=str(path))


def is_picture(path: PathLike) -> bool:
    """Tell by its name whether a path is a picture file."""
    return str(path).lower().endswith(SUFFIXES)


def _decode(path: Path, *, colour: bool) -> np.ndarray:
    """The pixels of a whole picture: (I, J), or (3, I, J) in colour."""
    if not path.is_file():
        raise IngestError(Reason.NOT_FOUND, f"no such file: {path}")
    content = path.read_bytes()
    try:
        with Image.open(BytesIO(content)) as image:
            _check_kind(image, path, colour=colour)
            _check_claim(image, path, size=len(content))
            check_room(path, _needed_bytes(image, colour=colour))
            image.verify()  # the checksums of a PNG, which decoding skips
        with Image.open(BytesIO(content)) as image:
            array = _colours(image, path) if colour else np.asarray(image)
    except IngestError:
        raise
    except UnidentifiedImageError as error:
        finding = f"{path} ({len(content)} bytes) is no picture or its header is damaged"
        raise IngestError(Reason.UNREADABLE, finding) from error
    except Image.DecompressionBombError as error:
        finding = (
            f"{path} claims more pixels than are decoded ({2 * (Image.MAX_IMAGE_PIXELS or 0)})"
        )
        raise IngestError(Reason.UNREADABLE, finding) from error
    except _DECODE_ERRORS as error:
        finding = f"{path} ends early or is damaged ({len(content)} bytes)"
        raise IngestError(Reason.TRUNCATED, finding) from error
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _colours(image: Image.Image, path: Path) -> np.ndarray:
    """Red, green and blue first, (3, I, J); nothing may be transparent."""
    array = np.moveaxis(np.asarray(image.convert("RGBA")), -1, 0)
    if (array[3] != _OPAQUE).any():
        seen = int((array[3] != _OPAQUE).sum())
        raise IngestError(Reason.PIXEL_FORMAT, f"{seen} pixels of {path} are transparent")
    return array[:3]


def _check_kind(image: Image.Image, path: Path, *, colour: bool) -> None:
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise IngestError(Reason.MULTI_FRAME, f"{frames} frames in {path}")
    if image.mode in _UNSUPPORTED_SAMPLES:
        raise IngestError(Reason.PIXEL_FORMAT, f"samples of Pillow mode {image.mode} in {path}")
    if colour and image.mode not in _RGB_MODES:
        finding = f"samples of Pillow mode {image.mode} in {path}, not 8-bit colour"
        raise IngestError(Reason.PIXEL_FORMAT, finding)
    if not colour and image.mode not in _GREY_MODES:
        raise IngestError(Reason.COLOUR, f"{path} has Pillow mode {image.mode}, not grey")


def _check_claim(image: Image.Image, path: Path, *, size: int) -> None:
    """Refuse before decoding what a file of this size cannot hold."""
    samples = image.width * image.height * len(image.getbands())
    if samples > size * MOST_SAMPLES_PER_BYTE:
        claim = f"{image.width}x{image.height} pixels in {size} bytes"
        raise IngestError(Reason.UNREADABLE, f"{path} claims {claim}")


def _needed_bytes(image: Image.Image, *, colour: bool) -> int:
    """Memory at the height of reading: as Pillow decodes it, and as an array."""
    pixels = image.width * image.height
    if colour:
        return pixels * (len(image.getbands()) + 2 * len("RGBA") + 1)  # converted, and a mask
    return pixels * 2 * (1 if image.mode == "L" else 4)
