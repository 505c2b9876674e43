"""Reasons: the verdicts and stable reason codes of ingest, and the error that carries them.

A message has three parts in one line: what was found with its numbers, where (series UID or file),
and the remedy, which is fixed for each code.

What each code means, and the verdict that it stands for, is in the table of
`docs/how-to/read-a-refusal.md`.
"""

from __future__ import annotations

from enum import Enum
from functools import partial


class Verdict(str, Enum):
    """What ingest does with a series: take it, take it with a stated repair, or refuse it."""

    ACCEPT = "accept"
    REPAIR = "repair"
    REFUSE = "refuse"

    __str__ = str.__str__


class Reason(str, Enum):
    """The stable code behind a verdict; it is added to, and never renamed."""

    OK = "ok"
    SINGLE_SLICE = "single-slice"
    NO_SERIES_UID = "no-series-uid"
    STUDY_PER_FILE = "study-per-file"
    SERIES_PER_FILE = "series-per-file"
    NO_FILE_META = "no-file-meta"
    RESAMPLED = "resampled"
    PADDED_PIXELS = "padded-pixels"
    PADDED_TISSUE = "padded-tissue"
    EXACT_COPIES = "exact-copies"
    CAPTURED_SLICES = "captured-slices"
    CORRECTED_SAMPLES = "corrected-samples"
    LEFT_ASIDE = "left-aside"
    CHOSEN_SERIES = "chosen-series"
    LOSSY_COMPRESSION = "lossy-compression"
    CONFLICTING_MODALITY = "conflicting-modality"
    REAL_WORLD_VALUES = "real-world-values"
    UNKNOWN_MODALITY = "unknown-modality"
    ALTERNATING_ABSENCE = "alternating-absence"
    FEWER_IMAGES = "fewer-images"
    POSSIBLE_MOSAIC = "possible-mosaic"
    UNLIKELY_VALUES = "unlikely-values"
    NOT_HOUNSFIELD = "not-hounsfield"
    SEGMENTS = "segments"
    CHOSEN_AFFINE = "chosen-affine"
    ASSUMED_ORIENTATION = "assumed-orientation"
    NOT_FOUND = "not-found"
    EMPTY_FOLDER = "empty-folder"
    UNKNOWN_FORMAT = "unknown-format"
    UNREADABLE = "unreadable"
    CONFLICTING_SYNTAX = "conflicting-syntax"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    NO_MEMORY = "no-memory"
    UNSAFE_PATH = "unsafe-path"
    UNDECODABLE = "undecodable"
    SEVERAL_SERIES = "several-series"
    UNKNOWN_SERIES = "unknown-series"
    NOT_AN_IMAGE = "not-an-image"
    MULTI_FRAME = "multi-frame"
    COLOUR = "colour"
    LOCALIZER = "localizer"
    SECONDARY_CAPTURE = "secondary-capture"
    PIXEL_FORMAT = "pixel-format"
    VOXEL_TYPE = "voxel-type"
    MISSING_RESCALE = "missing-rescale"
    CONFLICTING_RESCALE = "conflicting-rescale"
    INVALID_RESCALE = "invalid-rescale"
    MISSING_GEOMETRY = "missing-geometry"
    INVALID_GEOMETRY = "invalid-geometry"
    NO_SLICE_SPACING = "no-slice-spacing"
    MIXED_PATIENT = "mixed-patient"
    MIXED_STUDY = "mixed-study"
    MIXED_MODALITY = "mixed-modality"
    MIXED_QUANTITY = "mixed-quantity"
    MIXED_KERNEL = "mixed-kernel"
    MIXED_RESCALE_TYPE = "mixed-rescale-type"
    MIXED_PHOTOMETRIC = "mixed-photometric"
    MIXED_SIZE = "mixed-size"
    MIXED_ORIENTATION = "mixed-orientation"
    MIXED_SPACING = "mixed-spacing"
    MIXED_FRAME_OF_REFERENCE = "mixed-frame-of-reference"
    DUPLICATE_POSITIONS = "duplicate-positions"
    MIXED_ACQUISITION = "mixed-acquisition"
    MISSING_PARTS = "missing-parts"
    MISSING_SLICES = "missing-slices"
    UNEVEN_SPACING = "uneven-spacing"
    TILTED_STACK = "tilted-stack"
    NOT_3D = "not-3d"
    NO_ORIENTATION = "no-orientation"
    CONFLICTING_ORIENTATION = "conflicting-orientation"
    SHEARED_AFFINE = "sheared-affine"
    NOT_MILLIMETRES = "not-millimetres"
    CONVERTED_UNITS = "converted-units"
    OVERLAPPING_SEGMENTS = "overlapping-segments"
    NOT_A_PHOTOGRAPH = "not-a-photograph"
    CINE = "cine"
    UNKNOWN_VOLUME = "unknown-volume"
    PAIRED_FILES = "paired-files"
    TRAILING_BYTES = "trailing-bytes"
    NON_FINITE = "non-finite"
    DIFFERENT_GRIDS = "different-grids"
    UNDECLARED_LABELS = "undeclared-labels"

    __str__ = str.__str__


