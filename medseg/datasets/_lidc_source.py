"""LIDC source: the CT series and the XML files of a download, matched by Series Instance UID.

The Cancer Imaging Archive gives `LIDC-IDRI/<patient>/<study>/<series>/*.dcm` with the XML in the
folder of the series, and all XML files once more in `LIDC-XML-only/tcia-lidc-xml/<n>/<m>.xml`. Both
are read, and so is any other tree: only what is in the files counts.
"""

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pydicom

from medseg.datasets._lidc_xml import Reads, read_xml, read_xml_header
from medseg.geometry import Geometry

logger = logging.getLogger(__name__)

_PSEUDONYM = re.compile(r"LIDC-IDRI-\d{4}")
_PREFIX, _MAGIC = 128, b"DICM"  # PS3.10 section 7.1


class Series(Protocol):
    """What is needed of `medseg.ingest.Series`."""

    @property
    def uid(self) -> str: ...
    @property
    def modality(self) -> str: ...
    @property
    def files(self) -> Sequence[Path]: ...
    @property
    def message(self) -> str: ...
    @property
    def geometry(self) -> Geometry | None: ...


FindSeries = Callable[[Path], Iterable[Series]]


@dataclass
class Annotations:
    """The XML files of a download by the series that they are of.

    Attributes:
        ct: the files of each CT series, more than one where copies were given.
        radiographs: number of files with reads of a chest radiograph; they belong to no CT.
        faults: file -> why it cannot be read.
    """

    ct: dict[str, list[Path]] = field(default_factory=dict)
    radiographs: int = 0
    faults: dict[Path, str] = field(default_factory=dict)


def find_annotations(folders: Iterable[Path]) -> Annotations:
    """Find the XML files below the folders; only their headers are read."""
    found = Annotations()
    files = {path.resolve(): path for folder in folders for path in sorted(_xml_files(folder))}
    for path in files.values():
        try:
            modality, uid = read_xml_header(path)
        except ValueError as error:
            found.faults[path] = str(error)
            continue
        if modality == "CXR":
            found.radiographs += 1
        else:
            found.ct.setdefault(uid, []).append(path)
    return found


def read_copies(paths: Sequence[Path]) -> Reads:
    """Read the XML of one series, given once or in copies that say the same.

    Raises:
        ValueError: one cannot be read, or they differ.
    """
    first, *others = (read_xml(path) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        if other != first:
            raise ValueError(
                f"{paths[0]} and {path} are of one series and differ: keep the corrected one"
            )
    return first


def find_ct(source: Path, find_series: FindSeries) -> Iterator[Series]:
    """List the CT series below a folder, and files that no series can be made of, by folder.

    The search is done patient by patient, so that the headers of one patient are held at a time.
    """
    for folder in _dicom_folders(source):
        for series in find_series(folder):
            if series.modality in ("CT", ""):
                yield series


def patient_of(series: Series) -> str:
    """The patient's pseudonym in the collection; any other identifier gives a hash of it."""
    header = pydicom.dcmread(series.files[0], specific_tags=["PatientID"], stop_before_pixels=True)
    patient = str(header.get("PatientID", ""))
    if _PSEUDONYM.fullmatch(patient):
        return patient
    return f"patient-{hashlib.sha256(patient.encode()).hexdigest()[:8]}"


def case_of(series: Series) -> str:
    """Name a scan: its patient and the end of its UID, since eight patients have two scans."""
    return f"{patient_of(series)}_{series.uid.rpartition('.')[2][-12:]}"


def slice_of(series: Series, geometry: Geometry) -> dict[str, int]:
    """Map each SOP Instance UID -> the slice of the volume at its position.

    Found by position, so that it also holds where ingest has dropped or resampled slices.
    """
    tags = ["SOPInstanceUID", "ImagePositionPatient"]
    to_voxel = np.linalg.inv(geometry.affine_lps)
    found = {}
    for file in series.files:
        header = pydicom.dcmread(file, specific_tags=tags, stop_before_pixels=True)
        uid, position = header.get("SOPInstanceUID"), header.get("ImagePositionPatient")
        if uid and position:
            k = round(float((to_voxel @ [*map(float, position), 1.0])[2]))
            if k in range(geometry.shape[2]):
                found[str(uid)] = k
    return found


def _xml_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix.lower() == ".xml" and not path.name.startswith(".") and path.is_file():
            yield path


def _dicom_folders(source: Path) -> Iterator[Path]:
    """The topmost folders that hold DICOM files themselves."""
    for folder, below, names in os.walk(source, followlinks=True):
        below.sort()
        if any(_is_dicom(Path(folder) / name) for name in sorted(names)):
            below.clear()
            yield Path(folder)


def _is_dicom(path: Path) -> bool:
    if path.suffix.lower() in (".dcm", ".xml") or path.name.startswith("."):
        return path.suffix.lower() == ".dcm" and not path.name.startswith(".")
    with path.open("rb") as file:
        return file.read(_PREFIX + len(_MAGIC))[_PREFIX:] == _MAGIC
