"""Dicom writer: small CT series for tests, one dataset per slice, ready to be spoilt."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

AXIAL = (1, 0, 0, 0, 1, 0)
SAGITTAL = (0, 1, 0, 0, 0, -1)
CORONAL = (1, 0, 0, 0, 0, -1)
OBLIQUE = (0.8, 0.6, 0, -0.36, 0.48, 0.8)  # rows 3-4-5 triangles: exact in decimal strings

SHAPE = (5, 6, 4)
"""Default slices, rows, columns."""


def ramp(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Stored values that are all different: 0, 1, 2, ... as (slices, rows, columns)."""
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def make_series(
    stored: np.ndarray | None = None,
    *,
    orientation: Sequence[float] = AXIAL,
    origin: Sequence[float] = (-10.0, 20.0, -30.0),
    pixel_spacing_mm: tuple[float, float] = (0.5, 0.75),
    step_mm: float = 1.25,
    uid: str | None = None,
) -> list[Dataset]:
    """Make one CT series in explicit little endian, intercept -1024, along the slice normal.

    Args:
        stored: (slices, rows, columns), 8, 16 or 32 bit integers; default `ramp()`.
        orientation: ImageOrientationPatient.
        origin: ImagePositionPatient of the first slice, LPS+ mm.
        pixel_spacing_mm: PixelSpacing: between rows, between columns.
        step_mm: distance between slices.
        uid: SeriesInstanceUID.
    """
    stored = ramp() if stored is None else stored
    uid, frame = uid or generate_uid(), generate_uid()
    normal = np.cross(orientation[:3], orientation[3:])
    return [
        _make_slice(
            plane,
            SeriesInstanceUID=uid,
            FrameOfReferenceUID=frame,
            InstanceNumber=k + 1,
            ImageOrientationPatient=list(orientation),
            ImagePositionPatient=[round(float(v), 6) for v in origin + normal * step_mm * k],
            PixelSpacing=list(pixel_spacing_mm),
            SliceThickness=step_mm,
        )
        for k, plane in enumerate(stored)
    ]


def write_series(
    folder: Path, slices: Sequence[Dataset], *, suffix: str = ".dcm", shuffle_seed: int | None = 0
) -> list[Path]:
    """Write slices under names whose order says nothing; returns the paths in slice order."""
    folder.mkdir(parents=True, exist_ok=True)
    names = np.arange(len(slices))
    if shuffle_seed is not None:
        names = np.random.default_rng(shuffle_seed).permutation(names)
    paths = [folder / f"im{name:04d}{suffix}" for name in names]
    for path, dataset in zip(paths, slices, strict=True):
        dataset.save_as(path, enforce_file_format=True)
    return paths


def spoil_rows(path: Path) -> None:
    """Damage the header of a written file behind its Series Instance UID: Rows of one byte."""
    rows = b"\x28\x00\x10\x00US\x02\x00"
    content = path.read_bytes()
    path.write_bytes(content.replace(rows, rows[:-2] + b"\x01\x00"))


def compress_series(slices: Sequence[Dataset], syntax: UID) -> list[Dataset]:
    """Compress in place with pydicom's encoder of a lossless transfer syntax."""
    for dataset in slices:
        dataset.compress(syntax, generate_instance_uid=False)
    return list(slices)


def csa(name: str, *items: str) -> bytes:
    """Siemens' own header of an image, of one named value (CSA2)."""
    parts = [b"SV10\x04\x03\x02\x01", struct.pack("<ii", 1, 77)]
    parts += [name.encode().ljust(64, b"\0"), struct.pack("<i4siii", 1, b"IS", 6, len(items), 77)]
    for item in items:
        text = item.encode() + b"\0"
        parts += [struct.pack("<4i", len(text), len(text), 77, len(text))]
        parts += [text.ljust(-len(text) % 4 + len(text), b"\0")]
    whole = b"".join(parts)
    return whole + b"\0" * (len(whole) % 2)


