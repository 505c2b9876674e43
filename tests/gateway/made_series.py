"""Made series: small studies for the gateway, and results as a bundle would write them."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pydicom
from ingest.dicom_writer import make_series
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from medseg.ingest import load

BUNDLE = "thresholds 0.1.0"
STUDY = "1.2.826.0.1.3680043.8.498.1"


def make_study(number: int = 1, *, slices: int | None = None) -> list[Dataset]:
    """The images of a CT series, with all that a PACS asks for."""
    images = make_series(uid=f"{STUDY}.{number}.1")[:slices]
    for each in images:
        each.StudyInstanceUID = f"{STUDY}.{number}"
        each.SeriesDescription = "venous"
        each.BodyPartExamined = "ABDOMEN"
    return images


def encode(image: Dataset) -> bytes:
    """The file of an image."""
    with BytesIO() as file:
        pydicom.dcmwrite(file, image, enforce_file_format=True)
        return file.getvalue()


class FakeSegment:
    """Writes objects with new UIDs at each call, since no two computations need to agree.

    Attributes:
        calls: how often it was called.
        fails: is raised instead.
    """

    def __init__(self, *outputs: str) -> None:
        self.made_by = BUNDLE
        self.outputs = outputs or ("seg", "sr")
        self.calls = 0
        self.fails: BaseException | None = None

    def __call__(self, folder: Path, out: Path) -> Mapping[str, Path]:
        self.calls += 1
        if self.fails is not None:
            raise self.fails
        load(folder)  # refuses what medseg refuses
        source = dcmread(next(folder.iterdir()), stop_before_pixels=True)
        paths, first = {}, None
        for kind in self.outputs:
            made = _make_result(source, kind)
            if first is not None:
                made.ReferencedSOPInstanceUID = first
            first = first or made.SOPInstanceUID
            paths[kind] = out / f"made_{kind}.dcm"
            made.save_as(paths[kind], enforce_file_format=True)
        return paths


def _make_result(source: Dataset, kind: str) -> Dataset:
    made, reference = Dataset(), Dataset()
    reference.SeriesInstanceUID = source.SeriesInstanceUID
    made.SOPClassUID = SegmentationStorage
    made.SOPInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.StudyInstanceUID = source.StudyInstanceUID
    made.PatientID, made.Modality = source.get("PatientID", ""), kind.upper()
    made.ReferencedSeriesSequence = [reference]
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made
