"""Picture file: the pixels of one PNG, JPEG, TIFF, ... file, checked or refused.

Apart from `medseg.ingest.picture`, so that a dataset is checked by the same rules without torch.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from medseg.ingest.checks import as_labels, has_only
from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.room import check_room

_GREY_MODES = ("L", "I", "I;16", "I;16L", "I;16B")  # 8 and 16 bit; "I" is 16 bit in older Pillow
_RGB_MODES = ("RGB", "RGBA", "L", "LA", "P")  # 8 bit; "P" is a palette of colours
_LABEL_MODES = (*_GREY_MODES, *_RGB_MODES, "1", "F")  # "1" is one bit, "F" single precision
_UNSUPPORTED_SAMPLES = ("1", "F")
_OPAQUE = 255
_MOST_COUNTED = 100

MOST_SAMPLES_PER_BYTE = 4096
"""A picture that claims more samples than this for each byte of its file is refused undecoded.

Four times what deflate can do (1032), and sixteen times what JPEG does with an empty picture.
"""
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


def read_picture(path: Path, *, colour: bool = False) -> np.ndarray:
    """The pixels of a whole picture as stored.

    Args:
        path: the file.
        colour: read red, green and blue of 8 bits, see `PictureReader`.

    Returns:
        (I, J), rows and columns, or (3, I, J) in colour.

    Raises:
        IngestError: "not-found", "unreadable", "truncated", "multi-frame", "colour",
            "pixel-format" or "no-memory".
    """
    content = _checked(path, _RGB_MODES if colour else _GREY_MODES, colour=colour)
    with _decoding(path, len(content)), Image.open(BytesIO(content)) as image:
        array = _colours(image, path) if colour else np.asarray(image)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def read_label_picture(path: Path, allowed: Collection[int]) -> np.ndarray:
    """A label map that was stored as a picture, (I, J), in the smallest type of declared values.

    Grey of any depth counts as stored, and colour whose three channels are equal as grey. A palette
    is read by its indices, or by its grey levels where it has no colours, and one bit as 0 and 1,
    or as 0 and 255: whichever of the two is declared.

    Args:
        path: the file.
        allowed: the declared values, background included.

    Raises:
        IngestError: "undeclared-labels"; "pixel-format" where both readings are declared and
            differ, and for transparent pixels; "colour"; and those of `read_picture`.
    """
    content = _checked(path, _LABEL_MODES, colour=False)
    with _decoding(path, len(content)), Image.open(BytesIO(content)) as image:
        readings = _label_readings(image, path)
    fitting = [reading for reading in readings if has_only(reading, allowed)]
    if len(fitting) > 1 and not np.array_equal(fitting[0], fitting[1]):
        finding = f"{path} has declared values by the index of its palette and by its grey levels"
        raise IngestError(Reason.PIXEL_FORMAT, f"{finding}, which differ")
    return as_labels((fitting or readings)[0], allowed, name=str(path))


def _label_readings(image: Image.Image, path: Path) -> list[np.ndarray]:
    """What the pixels may mean: one array, or two for a grey palette and for one bit."""
    if image.mode == "1":
        bits = np.asarray(image).astype(np.uint8)
        return [bits, bits * 255]
    if image.mode in (*_GREY_MODES, "F"):
        array = np.asarray(image)
        return [array.astype(array.dtype.newbyteorder("="), copy=False)]
    rgba = np.asarray(image.convert("RGBA"))
    is_grey = bool((rgba[..., :1] == rgba[..., :3]).all())
    is_opaque = bool((rgba[..., 3] == _OPAQUE).all())
    if image.mode == "P":
        return [np.asarray(image), *([rgba[..., 0]] if is_grey and is_opaque else [])]
    if not is_grey:
        finding = f"{path} has Pillow mode {image.mode} and colours, which stand for no label value"
        raise IngestError(Reason.COLOUR, finding)
    return [_colours(image, path)[0]]


def _checked(path: Path, modes: Collection[str], *, colour: bool) -> bytes:
    """The content of a file whose header and checksums are right."""
    if not path.is_file():
        raise IngestError(Reason.NOT_FOUND, f"no such file: {path}")
    content = path.read_bytes()
    with _decoding(path, len(content)), Image.open(BytesIO(content)) as image:
        _check_kind(image, path, modes=modes, colour=colour)
        _check_claim(image, path, size=len(content))
        check_room(path, _needed_bytes(image, colour=image.mode not in _GREY_MODES))
        image.verify()  # the checksums of a PNG, which decoding skips
    return content


@contextmanager
def _decoding(path: Path, size: int) -> Iterator[None]:
    """Whatever is wrong with a picture is a refusal."""
    try:
        yield
    except IngestError:
        raise
    except UnidentifiedImageError as error:
        finding = f"{path} ({size} bytes) is no picture or its header is damaged"
        raise IngestError(Reason.UNREADABLE, finding) from error
    except Image.DecompressionBombError as error:
        finding = (
            f"{path} claims more pixels than are decoded ({2 * (Image.MAX_IMAGE_PIXELS or 0)})"
        )
        raise IngestError(Reason.UNREADABLE, finding) from error
    except _DECODE_ERRORS as error:
        finding = f"{path} ends early or is damaged ({size} bytes)"
        raise IngestError(Reason.TRUNCATED, finding) from error


def _colours(image: Image.Image, path: Path) -> np.ndarray:
    """Red, green and blue first, (3, I, J); nothing may be transparent."""
    array = np.moveaxis(np.asarray(image.convert("RGBA")), -1, 0)
    if (array[3] != _OPAQUE).any():
        seen = int((array[3] != _OPAQUE).sum())
        raise IngestError(Reason.PIXEL_FORMAT, f"{seen} pixels of {path} are transparent")
    return array[:3]


def _frames(image: Image.Image) -> int:
    """How many frames there are; those of TIFF are counted to 100, since Pillow reads each."""
    if image.format != "TIFF":
        return int(getattr(image, "n_frames", 1))
    frames = 1
    while frames < _MOST_COUNTED:
        try:
            image.seek(frames)
        except EOFError:
            break
        frames += 1
    image.seek(0)
    return frames


def _check_kind(image: Image.Image, path: Path, *, modes: Collection[str], colour: bool) -> None:
    if (frames := _frames(image)) > 1:
        raise IngestError(Reason.MULTI_FRAME, f"{frames} frames in {path}")
    if image.mode in modes:
        return
    if image.mode in _UNSUPPORTED_SAMPLES:
        raise IngestError(Reason.PIXEL_FORMAT, f"samples of Pillow mode {image.mode} in {path}")
    if colour:
        finding = f"samples of Pillow mode {image.mode} in {path}, not 8-bit colour"
        raise IngestError(Reason.PIXEL_FORMAT, finding)
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
