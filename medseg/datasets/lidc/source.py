"""LIDC source: the CT series and the XML files of a download, matched by Series Instance UID.

The Cancer Imaging Archive gives `LIDC-IDRI/<patient>/<study>/<series>/*.dcm` with the XML in the
folder of the series, and all XML files once more in `LIDC-XML-only/tcia-lidc-xml/<n>/<m>.xml`. Both
are read, and so is any other tree: only what is in the files counts.
"""

import hashlib
import logging
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom

from medseg.base.walk import walk
from medseg.datasets.lidc.annotations_xml import Reads, read_xml, read_xml_header
from medseg.datasets.lidc.marks import Stack
from medseg.datasets.lidc.slices_as_scanned import OriginalSlices
from medseg.geometry import Geometry
from medseg.ingest import Series, find_series
from medseg.ingest.formats import DICOM_HEAD_BYTES, has_dicom_prefix, is_named_dicom

logger = logging.getLogger(__name__)

_PSEUDONYM = re.compile(r"LIDC-IDRI-\d{4}")

_BLOCK_BYTES = 2**20


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
    files = {
        os.path.realpath(path): path
        for folder in folders
        for path in sorted(_find_xml_files(folder))
    }
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
    """Read the XML of one series, given once or in copies with the same content.

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


def find_ct(source: Path, *, resample: bool = False) -> Iterator[Series]:
    """List the CT series below a folder, and files that no series can be made of, by folder.

    The search is done folder by folder, so that the headers of one folder are held at a time. In
    each, what has no UID comes last. `resample` is that of `medseg.ingest.find_series`.
    """
    for folder in _find_dicom_folders(source):
        for series in sorted(
            find_series(folder, resample=resample), key=lambda found: not found.uid
        ):
            if series.modality in ("CT", ""):
                yield series


def read_patient(series: Series) -> str:
    """The patient's pseudonym in the collection; any other identifier gives a hash of it."""
    patient = _read_patient_id(series.files[0])
    if _PSEUDONYM.fullmatch(patient):
        return patient
    hashed = hashlib.sha256(patient.encode("utf-8", "backslashreplace")).hexdigest()
    return f"patient-{hashed[:8]}"


def name_case(series: Series) -> str:
    """Name a scan: its patient, the end of its UID for people, and a hash of the whole of it.

    Eight patients have two scans, and UIDs given by another program may end alike.
    """
    digest = hashlib.sha256(series.uid.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    ending = re.sub(r"\W", "", series.uid.rpartition(".")[2])[-12:]  # no part of a path
    return f"{read_patient(series)}_{ending}-{digest}"


def hash_content(files: Iterable[Path]) -> str:
    """Hash the content of the files, whatever their names, dates and order: copies have one hash.

    The hash is of size and CRC-32 of every file, so each byte is read. Of a file that is missing or
    cannot be read, the name counts.
    """
    return hashlib.sha256(repr(sorted(map(_compute_checksum, files))).encode()).hexdigest()


def make_stack(series: Series, geometry: Geometry) -> Stack:
    """Locate the slices of a series that the readers saw, by SOP Instance UID and by z.

    Found by position, so that it also holds where ingest has dropped slices.

    Args:
        series: a CT that is not refused.
        geometry: the grid of its volume, that of `series.resampling` where there is one.
    """
    named = [s for s in series.slices if s.frame is None and s.instance and s.position.size]
    uids, to_voxel = [s.instance for s in named], np.linalg.inv(geometry.affine_lps)
    at = np.array([s.position for s in named]).reshape(-1, 3)
    places = at @ to_voxel[2, :3] + to_voxel[2, 3]
    plan = series.resampling
    if plan is None:
        slices = places.round().astype(int).tolist()
        found = zip(uids, slices, strict=True)
        return Stack(geometry, {uid: k for uid, k in found if k in range(geometry.shape[2])})
    slices = [int(np.abs(plan.depths_mm - place * plan.step_mm).argmin()) for place in places]
    z_mm = np.full(len(plan.depths_mm), np.nan)
    z_mm[slices] = at[:, 2]
    shape = (series.slices[0].columns, series.slices[0].rows, len(plan.depths_mm))
    return Stack(geometry, dict(zip(uids, slices, strict=True)), OriginalSlices(shape, z_mm, plan))


def _compute_checksum(file: Path) -> tuple[int, int, str]:
    """Size in bytes and CRC-32; a negative size and the name where it cannot be read."""
    size = crc = 0
    try:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                size, crc = size + len(block), zlib.crc32(block, crc)
    except OSError:
        return -1, 0, str(file)
    return size, crc, ""


def _read_patient_id(file: Path) -> str:
    header = pydicom.dcmread(file, specific_tags=["PatientID"], stop_before_pixels=True)
    return str(header.get("PatientID", ""))


def _find_xml_files(folder: Path) -> Iterator[Path]:
    for below, _, names in walk(folder):
        for path in (below / name for name in names if not name.startswith(".")):
            if path.suffix.lower() == ".xml" and os.path.isfile(path):
                yield path


def _find_dicom_folders(source: Path) -> Iterator[Path]:
    """The topmost folders that hold DICOM files themselves."""
    for folder, below, names in walk(source):
        if any(_is_dicom(folder / name) for name in names):
            below.clear()
            yield folder


def _is_dicom(path: Path) -> bool:
    if path.name.startswith(".") or path.suffix.lower() == ".xml":
        return False
    if is_named_dicom(path):
        return True
    if not os.path.isfile(path):  # a broken link, a pipe
        return False
    try:
        with path.open("rb") as file:
            return has_dicom_prefix(file.read(DICOM_HEAD_BYTES))
    except OSError:  # not readable: ingest refuses the series of the files beside it
        return False
