"""Load: any path to one array and its geometry."""

from __future__ import annotations

import os
import re
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np

from medseg.geometry import Geometry
from medseg.ingest.dicom.find_series import find_series
from medseg.ingest.dicom.read_series import read_series
from medseg.ingest.dicom.selection import choose_series
from medseg.ingest.dicom.series import Series
from medseg.ingest.formats import is_volume_file
from medseg.ingest.volumes.file import load_file
from medseg.ingest.volumes.header import Choices, check_index

UID = re.compile(r"[0-9]+(\.[0-9]+){2,}")
"""A Series Instance UID; files are rarely named so, and a file or folder goes first."""


@dataclass(frozen=True)
class LoadOptions:
    """What the user decided about images that can be read in several ways, or only after a repair.

    The arguments are those of `load`. Each is checked here, before any file is read.

    Raises:
        TypeError: `volume` is not a whole number.
        ValueError: `affine` or `units` is none of the words that `load` names.
    """

    _: KW_ONLY
    series_uid: str | None = None
    choose: str | int | None = None
    resample: bool = False
    volume: int | None = None
    affine: str | None = None
    units: str | None = None

    def __post_init__(self) -> None:
        check_index(self.volume)
        Choices(self.affine, self.units)


def load(
    path: str | Path,
    *,
    series_uid: str | None = None,
    choose: str | int | None = None,
    resample: bool = False,
    volume: int | None = None,
    affine: str | None = None,
    units: str | None = None,
) -> tuple[np.ndarray, Geometry]:
    """Load a volume file, a DICOM file or DICOMDIR, or the DICOM series in a folder.

    The array keeps the order of its source, (I, J, K): column, row and slice for DICOM, as stored
    for volume files. Nothing is flipped; the affine, RAS+ for all, says where each axis points.

    Args:
        path: NIfTI, NRRD, MetaImage or MGH, known by its suffix (`medseg.ingest.formats`);
            otherwise DICOM. FOLDER/UID, where no file has this name, is the series of this UID in
            a folder.
        series_uid: the DICOM series to load where there are several.
        choose: "largest" takes the usable DICOM image series with most slices where there are
            several and none is named, and a number the one of this SeriesNumber; None refuses
            several. What "largest" chose is logged.
        resample: lay tilted, missing or unevenly spaced DICOM slices onto an upright regular grid,
            by linear interpolation, instead of refusing them. What was done is logged.
        volume: which one of a volume file of several, counted from 0.
        affine: "sform" or "qform" where a NIfTI states both; None decides by fixed rules, and
            refuses where they do not suffice, see `medseg.ingest.volumes.nifti_affine`.
        units: the unit of lengths of a volume file: "mm", "cm", "m", "micron", whatever headers
            say, or "stated" to believe each; None refuses a header that states another than
            millimetres.

    Returns:
        The array and its geometry.

    Raises:
        IngestError: whatever cannot be read rightly; `code` says why.
        TypeError: `volume` is not a whole number.
        ValueError: `affine` or `units` is none of those above.

    Example:
        >>> ct, geometry = load("study/ct")  # doctest: +SKIP
    """
    options = LoadOptions(
        series_uid=series_uid,
        choose=choose,
        resample=resample,
        volume=volume,
        affine=affine,
        units=units,
    )
    if is_volume_file(path):
        return load_file(path, volume=volume, affine=affine, units=units)
    return read_series(find_one_series(path, options))


def find_one_series(path: str | Path, options: LoadOptions) -> Series:
    """Find the DICOM series of a path that the options choose, unless the path itself names one.

    Raises:
        IngestError: there is none, there are several and none is chosen, or it is refused.
    """
    folder, named = split_series_path(Path(path))
    found = find_series(folder, resample=options.resample)
    if named is not None:
        return choose_series(found, folder, series_uid=named)
    return choose_series(found, folder, series_uid=options.series_uid, choose=options.choose)


def split_series_path(path: Path) -> tuple[Path, str | None]:
    """The folder, or DICOMDIR, and the UID of a path FOLDER/UID; any other path, and None.

    Example:
        >>> folder, uid = split_series_path(Path("study/1.2.840.1.5"))  # doctest: +SKIP
    """
    if UID.fullmatch(path.name) and not os.path.lexists(path) and os.path.exists(path.parent):
        return path.parent, path.name
    return path, None
