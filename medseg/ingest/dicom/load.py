"""Dicom: the one volume that a DICOM file or folder holds, in physical values."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from medseg.geometry import Geometry
from medseg.ingest.dicom.pixels.read import CT_PADDING_HU, read_volume
from medseg.ingest.dicom.resample import resample as resample_volume
from medseg.ingest.dicom.selection import choose_series
from medseg.ingest.dicom.series import Series, find_series
from medseg.ingest.reasons import IngestError, Verdict

logger = logging.getLogger(__name__)


def load_dicom(
    path: str | Path,
    *,
    series_uid: str | None = None,
    choose: str | None = None,
    resample: bool = False,
) -> tuple[np.ndarray, Geometry]:
    """Load one series from a folder, a DICOMDIR, a multi-frame file, or the one slice of a file.

    Args:
        path: a folder, searched with its subfolders; a DICOMDIR, whose files are read; or one file:
            an enhanced multi-frame object, or a slice, which makes a volume of one slice as thick
            as SliceThickness says.
        series_uid: the series to load where there are several.
        choose: "largest" takes the usable image series with most slices where there are several and
            none is named; see `choose_series`.
        resample: lay tilted, missing or unevenly spaced slices onto an upright regular grid instead
            of refusing them; see `medseg.ingest.dicom.resample`.

    Returns:
        The volume (columns, rows, slices), in HU for CT, of the type that `read_volume` gives, and
        its geometry.

    Raises:
        IngestError: the series is refused, or which one is meant is not clear.

    Example:
        >>> volume, geometry = load_dicom("study", series_uid="1.2.3")  # doctest: +SKIP
    """
    return read_series(find_one(path, series_uid=series_uid, choose=choose, resample=resample))


def find_one(
    path: str | Path,
    *,
    series_uid: str | None = None,
    choose: str | None = None,
    resample: bool = False,
) -> Series:
    """The one series that `load_dicom` loads, with its headers; it may be refused."""
    found = find_series(path, resample=resample)
    return choose_series(found, Path(path), series_uid=series_uid, choose=choose)


def read_series(series: Series) -> tuple[np.ndarray, Geometry]:
    """Decode a series that `find_series` found; what was repaired or noted is logged.

    Returns:
        The volume (columns, rows, slices) and its geometry, as from `load_dicom`.

    Raises:
        IngestError: the series is refused, or its pixels cannot be decoded.
    """
    if series.verdict is Verdict.REFUSE or series.geometry is None:
        raise IngestError(series.reason, series.finding, remedy=series.remedies[0])
    if series.message:
        logger.warning("%s", series.message)
    volume = read_volume(series.slices)
    if series.resampling is not None:
        fill = CT_PADDING_HU if series.slices[0].rescaled_kind == "CT" else 0
        volume = resample_volume(volume, series.resampling, fill=fill)
    return volume, series.geometry
