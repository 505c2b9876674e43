"""Decoders: decode the frames of a data set safely, also where they are damaged.

On its own, pydicom tries every plugin in turn, GDCM first. But GDCM ends the whole process on some
damaged JPEG (a C++ exception that nothing catches), the RLE decoder in Rust panics, which in Python
is no `Exception`, and the decoders of JPEG make up the rest of a frame that was cut. So this module
names one plugin for each transfer syntax, refuses a codestream without its end before it is
decoded, and decodes RLE itself.
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
from medseg.ingest.codestreams.tiles import check_tile_end, count_missing_tiles
from medseg.ingest.dicom.files.parse import PARSE_ERRORS
from medseg.ingest.dicom.pixels import jpeg
from medseg.ingest.dicom.pixels.jpeg import decode_jpeg
from medseg.ingest.dicom.pixels.rle import decode_rle

DECODE_ERRORS = (*PARSE_ERRORS, RuntimeError)
"""The errors that decoders raise for damaged frames."""

_PLUGIN = "pylibjpeg"
_PLUGIN_OF = {
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys((JPEGBaseline8Bit, JPEGExtended12Bit), "pillow"),
    **dict.fromkeys(jpeg.LOSSLESS_JPEG, jpeg.PLUGIN),
}
_END = b"\xff\xd9"  # of a JPEG, JPEG-LS or JPEG 2000 codestream
_PADDING = b"\0\xff"  # either is written after the end to make the length even


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
    plugin = find_plugin(syntax)
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
                _check_end(_get_frame(dataset, index), plugin=plugin)
            yield plane


def find_plugin(syntax: UID) -> str:
    """Name the plugin of pydicom that decodes a transfer syntax; empty where none is needed.

    Raises:
        NotImplementedError: there is none, or it is not installed.

    Example:
        >>> find_plugin(JPEGBaseline8Bit), find_plugin(RLELossless)
        ('pillow', '')
    """
    if not syntax.is_encapsulated or syntax == RLELossless:
        return ""
    plugin = _PLUGIN_OF.get(syntax, _PLUGIN)
    if plugin == jpeg.PLUGIN:
        jpeg.add_to_pydicom()
    if plugin not in get_decoder(syntax).available_plugins:
        raise NotImplementedError(f"{syntax.name} needs the decoder {plugin}")
    return plugin


def _get_frame(dataset: pydicom.Dataset, index: int) -> bytes:
    frames = int(dataset.get("NumberOfFrames") or 1)
    return get_frame(dataset.PixelData, index, number_of_frames=frames)


def _decode_rle(dataset: pydicom.Dataset, index: int) -> np.ndarray:
    """Decode run-length code; colours become a plain data set, which pydicom lays out."""
    content = decode_rle(
        _get_frame(dataset, index),
        dataset.Rows * dataset.Columns,
        samples=dataset.SamplesPerPixel,
        bytes_per_sample=dataset.BitsAllocated // 8,
    )
    if dataset.SamplesPerPixel == 1:
        kind = "i" if dataset.PixelRepresentation else "u"
        return content.view(f"<{kind}{content.shape[-1]}").reshape(dataset.Rows, dataset.Columns)
    single = _make_single_frame(dataset, content.tobytes(), syntax=ExplicitVRLittleEndian)
    single.add_new("PlanarConfiguration", "US", 1)
    return np.asarray(pixel_array(single, index=0))


def _make_single_frame(dataset: pydicom.Dataset, content: bytes, *, syntax: UID) -> pydicom.Dataset:
    """Make a data set of one frame, with the pixel description of another, which stays unchanged.

    A copy would share its elements.
    """
    single = dataset.group_dataset(0x0028)
    single.file_meta = FileMetaDataset()
    single.file_meta.TransferSyntaxUID = syntax
    single.add_new("NumberOfFrames", "IS", 1)
    even = content + b"\0" * (len(content) % 2)
    single.add_new("PixelData", "OB" if dataset.BitsAllocated <= 8 else "OW", even)
    single["PixelData"].is_undefined_length = syntax.is_encapsulated
    return single


def _check_frame(frame: bytes, size: tuple[int, int]) -> None:
    """Refuse what no decoder refuses: another size, which it would allocate, or a missing end."""
    if (stated := read_size(frame)) != size:
        raise ValueError(f"a codestream of {stated or 'no known size'}, not {size} pixels")
    if not frame.rstrip(_PADDING).endswith(_END):
        raise ValueError("the codestream has no end marker")
    missing, asked = count_missing_tiles(frame)
    if missing:
        raise ValueError(f"the codestream lacks {missing} of {asked} tiles")


def _check_end(frame: bytes, *, plugin: str) -> None:
    """Refuse a frame that holds fewer or more codes than its size asks for."""
    check_tile_end(frame)
    check_scan_end(frame, _decode_by_pillow if plugin == "pillow" else decode_jpeg)


def _decode_by_pillow(frame: bytes) -> np.ndarray:
    with Image.open(BytesIO(frame), formats=["JPEG"]) as image:
        return np.asarray(image)


def _decode_jpeg_ls(dataset: pydicom.Dataset, index: int, *, plugin: str) -> np.ndarray:
    """Decode JPEG-LS, also where the encoder put a zero byte before the end marker as padding.

    The standard puts it behind (PS3.5 section A.4), and the decoder accepts it nowhere else.
    """
    try:
        return np.asarray(pixel_array(dataset, index=index, decoding_plugin=plugin))
    except RuntimeError:
        frame = _get_frame(dataset, index).rstrip(_PADDING)
        if not frame.endswith(b"\0" + _END):
            raise
        mended = encapsulate([frame.removesuffix(b"\0" + _END) + _END])
        single = _make_single_frame(dataset, mended, syntax=dataset.file_meta.TransferSyntaxUID)
        return np.asarray(pixel_array(single, index=0, decoding_plugin=plugin))


def _decode_12_bit_jpeg(dataset: pydicom.Dataset, index: int) -> np.ndarray:
    """Decode unsigned 12-bit JPEG of one sample per pixel, for which pydicom has no safe plugin.

    Raises:
        NotImplementedError: signed or of several samples.
    """
    if dataset.PixelRepresentation != 0 or dataset.SamplesPerPixel != 1:
        raise NotImplementedError("12-bit JPEG of signed values or colours")
    frame = _get_frame(dataset, index)
    check_scan_end(frame, decode_jpeg)
    return decode_jpeg(frame)
