"""Volume: any path to one array and its geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medseg.geometry import Geometry
from medseg.ingest.dicom import load_dicom
from medseg.ingest.nifti import is_nifti, load_nifti


def load(
    path: str | Path,
    *,
    series_uid: str | None = None,
    choose: str | None = None,
    resample: bool = False,
    volume: int | None = None,
    convert_units: bool = False,
) -> tuple[np.ndarray, Geometry]:
    """Load a NIfTI file, a DICOM file or DICOMDIR, or the DICOM series in a folder.

    The array keeps the order of its source, (I, J, K): column, row and slice for DICOM, as stored
    for NIfTI. Nothing is flipped; the affine, RAS+ for both, says where each axis points.

    Args:
        path: `.nii` or `.nii.gz`; otherwise DICOM.
        series_uid: the DICOM series to load where there are several.
        choose: "largest" takes the usable DICOM image series with most slices where there are
            several and none is named; None refuses them. The choice is logged.
        resample: lay tilted, missing or unevenly spaced DICOM slices onto an upright regular grid,
            by linear interpolation, instead of refusing them. What was done is logged.
        volume: which one of a NIfTI file of several, counted from 0.
        convert_units: scale a NIfTI in metres or micrometres to millimetres instead of refusing it.

    Returns:
        The array and its geometry.

    Raises:
        IngestError: whatever cannot be read rightly; `code` says why.

    Example:
        >>> ct, geometry = load("study/ct")  # doctest: +SKIP
    """
    if is_nifti(path):
        return load_nifti(path, volume=volume, convert_units=convert_units)
    return load_dicom(path, series_uid=series_uid, choose=choose, resample=resample)
