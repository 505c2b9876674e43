"""Picture checks: refuse a picture before it is decoded, where it is damaged or of another kind."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from medseg.ingest.checks import check_room
from medseg.ingest.codestreams.scan_end import check_scan_end
from medseg.ingest.codestreams.tiles import check_tile_end
from medseg.ingest.packing import check_is_file
from medseg.ingest.pictures.bounded_bytes import (
    MOST_HEADER_BYTES,
    PictureBytes,
    count_tiff_frames,
    open_picture,
)
from medseg.ingest.pictures.sample_kinds import describe_samples
from medseg.ingest.reasons import IngestError, Reason

GREY_MODES = ("L", "I", "I;16", "I;16L", "I;16B")  # 8 and 16 bit; "I" is 16 bit in older Pillow
RGB_MODES = ("RGB", "RGBA", "L", "LA", "P")  # 8 bit; "P" is a palette of colours
LABEL_MODES = (*GREY_MODES, *RGB_MODES, "1", "F")  # "1" is one bit, "F" single precision
GREY_MASK = "store the mask in grey, with one grey value for each class"
"""What to do about a label map in colours."""
_UNSUPPORTED_SAMPLES = ("1", "F")
BYTE_BITS = 8
_OLD_BMP_HEADER = 12  # bytes, of OS/2
_BMP_HEADER_BYTES = 54

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM", "TGA")
"""What Pillow may take a file for, whatever its name. It hands others to other programs, such as
PostScript to Ghostscript, or has no bounds for them."""

MOST_SAMPLES_PER_BYTE = 4096
"""A picture that claims more samples than this for each byte of its file is refused undecoded.

Four times what deflate can do (1032), and sixteen times what JPEG does with an empty picture.
"""

UNASKED_SAMPLES = 3 * 2**22
"""A picture of more samples is also held against how far a picture of something can be packed.

As many as 2048x2048 pixels in colour; what is made of them takes some 300 MB.
"""

MOST_OF_IMAGE, MOST_OF_LABELS = 200, 1000
"""The most bytes of samples that a large picture may have for each byte of its file.

