"""Volume: any path to one array and its geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medseg.geometry import Geometry
from medseg.ingest.dicom import load_dicom
from medseg.ingest.nifti import is_nifti, load_nifti


def load(path: str | Path, *, series_uid: str | None = None) -> tuple[np.ndarray, Geometry]:
    """Load a NIfTI file, a DICOM file, or the DICOM series in a folder.

    The array keeps the order of its source, (I, J, K): column, row and slice for DICOM, as stored
    for NIfTI. Nothing is flipped; the affine, RAS+ for both, says where each axis points.

    Args:
        path: `.nii` or `.nii.gz`; otherwise DICOM.
        series_uid: the DICOM series to load where a folder holds several.

    Returns:
        The array and its geometry.

    Raises:
        IngestError: whatever cannot be read rightly; `code` says why.

    Example:
        >>> ct, geometry = load("study/ct")  # doctest: +SKIP
    """
    if is_nifti(path):
        return load_nifti(path)
    return load_dicom(path, series_uid=series_uid)
