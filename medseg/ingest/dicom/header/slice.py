"""Slice: the technical header of one image plane, a file of its own or one frame of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.uid import UID

from medseg.ingest.codestreams.codestream import Codestream
from medseg.ingest.dicom.header.acquired_matrix import AcquiredMatrix
from medseg.ingest.dicom.header.counts import Counts
from medseg.ingest.dicom.header.image_kind import CLASSES, RESCALED_KINDS, find_kind
from medseg.ingest.dicom.header.origin import Origin
from medseg.ingest.dicom.header.real_world_mapping import Mapping
from medseg.ingest.reasons import Reason


@dataclass(frozen=True, eq=False)
class PixelData:
    """Where the pixel data element lies in its file, and whether all of it is there.

    `offset` counts from the start of the file; it is None where the data set is deflated. `length`
    is the number of bytes, those of the fragments and their headers where encapsulated.
    `missing_bytes` compares the file with the length that the element itself declares.
    `is_encapsulated` says that it is a sequence of items, by its length or by its bytes, and
    `content` what its first frame is, see `medseg.ingest.dicom.pixels.pixel_content`; "" for plain
    samples. `codestreams` is the number of fragments that begin a compressed frame. `zeros` are the
    last bytes that are all zero, counted to `MAX_PADDING_BYTES`, and only where there
    are more bytes than the header states. `is_float` marks Float and Double Float Pixel Data.
    `is_irreversible` says that a JPEG 2000 codestream loses by its own header.
    `codestream` is what the first one states of itself, where its size is known.
    `compressed` is the number of bytes in the file that pixels are decoded or inflated from.
    `stated_bits` and `stated_representation` are BitsStored and PixelRepresentation as the file
    states them, which a decoder needs; those of the slice may have been corrected.
    """

    offset: int | None
    length: int
    missing_bytes: int = 0
    is_encapsulated: bool = False
    codestreams: int = 0
    content: str = ""
    zeros: int = 0
    is_float: bool = False
    is_irreversible: bool = False
    codestream: Codestream | None = None
    compressed: int = 0
    stated_bits: int = 0
    stated_representation: int = -1


@dataclass(frozen=True, eq=False)
class Slice:
    """The technical header of one plane; an absent element is None or empty.

    Lengths are in mm and vectors in LPS+, as stored. `position` is the centre of the first pixel.
    `instance` is the SOP Instance UID. `frames` is how many the file holds and `frame` which of
    them this is, counted from 0; it is None where the header is that of the file as a whole.
    `conversion` is what a secondary capture was made from, ConversionType. `real_world` lists the
    mappings to real world values; `is_real_world` says that the only one is the rescale.
    `scale_slope` is Philips' own factor between values and what its coils measured.
    `overlay_bits` are those of a sample in which overlays are stated to lie, one for each.
    `sample_notes` are what `medseg.ingest.dicom.sample_checks.stated_bits` has to say of the
    samples, and that their codestream states a sign where the header states none.
    `tiles` is how many slices lie side by side in the image, by a private element of its maker,
    and `is_called_mosaic` that Siemens' own copy of ImageType says so without a number.
    `acquired` is the matrix that was measured, which may be a part of the pixels.
    `ends_at` names the element at which a file without pixels ends, or cannot be read on.
    `is_swapped` says that the bytes of its samples are in the other order than stated.
    """

    path: Path
    transfer_syntax: UID
    is_syntax_assumed: bool
    sop_class: UID
    instance: str
    series_uid: str
    frame_of_reference: str
    modality: str
    image_type: tuple[str, ...]
    frames: int
    rows: int
    columns: int
    pixel_spacing_mm: np.ndarray
    position: np.ndarray
    orientation: np.ndarray
    thickness_mm: float | None
    spacing_between_mm: float | None
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    padding: tuple[int, int] | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    has_modality_lut: bool
    is_lossy: bool
    conversion: str
    has_burned_in_text: bool
    pixels: PixelData | None
    origin: Origin
    real_world: tuple[Mapping, ...] = ()
    is_real_world: bool = False
    counts: Counts = field(default_factory=Counts)
    tiles: int = 0
    is_called_mosaic: bool = False
    acquired: AcquiredMatrix = field(default_factory=AcquiredMatrix)
    scale_slope: float | None = None
    overlay_bits: int = 0
    sample_notes: tuple[tuple[Reason, str], ...] = ()
    is_swapped: bool = False
    ends_at: str = ""
    frame: int | None = None

    @property
    def kind(self) -> str:
        """The Modality that rules go by, see `medseg.ingest.dicom.header.image_kind`."""
        return find_kind(self.sop_class, self.modality)

    @property
    def rescaled_kind(self) -> str:
        """CT or PT, by Modality or, where that says another kind, by SOP class; else ""."""
        kinds = (self.kind, CLASSES.get(self.sop_class, ""))
        return next((kind for kind in kinds if kind in RESCALED_KINDS), "")

    @property
    def rescale(self) -> tuple[float, float]:
        """Slope and intercept; the identity where absent."""
        slope = 1.0 if self.slope is None else self.slope
        return slope, 0.0 if self.intercept is None else self.intercept

    @property
    def name(self) -> str:
        """The file, and the frame where there are several: "im1.dcm", "frame 3 of im1.dcm"."""
        if self.frame is None or self.frames == 1:
            return self.path.name
        return f"frame {self.frame + 1} of {self.path.name}"

    @property
    def plane_bytes(self) -> int:
        """Bytes of one plane of samples, uncompressed."""
        return self.rows * self.columns * self.bits_allocated // 8

    @property
    def is_sign_unknown(self) -> bool:
        """Whether samples are stated as signed and compressed as numbers without a sign.

        They may be two's complement in as many bits as the codestream has, or have no sign.
        """
        codestream = None if self.pixels is None else self.pixels.codestream
        if codestream is None or not self.transfer_syntax.is_encapsulated:
            return False
        return self.pixel_representation == 1 and not codestream.is_signed

    @property
    def excess_bytes(self) -> int:
        """Uncompressed bytes beyond those of all planes and the one that makes a length even."""
        if self.pixels is None or self.pixels.is_encapsulated:
            return 0
        excess = self.pixels.length - self.samples * self.plane_bytes * max(1, self.frames)
        return excess if excess > 1 else 0


def name_some(slices: Sequence[Slice], places: Sequence[int]) -> str:
    """Name some slices of a series: "2 of 30 slices, the first im7.dcm"."""
    return f"{len(places)} of {len(slices)} slices, the first {slices[places[0]].name}"