Photographs, slides and scans stay below 100, label maps of few regions reach several hundred. What
is blank, and what was made to fill a memory, lies at the limit of deflate, 1032.
"""

FREE_SCANS, MOST_SCANNED_PIXELS = 16, 2**31
"""A progressive JPEG may go over its pixels so often, and so many pixels more often; each goes over
all of them, and a scan of nothing has some ten bytes. Encoders make 10."""

_WITHOUT_COUNT = ("JPEG", "MPO", "JPEG2000")
"""Formats whose decoders do not say that codes are missing or left over."""

_MOST_CODED_BYTES = 4
"""A sample of JPEG has a code of 16 bits and 11 bits behind it, at most."""

_SCAN = b"\xff\xda"
_CHUNK_BYTES = 2**20
_FLOAT_BYTES = 4
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


def check_picture(
    path: Path, modes: Collection[str], *, colour: bool, most: int, copies: int = 0
) -> None:
    """Refuse a file whose header or checksums are not right, or that has no room.

    Args:
        path: the file.
        modes: those of Pillow that are read, such as `GREY_MODES`.
        colour: whether it is read in colour.
        most: the most bytes of samples for each byte of a large file.
        copies: see `read_picture`.

    Raises:
        IngestError: "not-found", "unreadable", "truncated", "multi-frame", "colour",
            "pixel-format", "too-large" or "no-memory".
    """
    check_is_file(path)
    with open_image(path) as (image, file):
        _check_kind(image, file, path, modes=modes, colour=colour)
        if image.format == "BMP":
            _check_bits_of_bmp(image, path)
        _check_claim(image, path, colour=colour, most=most)
        _check_scans(image, path, start=file.tell())
        needed = _estimate_bytes(image, colour=image.mode not in GREY_MODES)
        values = image.width * image.height * (3 if colour else 1)
        check_room(path, max(needed, _FLOAT_BYTES * copies * values))
        kind, samples = image.format, image.width * image.height * len(image.getbands())
        image.verify()  # the checksums of a PNG, which decoding skips
    if kind in _WITHOUT_COUNT:
        _check_end(path, most=MOST_HEADER_BYTES + _MOST_CODED_BYTES * samples)


def _check_end(path: Path, *, most: int) -> None:
    """Refuse codes that are fewer or more than the pixels that the header states.

    Args:
        path: the file.
        most: so many bytes are looked at; a picture that goes on behind them is let pass.
    """

    def decode(content: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(content), formats=_WITHOUT_COUNT) as image:
            return np.asarray(image)

    with path.open("rb") as file:
        content = file.read(most)
    with _refuse_faults(path, path.stat().st_size):
        try:
            check_tile_end(content)
            check_scan_end(content, decode)
        except ValueError as error:
            finding = f"{path} is damaged, or states a wrong size: {error}"
            raise IngestError(Reason.TRUNCATED, finding) from error


@contextmanager
def open_image(path: Path) -> Iterator[tuple[Image.Image, PictureBytes]]:
    """A picture of which Pillow has read the header, and its file; faults are refusals."""
    with (
        _refuse_faults(path, path.stat().st_size),
        open_picture(path) as file,
        Image.open(file, formats=_FORMATS) as image,
    ):
        file.header_bytes = None
        yield image, file


@contextmanager
def _refuse_faults(path: Path, size: int) -> Iterator[None]:
    """Whatever is wrong with a picture is a refusal."""
    try:
        yield
    except IngestError:
        raise
    except UnidentifiedImageError as error:
        finding = f"{path} ({size} bytes) is not a picture, or its header is damaged"
        raise IngestError(Reason.UNREADABLE, finding) from error
    except Image.DecompressionBombError as error:
        finding = (
            f"{path} claims more pixels than are decoded ({2 * (Image.MAX_IMAGE_PIXELS or 0)})"
        )
        raise IngestError(Reason.UNREADABLE, finding) from error
    except _DECODE_ERRORS as error:
        finding = f"{path} ends early or is damaged ({size} bytes)"
        raise IngestError(Reason.TRUNCATED, finding) from error


def _count_frames(image: Image.Image, file: PictureBytes) -> int:
    """How many frames there are; those of TIFF are counted to 100, without reading them."""
    if image.format != "TIFF":
        return int(getattr(image, "n_frames", 1))
    place = file.tell()
    frames = count_tiff_frames(file)
    file.seek(place)
    return frames


def _check_kind(
    image: Image.Image, file: PictureBytes, path: Path, *, modes: Collection[str], colour: bool
) -> None:
    if (frames := _count_frames(image, file)) > 1:
        raise IngestError(Reason.MULTI_FRAME, f"{frames} frames in {path}")
    if image.mode in modes:
        return
    if image.mode in _UNSUPPORTED_SAMPLES:
        raise IngestError(Reason.PIXEL_FORMAT, f"{path} has {describe_samples(image.mode)}")
    if colour:
        finding = f"{path} has {describe_samples(image.mode)}, not colours of 8 bits"
        raise IngestError(Reason.PIXEL_FORMAT, finding)
    finding = f"{path} has {describe_samples(image.mode)}, not grey"
    remedy = GREY_MASK if modes is LABEL_MODES else None
    raise IngestError(Reason.COLOUR, finding, remedy=remedy)


def _check_bits_of_bmp(image: Image.Image, path: Path) -> None:
    """Refuse a palette of few greys: Pillow then takes each pixel for one of fewer or more bits."""
    with path.open("rb") as file:
        content = file.read(_BMP_HEADER_BYTES)
    (header,) = struct.unpack_from("<I", content, 14)
    (bits,) = struct.unpack_from("<H", content, 24 if header == _OLD_BMP_HEADER else 28)
    taken = {"1": 1, "L": BYTE_BITS}.get(image.mode, bits)
    if taken != bits:
        finding = f"{path} is a BMP of {bits} bits with a palette of few greys, which is misread"
        raise IngestError(Reason.PIXEL_FORMAT, finding, remedy="write it as PNG from its source")


def _check_claim(image: Image.Image, path: Path, *, colour: bool, most: int) -> None:
    """Refuse before decoding what a file of this size cannot hold, or what is likely a bomb."""
    size = path.stat().st_size
    pixels, bands = image.width * image.height, len(image.getbands())
    samples = pixels * bands
    claim = f"{path} claims {image.width}x{image.height} pixels in {size} bytes"
    if samples > size * MOST_SAMPLES_PER_BYTE:
        raise IngestError(Reason.UNREADABLE, claim)
    made = pixels * max(bands, 3 if colour else 1)
    if made > UNASKED_SAMPLES and samples * count_stored_bits(image) > 8 * size * most:
        finding = f"{claim}, more than {most} for each byte: it is blank, or made to fill memory"
        remedy = f"leave it out, or cut it into pictures of at most {UNASKED_SAMPLES} samples"
        raise IngestError(Reason.TOO_LARGE, finding, remedy=remedy)


def _check_scans(image: Image.Image, path: Path, *, start: int) -> None:
    """Refuse a JPEG that goes over its pixels, from byte `start` on, more often than encoders."""
    if image.format not in ("JPEG", "MPO") or not image.info.get("progressive"):
        return
    scans, rest = 0, b""
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK_BYTES):
            scans += (rest + chunk).count(_SCAN)
            rest = chunk[-1:]
    if scans > FREE_SCANS and scans * image.width * image.height > MOST_SCANNED_PIXELS:
        finding = f"{path} goes over its {image.width}x{image.height} pixels {scans} times"
        raise IngestError(Reason.TOO_LARGE, finding, remedy="write it again, or leave it out")


def count_stored_bits(image: Image.Image) -> int:
    """The bits of a sample before packing: fewer than 8 in some palettes and grey PNG."""
    if image.mode == "1":
        return 1
    if image.mode not in ("L", "P"):
        return {"F": 32, "I": 16}.get(image.mode.partition(";")[0], BYTE_BITS)
    tiles = getattr(image, "tile", None) or [("", (), 0, "")]
    arguments = tiles[0][3] or ""
    raw = arguments if isinstance(arguments, str) else str(arguments[0])
    bits = raw.partition(";")[2]
    return int(bits) if bits in ("1", "2", "4") else BYTE_BITS


def _estimate_bytes(image: Image.Image, *, colour: bool) -> int:
    """Memory at the height of reading: as Pillow decodes it, and as an array."""
    pixels = image.width * image.height
    if colour:
        return pixels * (len(image.getbands()) + 2 * len("RGBA") + 1)  # converted, and a mask
    return pixels * 2 * (1 if image.mode == "L" else 4)
