"""Decoders: the frames of a data set, each by a decoder that damage neither fools nor brings down.

pydicom asks every plugin in turn, GDCM first. GDCM ends the whole process on some damaged JPEG (a
C++ exception that nobody catches), the Rust decoder of RLE panics, which in Python is no
`Exception`, and libjpeg makes up the rest of a JPEG or JPEG-LS that was cut. So one plugin is named
for each transfer syntax, a codestream without its end is refused before, and RLE is decoded here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from medseg.ingest.codestreams.codestream import read_size
from medseg.ingest.codestreams.scan_end import check_scan_end
from medseg.ingest.codestreams.tile_end import check_tile_end
from medseg.ingest.codestreams.tile_parts import count_missing_tiles
from medseg.ingest.dicom.files.parse import PARSE_ERRORS
from medseg.ingest.dicom.pixels.rle import decode_rle

DECODE_ERRORS = (*PARSE_ERRORS, RuntimeError)
"""What a damaged frame makes a decoder raise."""

_PLUGIN = "pylibjpeg"
_PLUGIN_OF = {
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys((JPEGBaseline8Bit, JPEGExtended12Bit), "pillow"),
}
_START_OF_SCAN = b"\xff\xda"
_END = b"\xff\xd9"  # of a JPEG, JPEG-LS or JPEG 2000 codestream
_PADDING = b"\0\xff"  # either is written after the end to make the length even
_LAST_COEFFICIENT = 63  # of a block of 8 x 8


def decode_frames(dataset: pydicom.Dataset, indices: Iterable[int]) -> Iterator[np.ndarray]:
    """Decode frames one at a time: (rows, columns), or with 3 samples at the end.

    Luminance and chrominance become red, green and blue.

    Args:
        dataset: with pixel data and `file_meta`.
        indices: the frames, counted from 0.

    Raises:
        One of `DECODE_ERRORS` when a frame cannot be decoded.

    Example:
        >>> (plane,) = decode_frames(pydicom.dcmread("slice.dcm"), [0])  # doctest: +SKIP
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == RLELossless:
        yield from (_decode_rle(dataset, index) for index in indices)
        return
    plugin = _plugin(syntax)
    for index in indices:
        if syntax.is_encapsulated:
            _check_frame(_get_frame(dataset, index), (dataset.Rows, dataset.Columns))
        if syntax == JPEGExtended12Bit and dataset.BitsStored > 8:
            yield _decode_12_bit_jpeg(dataset, index)
        elif syntax in JPEGLSTransferSyntaxes:
            yield _decode_jpeg_ls(dataset, index, plugin=plugin)
        else:
            plane = np.asarray(pixel_array(dataset, index=index, decoding_plugin=plugin))
            if syntax.is_encapsulated:
                _check_end(_get_frame(dataset, index), plane, plugin=plugin)
            yield plane


def _plugin(syntax: UID) -> str:
    """The name by which pydicom knows the decoder; empty where nothing is compressed.

    Raises:
        NotImplementedError: there is none, or it is not installed.
    """
    if not syntax.is_encapsulated:
        return ""
    plugin = _PLUGIN_OF.get(syntax, _PLUGIN)
    if plugin not in get_decoder(syntax).available_plugins:
        raise NotImplementedError(f"{syntax.name} needs the decoder {plugin}")
    return plugin


def _get_frame(dataset: pydicom.Dataset, index: int) -> bytes:
    frames = int(dataset.get("NumberOfFrames") or 1)
    return get_frame(dataset.PixelData, index, number_of_frames=frames)


def _decode_rle(dataset: pydicom.Dataset, index: int) -> np.ndarray:
    """Run-length coded samples; colours are put back as plain ones for pydicom to lay out."""
    content = decode_rle(
        _get_frame(dataset, index),
        dataset.Rows * dataset.Columns,
        samples=dataset.SamplesPerPixel,
        bytes_per_sample=dataset.BitsAllocated // 8,
    )
    if dataset.SamplesPerPixel == 1:
        kind = "i" if dataset.PixelRepresentation else "u"
        return content.view(f"<{kind}{content.shape[-1]}").reshape(dataset.Rows, dataset.Columns)
    alone = _make_single_frame(dataset, content.tobytes(), syntax=ExplicitVRLittleEndian)
    alone.add_new("PlanarConfiguration", "US", 1)
    return np.asarray(pixel_array(alone, index=0))