Note = tuple[Reason, str]
"""A code, and what was found and where, with the numbers."""


class IngestError(ValueError):
    """Input that medseg refuses to read.

    Args:
        code: the reason, stable across releases; tests and callers compare this, not the words.
        finding: what is wrong and where, with the numbers; never a patient identifier.
        remedy: what to do about it; None for the usual one of the code.

    Attributes:
        series_uid: the Series Instance UID of a damaged DICOM file, where it could be read; else
            empty.

    Example:
        >>> error = IngestError(Reason.NOT_FOUND, "no such file or folder: scan.nii")
        >>> print(error.code)
        not-found
    """

    def __init__(self, code: Reason, finding: str, *, remedy: str | None = None) -> None:
        super().__init__(explain(code, finding, remedy=remedy))
        self.code = code
        self.finding = finding
        self.remedy = remedy
        self.series_uid = ""

    def __reduce__(self) -> tuple[partial[IngestError], tuple[Reason, str]]:
        """So that worker processes can pass it on."""
        return partial(type(self), remedy=self.remedy), (self.code, self.finding)


def explain(code: Reason, finding: str, *, remedy: str | None = None) -> str:
    """Join a finding and what to do about it, the usual remedy of its code, into one line."""
    line, what = " ".join(finding.split()), REMEDIES[code] if remedy is None else remedy
    return f"{line}: {what}" if what else line


_EXPORT_AGAIN = "export it again from its source"
SERIES_UID = "--series_uid UID"
_RESAMPLE = "pass --resample True to interpolate"
_AFFINE = "pass --affine sform or --affine qform"
_ONE_ACQUISITION = "put the slices of one acquisition in a folder of their own"

