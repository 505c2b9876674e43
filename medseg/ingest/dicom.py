"""Dicom: the one volume that a DICOM file or folder holds, in physical values.

A folder is loaded when exactly one image series is in it. A series of nothing but localizers,
colour captures and objects without image slices (SEG, RTSTRUCT, SR, ...) beside it does not count.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from medseg.geometry import Geometry
from medseg.ingest.pixels import read_volume
from medseg.ingest.reasons import IngestError, Reason, Verdict
from medseg.ingest.series import Series, find_series, judge

logger = logging.getLogger(__name__)

_COMPANIONS = (Reason.NOT_AN_IMAGE, Reason.LOCALIZER, Reason.COLOUR)


def load_dicom(path: str | Path, *, series_uid: str | None = None) -> tuple[np.ndarray, Geometry]:
    """Load one series from a folder, or the one slice of a file.

    Args:
        path: a folder, searched with its subfolders, or one single-frame file, which makes a
            volume of one slice as thick as SliceThickness says.
        series_uid: the series to load where the folder holds several.

    Returns:
        The volume (columns, rows, slices), int16 or float32, in HU for CT, and its geometry.

    Raises:
        IngestError: the series is refused, or which one is meant is not clear.

    Example:
        >>> volume, geometry = load_dicom("study", series_uid="1.2.3")  # doctest: +SKIP
    """
    return read_series(_choose(find_series(path), Path(path), series_uid=series_uid))


def read_series(series: Series) -> tuple[np.ndarray, Geometry]:
    """Decode a series that `find_series` found.

    Returns:
        The volume (columns, rows, slices) and its geometry, as from `load_dicom`.

    Raises:
        IngestError: the series is refused, or its pixels cannot be decoded.
    """
    if series.verdict is Verdict.REFUSE or series.geometry is None:
        raise IngestError(series.reason, series.finding)
    if series.verdict is Verdict.REPAIR:
        logger.warning("%s", series.message)
    units = {s.rescale_type for s in series.slices} - {"", "HU"}
    if series.modality == "CT" and units:
        logger.warning("CT series %s states its values in %s, not HU", series.uid, sorted(units))
    return read_volume(series.slices), series.geometry


def _choose(found: list[Series], path: Path, *, series_uid: str | None) -> Series:
    """Pick the series that is meant; a file that cannot be read leaves no choice."""
    for series in found:
        if _is_of_unknown_series(series):
            return series
    if series_uid is not None:
        return _named(found, path, series_uid=series_uid)
    images = [s for s in found if not _is_companion(s)] or found
    if len(images) > 1:
        finding = f"{len(images)} series in {path}: {_listed(images)}"
        raise IngestError(Reason.SEVERAL_SERIES, finding)
    if not images and path.is_file():
        raise IngestError(Reason.UNKNOWN_FORMAT, f"{path} is neither NIfTI nor DICOM")
    if not images:
        raise IngestError(Reason.EMPTY_FOLDER, f"no DICOM in {path}")
    if len(found) > 1:
        logger.info("left %d series without image slices in %s", len(found) - 1, path)
    return images[0]


def _named(found: list[Series], path: Path, *, series_uid: str) -> Series:
    for series in found:
        if series.uid == series_uid:
            return series
    holds = f", which holds {_listed(found)}" if found else ""
    raise IngestError(Reason.UNKNOWN_SERIES, f"no series {series_uid} in {path}{holds}")


def _is_of_unknown_series(series: Series) -> bool:
    """Files whose header is damaged or cut; a cut one may lack its UID or hold a part of it."""
    is_cut = series.reason is Reason.TRUNCATED and all(s.pixels is None for s in series.slices)
    return is_cut or not series.slices


def _is_companion(series: Series) -> bool:
    """Whether no file of the series could be a slice; one that could makes it an image series."""
    return series.reason in _COMPANIONS and all(
        judge([s]).reason in _COMPANIONS for s in series.slices
    )


def _listed(found: list[Series]) -> str:
    """What tells series apart without patient data; descriptions may hold some."""
    return ", ".join(_outline(series) for series in found)


def _outline(series: Series) -> str:
    sizes = sorted({f"{s.columns}x{s.rows}" for s in series.slices})
    size = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes"
    count = f"{len(series.slices)} file{'s' if len(series.slices) > 1 else ''}"
    refused = [f"refused as {series.reason}"] if series.verdict is Verdict.REFUSE else []
    facts = [series.modality or "no modality", size, count, *refused]
    return f"{series.uid or 'no UID'} ({', '.join(facts)})"