def _make_single_frame(dataset: pydicom.Dataset, content: bytes, *, syntax: UID) -> pydicom.Dataset:
    """The pixel description of a data set with one frame of its own; the data set stays as it is.

    A copy would share its elements.
    """
    alone = dataset.group_dataset(0x0028)
    alone.file_meta = FileMetaDataset()
    alone.file_meta.TransferSyntaxUID = syntax
    alone.add_new("NumberOfFrames", "IS", 1)
    even = content + b"\0" * (len(content) % 2)
    alone.add_new("PixelData", "OB" if dataset.BitsAllocated <= 8 else "OW", even)
    alone["PixelData"].is_undefined_length = syntax.is_encapsulated
    return alone


def _check_frame(frame: bytes, size: tuple[int, int]) -> None:
    """A decoder allocates the size that a codestream states, and makes its missing end up."""
    if (stated := read_size(frame)) != size:
        raise ValueError(f"a codestream of {stated or 'no known size'}, not {size} pixels")
    if not frame.rstrip(_PADDING).endswith(_END):
        raise ValueError("the codestream has no end marker")
    missing, asked = count_missing_tiles(frame)
    if missing:
        raise ValueError(f"the codestream lacks {missing} of {asked} tiles")


def _check_end(frame: bytes, plane: np.ndarray, *, plugin: str) -> None:
    """Hold the codes of a frame against its size; `plane` is what was made of it."""
    check_tile_end(frame)
    if plugin == "pillow":
        check_scan_end(frame, _decode_by_pillow)
    else:
        check_scan_end(frame, _decode_by_libjpeg, plane=plane)


def _decode_by_pillow(frame: bytes) -> np.ndarray:
    with Image.open(BytesIO(frame), formats=["JPEG"]) as image:
        return np.asarray(image)


def _decode_by_libjpeg(frame: bytes) -> np.ndarray:
    from libjpeg.utils import decode

    return np.asarray(decode(frame))


def _decode_jpeg_ls(dataset: pydicom.Dataset, index: int, *, plugin: str) -> np.ndarray:
    """JPEG-LS, also where the encoder padded with a zero byte before the end marker.

    The standard pads after it (PS3.5 section A.4); the decoder takes nothing but its word.
    """
    try:
        return np.asarray(pixel_array(dataset, index=index, decoding_plugin=plugin))
    except RuntimeError:
        frame = _get_frame(dataset, index).rstrip(_PADDING)
        if not frame.endswith(b"\0" + _END):
            raise
        mended = encapsulate([frame.removesuffix(b"\0" + _END) + _END])
        alone = _make_single_frame(dataset, mended, syntax=dataset.file_meta.TransferSyntaxUID)
        return np.asarray(pixel_array(alone, index=0, decoding_plugin=plugin))


def _decode_12_bit_jpeg(dataset: pydicom.Dataset, index: int) -> np.ndarray:
    """Unsigned 12-bit JPEG by libjpeg itself, with a scan header that it takes.

    Raises:
        NotImplementedError: signed or of several samples.
    """
    if dataset.PixelRepresentation != 0 or dataset.SamplesPerPixel != 1:
        raise NotImplementedError("12-bit JPEG of signed values or colours")
    frame = _whole_scan(_get_frame(dataset, index))
    plane = _decode_by_libjpeg(frame)
    check_scan_end(frame, _decode_by_libjpeg)
    return plane


def _whole_scan(frame: bytes) -> bytes:
    """State that a sequential scan has all coefficients, as ITU-T T.81 table B.3 demands.

    Some encoders state 0 to 0 instead, though the scan holds 0 to 63.
    """
    at = frame.find(_START_OF_SCAN)
    if at < 0 or at + 4 >= len(frame):
        return frame
    end = at + 5 + 2 * frame[at + 4]  # two bytes for each component
    if end + 2 > len(frame):
        return frame
    return frame[:end] + bytes([0, _LAST_COEFFICIENT]) + frame[end + 2 :]