REMEDIES: dict[Reason, str] = {
    Reason.OK: "",
    Reason.SINGLE_SLICE: "the slice thickness is used as the slice spacing",
    Reason.NO_SERIES_UID: "the files of one study in this folder are taken as one series",
    Reason.STUDY_PER_FILE: "check that the slices are of one scan",
    Reason.SERIES_PER_FILE: "check that the slices are of one scan",
    Reason.NO_FILE_META: "check the volume, or export it again with file meta information",
    Reason.RESAMPLED: "compare with the original slices where it matters",
    Reason.PADDED_PIXELS: "check that Rows and Columns are those of the image",
    Reason.PADDED_TISSUE: (
        "check the tissue for holes at -1024 HU; to avoid them, export without PixelPaddingValue"
    ),
    Reason.EXACT_COPIES: "check that the volume has as many slices as its source",
    Reason.CAPTURED_SLICES: "compare the values with the series of the scanner where there is one",
    Reason.CORRECTED_SAMPLES: "compare some values with the source: the header is wrong",
    Reason.LEFT_ASIDE: "check that the volume has as many slices as its source",
    Reason.CHOSEN_SERIES: "if it is the wrong one, name another by its UID, or pass its folder",
    Reason.LOSSY_COMPRESSION: "use the uncompressed original where there is one",
    Reason.CONFLICTING_MODALITY: "check which of the two is right before the values are used",
    Reason.REAL_WORLD_VALUES: "values are those of the mapping; check their unit before use",
    Reason.UNKNOWN_MODALITY: "values are taken as they are; check that they are what is expected",
    Reason.ALTERNATING_ABSENCE: "check that the slices are of one scan, not of two that alternate",
    Reason.FEWER_IMAGES: "compare with the source: the first or the last slices may be missing",
    Reason.POSSIBLE_MOSAIC: "look at an image, and pass single slices where it shows several",
    Reason.UNLIKELY_VALUES: "compare some values with the source before use",
    Reason.NOT_HOUNSFIELD: "values are taken as they are; check them before use",
    Reason.SEGMENTS: "check that these are the values that are declared",
    Reason.CHOSEN_AFFINE: f"if it is not the right one and both are stated, {_AFFINE}",
    Reason.ASSUMED_ORIENTATION: "check left and right in a viewer",
    Reason.NOT_FOUND: "check the path",
    Reason.EMPTY_FOLDER: "pass a folder of DICOM files, or the NIfTI file itself",
    Reason.UNKNOWN_FORMAT: "pass DICOM, NIfTI, NRRD, MetaImage or MGH under its own suffix",
    Reason.UNREADABLE: "copy or convert the file again, or move it out of the folder",
    Reason.CONFLICTING_SYNTAX: (
        "export it again from its source, or correct TransferSyntaxUID where the pixels are right"
    ),
    Reason.TRUNCATED: "copy or download the file again",
    Reason.TOO_LARGE: "copy the file again, or move it out of the folder",
    Reason.NO_MEMORY: "close other programs, crop or split it, or use a machine with more memory",
    Reason.UNSAFE_PATH: (
        "put the file of voxels beside the header, and write that file name into the header"
    ),
    Reason.UNDECODABLE: "decompress the file with another tool, e.g. gdcmconv --raw",
    Reason.SEVERAL_SERIES: (
        "pass --series NUMBER|UID|largest|all to medseg segment, choose_series or series_uid to "
        "other commands, or a folder of the files of only one series"
    ),
    Reason.UNKNOWN_SERIES: "pass the UID of a series that is there",
    Reason.NOT_AN_IMAGE: "pass the folder of the image series that it refers to",
    Reason.MULTI_FRAME: (
        "pass single-frame slices or pictures, or an enhanced object with functional groups"
    ),
    Reason.COLOUR: "pass grey images here, and colour pictures to a bundle that reads colour",
    Reason.LOCALIZER: "pass the scan planned from this localizer",
    Reason.SECONDARY_CAPTURE: "pass the series that it was captured from",
    Reason.PIXEL_FORMAT: (
        "store pictures in 8 or 16 bit grey, or in opaque 8 bit colour where colour is read, and "
        "DICOM slices in 8, 16 or 32 bit whole numbers with PixelRepresentation and a linear "
        "rescale"
    ),
    Reason.VOXEL_TYPE: (
        "store real numbers: the magnitude of complex voxels, one file for each colour"
    ),
    Reason.MISSING_RESCALE: f"stored values are not physical units without it; {_EXPORT_AGAIN}",
    Reason.CONFLICTING_RESCALE: (
        "export it again with one linear rescale, or without RealWorldValueMappingSequence"
    ),
    Reason.INVALID_RESCALE: _EXPORT_AGAIN,
    Reason.MISSING_GEOMETRY: _EXPORT_AGAIN,
    Reason.INVALID_GEOMETRY: "export or convert it again from its source",
    Reason.NO_SLICE_SPACING: "pass the whole series, or a slice that has SliceThickness",
    Reason.MIXED_PATIENT: "put the slices of one patient in a folder of their own",
    Reason.MIXED_STUDY: "put the slices of one study in a folder of their own",
    Reason.MIXED_QUANTITY: "put the slices of one quantity in a folder of their own",
    Reason.MIXED_KERNEL: "put the slices of one kernel in a folder of their own",
    Reason.MIXED_ACQUISITION: _ONE_ACQUISITION,
    Reason.MIXED_MODALITY: "put the slices of one modality in a folder of their own",
    Reason.MIXED_RESCALE_TYPE: _ONE_ACQUISITION,
    Reason.MIXED_PHOTOMETRIC: _ONE_ACQUISITION,
    Reason.MIXED_SIZE: "put the slices of one size in a folder of their own",
    Reason.MIXED_ORIENTATION: "put the slices of one orientation in a folder of their own",
    Reason.MIXED_SPACING: "put the slices of one spacing in a folder of their own",
    Reason.MIXED_FRAME_OF_REFERENCE: "put the slices of one scan in a folder of their own",
    Reason.DUPLICATE_POSITIONS: "put each phase, echo or copy in a folder of its own",
    Reason.MISSING_PARTS: "pass all files of the object, or export it again from its source",
    Reason.MISSING_SLICES: f"slices are missing; {_EXPORT_AGAIN}, or {_RESAMPLE}",
    Reason.UNEVEN_SPACING: f"{_RESAMPLE}, or export an even reconstruction",
    Reason.TILTED_STACK: f"{_RESAMPLE} onto upright slices (gantry tilt correction)",
    Reason.NOT_3D: ("split the file into one per volume, or choose one, from 0, by --volume INDEX"),
    Reason.NO_ORIENTATION: (
        "convert it again from DICOM, or add an sform (NIfTI) or `space` (NRRD) from a trusted "
        "source"
    ),
    Reason.CONFLICTING_ORIENTATION: (
        f"{_AFFINE} where it is a NIfTI and you know which is right, or write the file again with "
        "one of them"
    ),
    Reason.SHEARED_AFFINE: (
        "resample it onto an orthogonal grid with another tool, e.g. resample_to_output of "
        "nibabel.processing"
    ),
    Reason.NOT_MILLIMETRES: (
        "store lengths in millimetres, or pass --units stated to believe the header, or --units mm "
        "where it is wrong"
    ),
    Reason.OVERLAPPING_SEGMENTS: (
        "export it as one label map, or choose a layer, from 0, by --volume INDEX"
    ),
    Reason.CONVERTED_UNITS: "compare the spacing with the source",
    Reason.NOT_A_PHOTOGRAPH: "read it as a volume, e.g. by medseg.ingest.load",
    Reason.CINE: "export the frames as single pictures, e.g. dcmj2pnm --all-frames",
    Reason.UNKNOWN_VOLUME: "pass the index, from 0, of a volume that is there",
    Reason.PAIRED_FILES: "put the other half beside it under the same name",
    Reason.TRAILING_BYTES: "convert the file again: its header does not match its voxels",
    Reason.NON_FINITE: "replace these voxels before use",
    Reason.DIFFERENT_GRIDS: "resample the label onto the grid of the image",
    Reason.UNDECLARED_LABELS: "correct the file or declare the value",
}