def make_enhanced(slices: Sequence[Dataset], sop_class: UID = EnhancedCTImageStorage) -> Dataset:
    """Put slices into one enhanced multi-frame object, in the order given.

    Orientation and pixel measures are shared; position and rescale are stated for each frame.
    """
    first = slices[0]
    whole = Dataset()
    whole.update({e.tag: e for e in first if e.keyword not in _OF_A_FRAME})
    whole.file_meta = FileMetaDataset()
    whole.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = sop_class
    whole.SOPInstanceUID = whole.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    whole.NumberOfFrames = len(slices)
    whole.SharedFunctionalGroupsSequence = [
        _macros(
            PlaneOrientationSequence=_picked(first, "ImageOrientationPatient"),
            PixelMeasuresSequence=_picked(first, "PixelSpacing", "SliceThickness"),
        )
    ]
    whole.PerFrameFunctionalGroupsSequence = [
        _macros(
            PlanePositionSequence=_picked(s, "ImagePositionPatient"),
            PixelValueTransformationSequence=_picked(
                s, "RescaleSlope", "RescaleIntercept", "RescaleType"
            ),
        )
        for s in slices
    ]
    whole.PixelData = b"".join(s.PixelData for s in slices)
    whole["PixelData"].VR = "OW"
    return whole


_OF_A_FRAME = (
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "PixelData", "InstanceNumber"),
)


def _macros(**items: Dataset) -> Dataset:
    group = Dataset()
    for keyword, item in items.items():
        setattr(group, keyword, [item])
    return group


def _picked(dataset: Dataset, *keywords: str) -> Dataset:
    item = Dataset()
    item.update({dataset[k].tag: dataset[k] for k in keywords if k in dataset})
    return item


def as_big_endian(dataset: Dataset) -> Dataset:
    """Turn 16 bit samples round in place."""
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
    return dataset


def write_raw(path: Path, dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write a data set alone: no preamble, no prefix, no file meta information."""
    del dataset.file_meta
    with path.open("wb") as file:
        dcmwrite(
            file,
            dataset,
            implicit_vr=syntax.is_implicit_VR,
            little_endian=syntax.is_little_endian,
            enforce_file_format=False,
        )
    return path


def _make_slice(plane: np.ndarray, **elements: object) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientName = "Secret^Name"
    dataset.PatientID = "secret-id"
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    set_pixels(dataset, plane)
    return dataset


def set_pixels(dataset: Dataset, plane: np.ndarray) -> None:
    """Store a plane (rows, columns) of 8, 16 or 32 bit integers, uncompressed."""
    bits = plane.dtype.itemsize * 8
    dataset.Rows, dataset.Columns = plane.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(plane.dtype.kind == "i")
    data = np.ascontiguousarray(plane).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"


def relabel(path: Path, stated: UID) -> None:
    """State another transfer syntax in a written file, and leave the rest as it is."""
    content = path.read_bytes()
    at = content.index(b"\x02\x00\x10\x00UI")
    end = at + 8 + int.from_bytes(content[at + 6 : at + 8], "little")
    value = f"{stated}".encode() + b"\0" * (len(stated) % 2)
    head = content[: at + 6] + len(value).to_bytes(2, "little") + value
    group_length = head.index(b"\x02\x00\x00\x00UL\x04\x00") + 8
    size = int.from_bytes(head[group_length : group_length + 4], "little")
    size += len(value) - (end - at - 8)
    head = head[:group_length] + size.to_bytes(4, "little") + head[group_length + 4 :]
    path.write_bytes(head + content[end:])


def as_mr(slices: list[Dataset]) -> list[Dataset]:
    """Make slices of CT those of MR, which state no rescale."""
    for s in slices:
        s.SOPClassUID = MRImageStorage
        s.Modality, s.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M"]
        del s.RescaleSlope, s.RescaleIntercept, s.RescaleType
    return slices
